import { dynamicCodec } from "@rpc/core/transport";
import type { SendOptions } from "@rpc/db-queue";
import { type Command, InvalidArgumentError } from "commander";
import { runVerb, type Session } from "../session.ts";
import { isRecord } from "../text/command.ts";
import { plainJson } from "../text/plain.ts";
import { span, wholeNumber } from "./arguments.ts";

interface OwnOptions extends Pick<SendOptions, "expires" | "delay" | "priority" | "maxAttempts" | "failFast"> {
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly orderingKey?: string;
  readonly idempotencyKey?: string;
  readonly agent?: string;
  readonly ensureAddress?: boolean;
  readonly wait?: boolean;
}

export function addSend(program: Command): void {
  program
    .command("send")
    .description("sends a command, and prints its id; with --wait its result")
    .argument("<address>")
    .argument("<method>")
    .argument("[json...]", "arguments by position, each a JSON value: '\"main\"' 3 '[1, 2]'", jsonValues)
    .option("--kwargs <json>", "arguments by name, a JSON object", jsonRecord)
    .option("--expires <time>", "it starts no later, such as 10s, 2m, 1h", span)
    .option("--delay <time>", "it starts no sooner", span)
    .option("--priority <number>", "higher first", wholeNumber(-32_768, 32_767))
    .option("--max-attempts <count>", "tries, the first one included (default: 1)", wholeNumber(1, 32_767))
    .option("--ordering-key <key>", "commands of one key run one at a time")
    .option("--idempotency-key <key>", "a second command with this key is the first one")
    .option("--agent <name>", "only this agent gets it")
    .option("--fail-fast", "refused when no live agent is known")
    .option("--ensure-address", "makes the address when it is not there")
    .option("--wait", "waits for the outcome: prints the result as JSON, or fails as the command does")
    .action(
      (address: string, method: string, args: readonly unknown[] | undefined, options: OwnOptions, command: Command) =>
        runVerb(command, (session) => send(session, address, method, args ?? [], options), {
          reaps: options.wait === true,
        }),
    );
}

async function send(
  session: Session,
  address: string,
  method: string,
  args: readonly unknown[],
  { kwargs = {}, agent, ensureAddress, wait, ...options }: OwnOptions,
): Promise<void> {
  const { queue, output } = session;
  if (ensureAddress === true) await queue.ensureAddress(address);
  const handle = queue.send(address, method, args, kwargs, { ...options, targetAgent: agent });
  const id = await handle.accepted;
  if (wait !== true) return output.line(String(id));
  const stopped = session.stopped();
  const left = new Promise<never>((_, reject) => {
    const leave = (): void => reject(new Error(`stopped waiting: command ${id} goes on, see rpc-queue show ${id}`));
    if (stopped.aborted) leave();
    stopped.addEventListener("abort", leave);
  });
  const result = await Promise.race([handle, left]);
  output.line(plainJson(dynamicCodec.stringify(result) || "null"));
}

function jsonValues(text: string, before: readonly unknown[] = []): unknown[] {
  return [...before, jsonValue(text)];
}

function jsonRecord(text: string): Readonly<Record<string, unknown>> {
  const value = jsonValue(text);
  if (!isRecord(value)) throw new InvalidArgumentError("It is a JSON object, such as '{\"depth\": 1}'.");
  return value;
}

/** Tagged JSON, as it stands in the table: dates, big numbers and bytes have their tags. */
function jsonValue(text: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError(`It is a JSON value; a text needs quotes of its own, as in '"main"'.`);
  }
  try {
    return dynamicCodec.revive(json);
  } catch (thrown) {
    throw new InvalidArgumentError(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
