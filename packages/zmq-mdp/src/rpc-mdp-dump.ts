import { CommanderError } from "commander";
import { createDumpProgram } from "./pubsub/command/program.ts";

// Nobody reads what is said: that ends nothing.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

try {
  await createDumpProgram().parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else {
    process.exitCode = 1;
    process.stderr.write(`rpc-mdp-dump: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  }
}
