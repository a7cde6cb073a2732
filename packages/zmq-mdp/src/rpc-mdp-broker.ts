import { CommanderError } from "commander";
import { UsageError } from "./broker/command/config.ts";
import { createProgram } from "./broker/command/program.ts";

// Nobody reads what is said: the broker goes on all the same.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

try {
  await createProgram().parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else {
    process.exitCode = thrown instanceof UsageError ? 2 : 1;
    process.stderr.write(`rpc-mdp-broker: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  }
}
