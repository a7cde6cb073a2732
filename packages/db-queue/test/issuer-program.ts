import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";

/** An issuer in a process of its own. `node issuer-program.ts <file> <address>`; makes one call, and closes nothing. */
const [file = "", address = ""] = process.argv.slice(2);
const queue = createDbQueue(createSqliteStore({ file }));
process.stdout.write(String(await queue.send(address, "hello")));
