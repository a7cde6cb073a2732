import {
  type Contract,
  defineContract,
  type MethodDefinition,
  type NoErrors,
  type StandardSchema,
  unary,
} from "@rpc/core";
import type { PoppedCommand } from "./command-words.ts";
import { anything, either, list, optional, record, text, whole, yesNo, type Shape, struct } from "./shapes.ts";
import { name, topic } from "./store-shapes.ts";

type Verb<Input, Output> = MethodDefinition<
  "unary",
  StandardSchema<Input>,
  StandardSchema<Output>,
  undefined,
  NoErrors
>;

/** A command as the old verbs give it: without a token, as they have no place for one. */
export type LegacyCommand = Pick<PoppedCommand, "id" | "method" | "args" | "kwargs">;

/** What an old agent says of an error. */
export interface LegacyError {
  readonly code?: number | string | undefined;
  /** Title of a refusal, or the text of any other error. */
  readonly message?: string | undefined;
  /** Text of a refusal. */
  readonly error?: string | undefined;
}

interface LegacyPop {
  readonly address_name: string;
  readonly agent_name: string;
  readonly agent_incarnation: string;
}

const legacyError: Shape<LegacyError> = record<LegacyError>({
  code: optional(either<number, string>(whole(), text(100))),
  message: optional(text()),
  error: optional(text()),
});

/** Model `base.command.address`; its records are addresses. */
export const LegacyAddress: Contract<{
  readonly search: Verb<{ readonly domain: readonly unknown[] }, readonly number[]>;
  readonly subscribe: Verb<{ readonly name: string; readonly incarnation?: string | undefined }, boolean>;
  readonly unsubscribe: Verb<{ readonly name: string }, boolean>;
}> = defineContract("base.command.address", {
  search: unary({
    input: record<{ readonly domain: readonly unknown[] }>({ domain: list(anything) }),
    output: list(whole()),
  }),
  subscribe: unary({
    input: record<{ readonly name: string; readonly incarnation?: string | undefined }>({
      name,
      incarnation: optional(name),
    }),
    output: yesNo,
  }),
  unsubscribe: unary({ input: record<{ readonly name: string }>({ name }), output: yesNo }),
});

/** Model `base.command.command`; its records are commands. */
export const LegacyCommandModel: Contract<{
  readonly pop_command: Verb<LegacyPop, LegacyCommand | false>;
  readonly push_result: Verb<{ readonly result?: unknown }, boolean>;
  readonly push_exception: Verb<{ readonly error: LegacyError }, boolean>;
  readonly push_failure: Verb<{ readonly error: LegacyError }, boolean>;
}> = defineContract("base.command.command", {
  pop_command: unary({
    input: record<LegacyPop>({ address_name: name, agent_name: name, agent_incarnation: name }),
    output: either<LegacyCommand, false>(
      record<LegacyCommand>({
        id: whole(),
        method: text(),
        args: list(anything, Number.POSITIVE_INFINITY),
        kwargs: struct,
      }),
      yesNo as Shape<false>,
    ),
  }),
  push_result: unary({ input: record<{ readonly result?: unknown }>({ result: anything }), output: yesNo }),
  push_exception: unary({ input: record<{ readonly error: LegacyError }>({ error: legacyError }), output: yesNo }),
  push_failure: unary({ input: record<{ readonly error: LegacyError }>({ error: legacyError }), output: yesNo }),
});

/** What was at `/subscription`, by bare names. */
export const LegacySubscription: Contract<{
  readonly wait: Verb<{ readonly expression: string }, boolean>;
  readonly publish: Verb<{ readonly expression: string }, boolean>;
}> = defineContract("subscription", {
  wait: unary({ input: record<{ readonly expression: string }>({ expression: topic }), output: yesNo }),
  publish: unary({ input: record<{ readonly expression: string }>({ expression: topic }), output: yesNo }),
});
