import { createServer } from "node:net";
import { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { accepting, bareServer, caught, dial, freePort, opened, text, turns } from "./rig.ts";

describe("dialing", () => {
  it("C15 tells at once that nobody listens, and where", async () => {
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    const error = await caught(dial(endpoint));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "no", retryable: true });
    expect(error.message).toBe(`nobody listens on ${endpoint}; is the server started?`);
  });

  it("H209 fails UNAVAILABLE for a name that does not resolve", async () => {
    const error = await caught(dial("tcp://nobody.invalid:7000"));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toMatch(/nobody\.invalid/);
  });

  it("H209 gives up after connectTimeoutMs when nothing answers", async () => {
    const clock = createFakeClock();
    // The TLS handshake of a server that never says a word.
    const endpoint = (await bareServer(() => undefined)).replace("tcp:", "tcps:");
    const dialing = caught(dial(endpoint, { clock }));
    await turns();
    clock.advance(10_000);
    const error = await dialing;
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(error.message).toBe(`${endpoint} did not answer in 10000 ms`);
    expect(clock.pendingCount).toBe(0);
  });

  it("tries several endpoints in their order and takes the first that answers", async () => {
    const dead = `tcp://127.0.0.1:${await freePort()}`;
    const acceptors = [await accepting(), await accepting()] as const;
    const channel = await dial([dead, acceptors[0].endpoint, acceptors[1].endpoint]);
    opened(channel);
    expect(channel.remote).toBe(acceptors[0].endpoint);
  });

  it("gives a silent endpoint its share of the time, then tries the next", async () => {
    const clock = createFakeClock();
    const silent = (await bareServer(() => undefined)).replace("tcp:", "tcps:");
    const acceptor = await accepting();
    const dialing = dial([silent, acceptor.endpoint], { clock });
    await turns();
    clock.advance(5_000);
    const channel = await dialing;
    opened(channel);
    expect(channel.remote).toBe(acceptor.endpoint);
  });

  it("names every endpoint that failed, and why", async () => {
    const dead = [`tcp://127.0.0.1:${await freePort()}`, "unix:/nowhere/bot.sock"];
    const error = await caught(dial(dead));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain(`nobody listens on ${dead[0]}`);
    expect(error.message).toContain(`there is no socket file for ${dead[1]}`);
    expect(error.cause).toBeInstanceOf(AggregateError);
  });

  it("C14 rejects CANCELLED when the signal had aborted before", async () => {
    let connections = 0;
    const endpoint = await bareServer(() => void connections++);
    const error = await caught(dial(endpoint, {}, AbortSignal.abort()));
    await turns();
    expect(error).toMatchObject({ code: "CANCELLED", delivered: "no" });
    expect(connections).toBe(0);
  });

  it("C14 rejects CANCELLED when the signal aborts during the dial, leaves no socket and tries nothing else", async () => {
    const gone = Promise.withResolvers<void>();
    const clock = createFakeClock();
    const endpoint = (
      await bareServer((socket) =>
        socket
          .resume()
          .on("end", () => gone.resolve())
          .on("close", () => gone.resolve()),
      )
    ).replace("tcp:", "tcps:");
    let others = 0;
    const other = await bareServer(() => void others++);
    const controller = new AbortController();
    const dialing = caught(dial([endpoint, other], { clock }, controller.signal));
    await turns(10);
    controller.abort();
    expect((await dialing).code).toBe("CANCELLED");
    await gone.promise;
    expect(others).toBe(0);
    expect(clock.pendingCount).toBe(0);
  });

  it("C14 keeps the reason of the signal when it is an RpcError", async () => {
    const reason = new RpcError("DEADLINE_EXCEEDED", "too late");
    expect(await caught(dial("tcp://127.0.0.1:1", {}, AbortSignal.abort(reason)))).toBe(reason);
  });

  it("reaches a listener over IPv6", async () => {
    const acceptor = await accepting({ endpoint: "tcp://[::1]:0" });
    expect(acceptor.endpoint).toMatch(/^tcp:\/\/\[::1\]:\d+$/);
    const [dialed, accepted] = await Promise.all([dial(acceptor.endpoint), acceptor.next()]);
    const sink = opened(accepted);
    opened(dialed).message = () => undefined;
    dialed.send(Buffer.from("six"));
    await sink.count(1);
    expect(sink.messages.map(text)).toEqual(["six"]);
    expect(accepted.remote).toMatch(/^tcp:\/\/\[::1\]:\d+$/);
  });

  it("reaches a listener that stands on the other address family of its name", async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const channel = await dial(`tcp://localhost:${address.port}`);
    opened(channel);
    expect(channel.remote).toBe(`tcp://localhost:${address.port}`);
  });
});
