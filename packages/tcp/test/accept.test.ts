import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RpcError } from "@rpc/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { accepting, bareSocket, caught, connected, dial, opened, readAll, type Recorder, text, turns } from "./rig.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "rpc-tcp-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("listening", () => {
  it("tells the real port", async () => {
    const acceptor = await accepting();
    expect(acceptor.endpoint).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  it("H209 C17 fails ALREADY_EXISTS on an endpoint that is taken, and the first listener works on", async () => {
    const first = await accepting();
    const error = await caught(accepting({ endpoint: first.endpoint }));
    expect(error.code).toBe("ALREADY_EXISTS");
    expect(error.message).toBe(
      `somebody already listens on ${first.endpoint}; stop that program or choose another endpoint`,
    );
    opened(await dial(first.endpoint));
    opened(await first.next());
  });

  it("C18 stops accepting and lets open channels be", async () => {
    const { dialed, accepted, acceptor } = await connected();
    opened(dialed);
    const sink = opened(accepted);
    await acceptor.stop();
    await acceptor.stop();
    expect((await caught(dial(acceptor.endpoint))).code).toBe("UNAVAILABLE");
    dialed.send(Buffer.from("still here"));
    await sink.count(1);
    expect(sink.messages.map(text)).toEqual(["still here"]);
  });

  it("frees its port at once, with channels open on it", async () => {
    const { dialed, accepted, acceptor } = await connected();
    opened(dialed);
    opened(accepted);
    await acceptor.stop();
    expect((await accepting({ endpoint: acceptor.endpoint })).endpoint).toBe(acceptor.endpoint);
  });

  it.each(["tcp://0.0.0.0:0", "tcp://[::]:0"])(
    "H40 refuses the public address %s with a sentence",
    async (endpoint) => {
      const error = await caught(accepting({ endpoint }));
      expect(error.code).toBe("FAILED_PRECONDITION");
      expect(error.message).toMatch(
        /use tcps:\/\/ with the option tls, listen on 127\.0\.0\.1, or say allowInsecure: true/,
      );
    },
  );

  it("H40 listens on a public address when that is asked for in so many words", async () => {
    const acceptor = await accepting({ endpoint: "tcp://0.0.0.0:0", allowInsecure: true });
    const channel = await dial(acceptor.endpoint.replace("0.0.0.0", "127.0.0.1"));
    opened(channel);
    expect(acceptor.endpoint).toMatch(/^tcp:\/\/0\.0\.0\.0:[1-9]/);
  });

  it("fails with a sentence on an address that this machine does not have", async () => {
    const error = await caught(accepting({ endpoint: "tcp://192.0.2.1:0", allowInsecure: true }));
    expect(error.code).toBe("FAILED_PRECONDITION");
    expect(error.message).toMatch(/does not have the address/);
  });

  it("H18 refuses connections beyond maxConnections, reports it once, and takes the next when there is room", async () => {
    const reports: RpcError[] = [];
    const acceptor = await accepting({ maxConnections: 2, onError: (error) => reports.push(error) });
    const sockets = [await bareSocket(acceptor.endpoint), await bareSocket(acceptor.endpoint)];
    for (const _ of sockets) opened(await acceptor.next());
    for (let i = 0; i < 3; i++) await readAll(await bareSocket(acceptor.endpoint));
    expect(reports.map(({ code, reason }) => [code, reason])).toEqual([["RESOURCE_EXHAUSTED", "maxConnections"]]);
    const closed = once(sockets[0] ?? process, "close");
    sockets[0]?.end().resume();
    await closed;
    opened(await dial(acceptor.endpoint));
    opened(await acceptor.next());
  });

  // Windows has no limit on file handles that a process can lower for itself.
  it.skipIf(process.platform === "win32")(
    "H18 recovers by itself when the process runs out of file handles",
    async () => {
      const script = new URL("few-handles.ts", import.meta.url).pathname;
      const child = spawn("sh", ["-c", `ulimit -n 40; exec "$0" "$1"`, process.execPath, script], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      onTestFinished(() => void child.kill());
      const [endpoint] = (await once(child.stdout, "data")) as [Buffer];
      const early = opened(await dial(text(endpoint)));
      // More than the handles that are left; how many get through differs from system to system.
      const crowd = await Promise.all(Array.from({ length: 60 }, () => dial(text(endpoint)).catch(() => undefined)));
      await turns(10);
      early.messages.length = 0;
      for (const channel of crowd) channel?.destroy();
      // Until the last of the crowd is let go, others may still be turned away with them.
      let late: Recorder;
      do {
        late = opened(await dial(text(endpoint)));
        await Promise.race([late.count(1), late.end()]);
      } while (late.messages.length === 0);
      expect(text(late.messages[0])).toBe("welcome");
      expect(early.ends).toEqual([]);
    },
  );
});

// Windows has named pipes instead, which are not served.
describe.skipIf(process.platform === "win32")("a Unix socket", () => {
  it("carries channels that are local", async () => {
    const endpoint = `unix:${folder()}/bot.sock`;
    const { dialed, accepted, acceptor } = await connected({ endpoint });
    const sink = opened(accepted);
    opened(dialed);
    dialed.send(Buffer.from("near"));
    await sink.count(1);
    expect(acceptor.endpoint).toBe(endpoint);
    expect(dialed.security).toEqual({ kind: "local" });
    expect(accepted.remote).toBe(endpoint);
  });

  it.each([
    [undefined, 0o600],
    [0o660, 0o660],
  ])("has the file mode %o, from its first moment", async (socketMode, expected) => {
    const path = `${folder()}/bot.sock`;
    const mask = process.umask();
    await accepting({ endpoint: `unix:${path}`, socketMode });
    expect(statSync(path).mode & 0o777).toBe(expected);
    expect(process.umask()).toBe(mask);
  });

  it("removes its file when it stops", async () => {
    const path = `${folder()}/bot.sock`;
    const acceptor = await accepting({ endpoint: `unix:${path}` });
    await acceptor.stop();
    expect(existsSync(path)).toBe(false);
  });

  it("takes the place of a file that a killed server has left", async () => {
    const path = `${folder()}/bot.sock`;
    const child = spawn(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`,
    ]);
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(path)).toBe(true);
    await accepting({ endpoint: `unix:${path}` });
    opened(await dial(`unix:${path}`));
  });

  it("C17 is not taken from a server that answers", async () => {
    const endpoint = `unix:${folder()}/bot.sock`;
    const first = await accepting({ endpoint });
    expect((await caught(accepting({ endpoint }))).code).toBe("ALREADY_EXISTS");
    opened(await dial(endpoint));
    opened(await first.next());
  });

  it("never removes a file that is no socket", async () => {
    const path = `${folder()}/notes.txt`;
    writeFileSync(path, "dear diary");
    const error = await caught(accepting({ endpoint: `unix:${path}` }));
    expect(error.code).toBe("ALREADY_EXISTS");
    expect(error.message).toMatch(/no socket/);
    expect(existsSync(path)).toBe(true);
  });

  it("fails with a sentence in a folder that does not exist", async () => {
    const error = await caught(accepting({ endpoint: `unix:${folder()}/missing/bot.sock` }));
    expect(error.message).toMatch(/the folder of the socket does not exist/);
  });

  it("may be dialed only by those whom its mode lets in", async () => {
    const path = `${folder()}/bot.sock`;
    await accepting({ endpoint: `unix:${path}` });
    chmodSync(path, 0);
    // The superuser may do everything, so there is nothing to see for it.
    if (process.getuid?.() === 0) return;
    expect((await caught(dial(`unix:${path}`))).code).toBe("PERMISSION_DENIED");
  });
});

describe("a foreign server on the same port", () => {
  it("is told from ours by name", async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    expect((await caught(accepting({ endpoint: `tcp://127.0.0.1:${port}` }))).code).toBe("ALREADY_EXISTS");
  });
});
