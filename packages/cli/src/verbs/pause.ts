import type { Command } from "commander";
import { runVerb } from "../session.ts";
import { plain } from "../text/plain.ts";

export function addPause(program: Command): void {
  program
    .command("pause")
    .description("lets no command of an address start any more; those that run go on")
    .argument("<address>")
    .action((address: string, _options: unknown, command: Command) =>
      runVerb(command, async ({ queue, output }) => {
        await queue.pause(address);
        output.line(`${plain(address)} is paused`);
      }),
    );
}

export function addResume(program: Command): void {
  program
    .command("resume")
    .description("ends the pause of an address")
    .argument("<address>")
    .action((address: string, _options: unknown, command: Command) =>
      runVerb(command, async ({ queue, output }) => {
        await queue.resume(address);
        output.line(`${plain(address)} goes on`);
      }),
    );
}
