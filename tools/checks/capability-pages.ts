// Writes the generated parts of the manual: what each transport can do, and what the suites ask. `node tools/checks/capability-pages.ts`
// writes them; the tests of this folder prove that the pages are as it would write them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createMemoryTransport, createRouter, defineContract, unary } from "@rpc/core";
import { createDbQueue, createDbQueueTransport, createSqliteStore } from "@rpc/db-queue";
import { createTcpTransport } from "@rpc/tcp";
import { capabilityMatrix, requirementTable, withGenerated } from "@rpc/testkit";
import { createWsTransport } from "@rpc/ws";
import { createXmlRpcTransport } from "@rpc/xmlrpc";
import { createMdpTransport } from "@rpc/zmq-mdp";

const ROOT = join(import.meta.dirname, "..", "..");

/** Pages by path, as they stand and as they should stand. */
export function capabilityPages(): { readonly path: string; readonly now: string; readonly wanted: string }[] {
  const Any = defineContract("checks.Any", { run: unary() });
  const columns = [
    { name: "memory", capabilities: createMemoryTransport(createRouter(Any, { run: (input) => input })).capabilities },
    // With what it can do only when it is told to.
    { name: "tcp", capabilities: createTcpTransport("tcp://127.0.0.1:1", { compression: true }).capabilities },
    { name: "ws", capabilities: createWsTransport("ws://127.0.0.1:1", { compression: true }).capabilities },
    { name: "xmlrpc", capabilities: createXmlRpcTransport("http://127.0.0.1:1/RPC2", { gzip: true }).capabilities },
    { name: "zmq-mdp", capabilities: createMdpTransport("tcp://127.0.0.1:1", { dialect: "mdp02" }).capabilities },
    {
      name: "db-queue",
      capabilities: createDbQueueTransport(createDbQueue(createSqliteStore({ file: ":memory:" })), "any").capabilities,
    },
  ];
  return ["README.md", "docs/transports.md", "docs/contribute-a-transport.md"].map((name) => {
    const path = join(ROOT, name);
    const now = readFileSync(path, "utf8");
    const withMatrix = withGenerated(now, "capabilities", capabilityMatrix(columns));
    return { path, now, wanted: withGenerated(withMatrix, "requirements", requirementTable()) };
  });
}

if (import.meta.main) {
  for (const { path, now, wanted } of capabilityPages()) if (now !== wanted) writeFileSync(path, wanted);
}
