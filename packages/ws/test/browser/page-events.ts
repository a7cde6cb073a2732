// A page that subscribes beside: its size is measured.
import { createClient, defineContract, event, unary } from "@rpc/core";
import { createWsTransport } from "@rpc/ws";

const { document: page } = globalThis as unknown as { document: { title: string } };
const Build = defineContract("demo.Build", { start: unary(), changed: event() });
const build = createClient(Build, createWsTransport("/rpc"));
build.changed.subscribe({}, (change) => {
  page.title = String(change);
});
await build.start();
