import { type Command, Option } from "commander";
import { type Role, ROLES } from "../../contracts/values.ts";
import { withConnection } from "../connection.ts";
import { wholeFrom } from "../numbers.ts";
import { EXIT } from "../problems.ts";
import { runVerb } from "../verb.ts";

export function addAdd(program: Command): void {
  withConnection(program.command("add-bot"))
    .description("lets a bot in, and prints its token, this once (needs an admin's token)")
    .argument("<name>")
    .option("--max-builds <number>", "at the same time", wholeFrom(1), 2)
    .action((name: string, { maxBuilds }: { maxBuilds: number }, command: Command) =>
      runVerb(command, async ({ bots, output }) => {
        output.line((await bots.create({ name, maxBuilds })).token);
        return EXIT.done;
      }),
    );
  withConnection(program.command("add-user"))
    .description("lets a person or a script in, and prints the token, this once (needs an admin's token)")
    .argument("<name>")
    .addOption(new Option("--role <role>", "what it may do").choices(ROLES).default("developer"))
    .action((name: string, { role }: { role: Role }, command: Command) =>
      runVerb(command, async ({ users, output }) => {
        output.line((await users.create({ name, role })).token);
        return EXIT.done;
      }),
    );
}
