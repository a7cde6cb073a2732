import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import type { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  AUTHORITY,
  SERVER,
  accepting,
  bareSocket,
  caught,
  certificate,
  connected,
  dial,
  frame,
  opened,
  readAll,
  text,
  turns,
} from "./rig.ts";

const ENDPOINT = "tcps://127.0.0.1:0";
const TRUSTING = { ca: AUTHORITY };
const CLIENT = { key: certificate("client.key"), cert: certificate("client.pem"), ca: AUTHORITY };
const MUTUAL = { ...SERVER, ca: AUTHORITY, requestCert: true, rejectUnauthorized: true };

describe("TLS", () => {
  it("carries messages of every size, both ways, and tells whose certificate the server has", async () => {
    const { dialed, accepted, acceptor } = await connected({ endpoint: ENDPOINT, tls: SERVER }, { tls: TRUSTING });
    expect(acceptor.endpoint).toMatch(/^tcps:\/\/127\.0\.0\.1:\d+$/);
    expect(dialed.security).toMatchObject({ kind: "encrypted", certificateSubject: "CN=server" });
    expect(accepted.security).toMatchObject({ kind: "encrypted", certificateSubject: undefined });
    const near = opened(dialed);
    const far = opened(accepted);
    for (const size of [1, 20_000, 500_000]) {
      dialed.send(Buffer.alloc(size, 1), true);
      accepted.send(Buffer.alloc(size, 2));
    }
    dialed.close();
    await far.end();
    await near.end();
    expect(far.messages.map((bytes) => bytes.length)).toEqual([1, 20_000, 500_000]);
  });

  it("finds the host's name in the certificate", async () => {
    const acceptor = await accepting({ endpoint: "tcps://localhost:0", tls: SERVER });
    const channel = await dial(acceptor.endpoint, { tls: TRUSTING });
    opened(channel);
    expect(channel.security.certificateSubject).toBe("CN=server");
  });

  it("tells the server whose certificate the client has", async () => {
    const { dialed, accepted } = await connected({ endpoint: ENDPOINT, tls: MUTUAL }, { tls: CLIENT });
    opened(dialed);
    opened(accepted);
    expect(accepted.security.kind).toBe("encrypted");
    expect(accepted.security.certificateSubject?.split(", ").sort()).toEqual(["CN=bot-7", "O=Workshop"]);
  });

  it("tells nothing of a certificate that was shown and not proved", async () => {
    const tls = { ...SERVER, requestCert: true, rejectUnauthorized: false };
    const { dialed, accepted } = await connected({ endpoint: ENDPOINT, tls }, { tls: CLIENT });
    opened(dialed);
    opened(accepted);
    expect(accepted.security.certificateSubject).toBeUndefined();
  });

  it.each([
    ["untrusted", "server", {}, /not accepted/],
    ["expired", "expired", TRUSTING, /expired/],
    ["for another host", "elsewhere", TRUSTING, /for another host/],
  ])("H35 fails the dial UNAUTHENTICATED for a certificate that is %s", async (_name, name, tls, expected) => {
    const server = { key: certificate(`${name}.key`), cert: certificate(`${name}.pem`) };
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: server });
    const error = await caught(dial(acceptor.endpoint, { tls }));
    expect(error).toMatchObject({ code: "UNAUTHENTICATED", retryable: false, delivered: "no" });
    expect(error.message).toMatch(expected);
    expect(error.message).toContain(acceptor.endpoint);
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "H35 ends UNAUTHENTICATED for a client without a certificate over %s",
    async (version) => {
      const reports: RpcError[] = [];
      const tls = { ...MUTUAL, minVersion: version, maxVersion: version };
      const acceptor = await accepting({ endpoint: ENDPOINT, tls, onError: (error) => reports.push(error) });
      // In TLS 1.3 the client is through before the server has looked at its certificate: then the channel ends with the refusal.
      const outcome = await dial(acceptor.endpoint, { tls: TRUSTING }).then(
        (channel) => opened(channel).end(),
        (error: RpcError) => error,
      );
      expect(outcome.code).toBe("UNAUTHENTICATED");
      expect(outcome.message).toMatch(/refused our certificate, or that we have none/);
      expect(reports).toHaveLength(1);
    },
  );

  it("H10 ends a connection of plain bytes and accepts the next one", async () => {
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER });
    const plain = await bareSocket(acceptor.endpoint);
    plain.on("error", () => undefined);
    plain.write(frame("hello?"));
    const answer = await readAll(plain);
    // At most a TLS alert.
    expect(answer.length).toBeLessThan(10);
    opened(await dial(acceptor.endpoint, { tls: TRUSTING }));
    opened(await acceptor.next());
  });

  it("H10 ends a handshake that was abandoned after unauthenticatedTimeoutMs and accepts the next one", async () => {
    const clock = createFakeClock();
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER, clock });
    const abandoned = await bareSocket(acceptor.endpoint);
    abandoned.on("error", () => undefined);
    abandoned.write(Buffer.from("160301020001", "hex"));
    await turns(10);
    expect(clock.pendingCount).toBe(1);
    const gone = once(abandoned, "close");
    abandoned.resume().on("end", () => abandoned.end());
    clock.advance(10_000);
    await gone;
    opened(await dial(acceptor.endpoint, { tls: TRUSTING }));
    opened(await acceptor.next());
    expect(clock.pendingCount).toBe(0);
  });

  it("H10 leaves no handshake behind when it stops listening", async () => {
    const clock = createFakeClock();
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER, clock });
    const abandoned = await bareSocket(acceptor.endpoint);
    abandoned.on("error", () => undefined);
    await turns(10);
    const gone = once(abandoned, "close");
    abandoned.resume().on("end", () => abandoned.end());
    await acceptor.stop();
    await gone;
    await vi.waitUntil(() => clock.pendingCount === 0);
    expect(abandoned.destroyed).toBe(true);
  });

  it("H09 tells a client that the server does not speak TLS", async () => {
    const acceptor = await accepting();
    void acceptor.next().then((channel) => opened(channel));
    const error = await caught(dial(acceptor.endpoint.replace("tcp:", "tcps:"), { tls: TRUSTING }));
    expect(error.code).toBe("UNAVAILABLE");
  });

  it("H16 ends with a reason when the peer resets beneath TLS", async () => {
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER });
    const { port } = new URL(acceptor.endpoint);
    const raw = await bareSocket(acceptor.endpoint);
    const peer = connectTls({ socket: raw, host: "127.0.0.1", port: Number(port), ca: AUTHORITY });
    peer.on("error", () => undefined);
    onTestFinished(() => void peer.destroy());
    const channel = await acceptor.next();
    const sink = opened(channel);
    while (channel.send(Buffer.alloc(10_000)));
    raw.resetAndDestroy();
    expect((await sink.end()).code).toBe("UNAVAILABLE");
  });

  it("H15 answers a peer that has ended its half", async () => {
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER });
    const { port } = new URL(acceptor.endpoint);
    // Node takes `allowHalfOpen` here; its types do not know.
    const options = { host: "127.0.0.1", port: Number(port), ca: AUTHORITY, allowHalfOpen: true };
    const peer = connectTls(options);
    onTestFinished(() => void peer.destroy());
    const channel = await acceptor.next();
    const sink = opened(channel);
    sink.message = () => channel.send(Buffer.from("reply"));
    peer.end(frame("request"));
    expect(text((await readAll(peer)).subarray(4))).toBe("reply");
    await sink.end();
  });

  it.each([
    ["tcps:// without the option tls", "tcps://127.0.0.1:0", undefined, /needs the option tls/],
    ["the option tls without tcps://", "tcp://127.0.0.1:0", SERVER, /not encrypted although the option tls is set/],
    ["a key that is none", ENDPOINT, { key: "no key", cert: "no certificate" }, /the option tls for .* is not usable/],
  ])("refuses to listen with %s", async (_name, endpoint, tls, expected) => {
    const error = await caught(accepting({ endpoint, tls }));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(expected);
  });

  it("refuses to dial with client options that are not usable", async () => {
    const acceptor = await accepting({ endpoint: ENDPOINT, tls: SERVER });
    const error = await caught(dial(acceptor.endpoint, { tls: { key: "no key", cert: "no certificate" } }));
    expect(error.code).toBe("INVALID_ARGUMENT");
  });
});
