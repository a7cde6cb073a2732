// A page that reads streams beside: its size is measured.
import { createClient, defineContract, serverStream, unary } from "@rpc/core";
import { createWsTransport } from "@rpc/ws";

const { document: page } = globalThis as unknown as { document: { title: string } };
const Build = defineContract("demo.Build", { start: unary(), log: serverStream() });
const build = createClient(Build, createWsTransport("/rpc"));
for await (const line of build.log(await build.start())) page.title = String(line);
