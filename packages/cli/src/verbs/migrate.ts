import type { Command } from "commander";
import { runVerb } from "../session.ts";

export function addMigrate(program: Command): void {
  program
    .command("migrate")
    .description("makes the tables, or brings them up to date")
    .action((_options: unknown, command: Command) =>
      runVerb(
        command,
        async ({ store, output }) => {
          const { applied, version } = await store.migrate();
          const done = applied.length === 0 ? "nothing to do" : `applied ${applied.join(", ")}`;
          output.line(`${store.endpoint}: version ${version}, ${done}`);
        },
        { makes: true },
      ),
    );
}
