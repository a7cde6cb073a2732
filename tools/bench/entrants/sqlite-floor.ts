/** What SQLite allows through node:sqlite with `synchronous = FULL`: three commits per command, in one process, one after the other. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { QueueEntrant } from "../harness/entrant.ts";
import { filesFolder } from "../harness/queue-database.ts";

export const queue: QueueEntrant = {
  callsInOneProcess: true,
  prepare: async () => {
    const file = join(filesFolder(), `${randomUUID()}.db`);
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(
      "CREATE TABLE command (id INTEGER PRIMARY KEY, args TEXT, state TEXT, token TEXT, result TEXT) STRICT",
    );
    database.close();
    return file;
  },
  openIssuer: async (file) => {
    const database = new DatabaseSync(file);
    database.exec("PRAGMA synchronous = FULL");
    const insert = database.prepare("INSERT INTO command (args, state) VALUES (?, 'queued')");
    const claim = database.prepare("UPDATE command SET state = 'claimed', token = ? WHERE id = ? RETURNING args");
    const end = database.prepare("UPDATE command SET state = 'done', result = ? WHERE id = ?");
    return {
      call: async (message) => {
        const args = JSON.stringify(message);
        const { lastInsertRowid } = insert.run(args);
        claim.get(randomUUID(), lastInsertRowid);
        end.run(args, lastInsertRowid);
        // Nothing is in flight here: each has its turn, as where many calls wait.
        await new Promise((resolve) => setImmediate(resolve));
        return message.id;
      },
    };
  },
  openAgent: async () => ({ close: async () => undefined }),
};
