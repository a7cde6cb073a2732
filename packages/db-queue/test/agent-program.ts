import { dynamicRouter, type HandlerContext } from "@rpc/core";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";

/**
 * An agent in a process of its own. `node agent-program.ts <file> <address> <incarnation>`; says on its output what happens, a line each,
 * and ends with its input.
 */
const [file = "", address = "", incarnation = ""] = process.argv.slice(2);
const store = createSqliteStore({ file });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const router = dynamicRouter();
/** Never ends on the first try: the test kills it there. */
const build = async (context: HandlerContext): Promise<string> => {
  context.log(`begun by ${incarnation}`);
  say(`running ${context.attempt}`);
  if (context.attempt === 1) await new Promise(() => undefined);
  return incarnation;
};
router.register({ build }.build, { passContext: true });

const agent = await serveDbQueue(router, { store, address, name: "bot", incarnation, leaseMs: 30_000 });
say("ready");
process.stdin.resume();
process.stdin.on("end", () => {
  void agent
    .close()
    .then(() => store.close())
    .then(() => process.exit(0));
});
void agent.closed.then((error) => say(`closed ${error?.reason ?? ""}`));
