import { CommanderError } from "commander";
import { createProgram } from "./program.ts";

// What Node thinks of its own SQLite is nothing that the reader of a log can act on.
const printers = process.listeners("warning");
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name === "ExperimentalWarning" && warning.message.includes("SQLite")) return;
  for (const print of printers) print(warning);
});
// Nobody reads what is wrong: the exit code says it all the same.
process.stderr.on("error", () => undefined);

try {
  await createProgram().parseAsync();
} catch (thrown) {
  // Commander has said why. Its own exit code for what it cannot read is that of a failed build.
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = thrown.exitCode === 0 ? 0 : 2;
}
