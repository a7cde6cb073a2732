import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type FarProcess, processSuite } from "@rpc/testkit";
import { afterAll, describe, it } from "vitest";
import { createTcpTransport } from "../src/index.ts";
import { removeFolders, tcp, unix } from "./conformance-wire.ts";

const SERVER = fileURLToPath(new URL("conformance-server.ts", import.meta.url));

afterAll(removeFolders);

for (const [name, kind] of Object.entries({ tcp, unix })) {
  processSuite({
    describe,
    it,
    name: `${name} between two processes`,
    nearName: `process ${process.pid}`,
    start: async () => startServer(await kind.endpoint()),
  });
}

async function startServer(listenAt: string): Promise<FarProcess> {
  const child = spawn(process.execPath, [SERVER, listenAt], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([
    once(lines, "line"),
    exited.then(() => Promise.reject(new Error("the far process ended before it listened"))),
  ])) as [string];
  lines.close();
  const { name: farName, endpoint } = JSON.parse(line) as { readonly name: string; readonly endpoint: string };
  return {
    name: farName,
    connect: (options) => createTcpTransport(endpoint, options),
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    freeze: async () => void child.kill("SIGSTOP"),
  };
}
