import {
  type Contract,
  defineContract,
  type MethodDefinition,
  type NoErrors,
  type StandardSchema,
  unary,
} from "@rpc/core";
import type { CommandFilter } from "../store/store-words.ts";
import type * as Words from "./command-words.ts";
import {
  anything,
  either,
  list,
  milliseconds,
  nullable,
  optional,
  oneOf,
  record,
  loose,
  struct,
  text,
  whole,
  yesNo,
} from "./shapes.ts";
import { batch, commandFilter, leaseMs, name, state, topic } from "./store-shapes.ts";

type Verb<Input, Output> = MethodDefinition<
  "unary",
  StandardSchema<Input>,
  StandardSchema<Output>,
  undefined,
  NoErrors
>;

/**
 * The queue's verbs for who has no login to its database: an agent subscribes, pops, extends, pushes the outcome, and waits to be woken; an
 * issuer sends, and asks for state and result. Everybody is called, nobody calls: each verb is an ordinary call over whatever transport there
 * is. A program of ten lines in another language is enough of a client; between two programs of this package take `createRemoteStore`.
 */
export const CommandService: Contract<{
  readonly findAddress: Verb<Words.AddressName, Words.AddressFound | null>;
  readonly subscribe: Verb<Words.SubscribeInput, Words.SubscribeOutput>;
  readonly unsubscribe: Verb<Words.AgentName, boolean>;
  readonly keepAlive: Verb<Words.AgentName, boolean>;
  readonly pop: Verb<Words.PopInput, readonly Words.PoppedCommand[]>;
  readonly extend: Verb<Words.ExtendInput, Words.ExtendOutput>;
  readonly pushResult: Verb<Words.ResultInput, Words.SettledOutput>;
  readonly pushException: Verb<Words.ExceptionInput, Words.SettledOutput>;
  readonly pushFailure: Verb<Words.FailureInput, Words.SettledOutput>;
  readonly pushCancelled: Verb<Words.CancelledInput, Words.SettledOutput>;
  readonly pushEvents: Verb<Words.EventsInput, Words.EventsOutput>;
  readonly release: Verb<Words.ClaimName, Words.SettledOutput>;
  readonly wait: Verb<Words.WaitInput, Words.WaitOutput>;
  readonly publish: Verb<Words.TopicName, boolean>;
  readonly send: Verb<Words.SendInput, Words.SendOutput>;
  readonly state: Verb<Words.CommandId, Words.CommandWords>;
  readonly result: Verb<Words.AwaitInput, Words.OutcomeWords>;
  readonly cancel: Verb<Words.CancelInput, Words.CancelOutput>;
  readonly list: Verb<CommandFilter, readonly Words.CommandWords[]>;
}> = defineContract("rpc.queue.v1.CommandService", commandVerbs());

// A function: what it gives is checked against the type above, and what each verb is stands in one place.
// oxlint-disable-next-line typescript/explicit-function-return-type -- it is the type above
function commandVerbs() {
  const agent = { address: name, agent: name, incarnation: name };
  const claim = { id: whole(1), token: text(100) };
  const command = loose<Words.CommandWords>({
    id: whole(),
    address: text(),
    method: text(),
    state,
    attempts: whole(),
    maxAttempts: whole(),
    agent: optional(text()),
    createdAt: milliseconds(),
    claimedAt: optional(milliseconds()),
    finishedAt: optional(milliseconds()),
    createdBy: optional(text()),
    progress: anything,
  });
  const settled = loose<Words.SettledOutput>({ state, delayMs: optional(milliseconds()) });
  const words = record<Words.ErrorWords>({
    message: optional(text()),
    title: optional(text()),
    text: optional(text()),
    code: optional(whole()),
    type: optional(text(200)),
    reason: optional(text(200)),
    details: anything,
    retryable: optional(yesNo),
    retryDelayMs: optional(milliseconds()),
  });
  const span = optional(either<number, string>(milliseconds(), text(50)));
  const options = record<Words.SendWords>({
    expires: span,
    delay: span,
    priority: optional(whole()),
    orderingKey: optional(name),
    idempotencyKey: optional(name),
    targetAgent: optional(name),
    maxAttempts: optional(whole()),
    failFast: optional(yesNo),
    broadcast: optional(yesNo),
    notification: optional(yesNo),
  });
  const waitMs = optional(milliseconds());
  return {
    findAddress: unary({
      input: record<Words.AddressName>({ address: name }),
      output: nullable(loose<Words.AddressFound>({ id: whole(), name: text(), paused: yesNo })),
      idempotent: true,
      doc: "The address of this name, or nothing",
    }),
    subscribe: unary({
      input: record<Words.SubscribeInput>({
        ...agent,
        methods: optional(list(text(200))),
        concurrency: optional(whole(1)),
      }),
      output: loose<Words.SubscribeOutput>({
        leaseMs: milliseconds(),
        serverAt: milliseconds(),
        replaced: optional(text()),
      }),
      idempotent: true,
      doc: "Before the first pop. Another incarnation of the same agent is fenced from now on",
    }),
    unsubscribe: unary({
      input: record<Words.AgentName>(agent),
      output: yesNo,
      idempotent: true,
      doc: "Whether it was subscribed",
    }),
    keepAlive: unary({
      input: record<Words.AgentName>(agent),
      output: yesNo,
      idempotent: true,
      doc: "A sign of life, at least every 45 s. ABORTED, FENCED: another incarnation has come; stop",
    }),
    pop: unary({
      input: record<Words.PopInput>({ ...agent, max: optional(whole(1, 1000)), leaseMs: optional(leaseMs) }),
      output: list(
        loose<Words.PoppedCommand>({
          id: whole(),
          token: text(),
          method: text(),
          args: list(anything, Number.POSITIVE_INFINITY),
          kwargs: struct,
          meta: struct,
          attempt: whole(),
          maxAttempts: whole(),
          deadlineMs: optional(milliseconds()),
          notification: yesNo,
        }),
      ),
      doc: "Commands for this agent, theirs under a lease; an empty list when there are none",
    }),
    extend: unary({
      input: record<Words.ExtendInput>({ ...claim, leaseMs: optional(leaseMs) }),
      output: loose<Words.ExtendOutput>({ leaseMs: milliseconds(), cancel: optional(text()) }),
      idempotent: true,
      doc: "Prolongs the lease, and says whether somebody wants the command to end. UNAVAILABLE, LEASE_LOST: it is somebody else's",
    }),
    pushResult: unary({
      input: record<Words.ResultInput>({ ...claim, result: anything }),
      output: settled,
      doc: "It is done",
    }),
    pushException: unary({
      input: record<Words.ExceptionInput>({ ...claim, error: either<string, Words.ErrorWords>(text(), words) }),
      output: settled,
      doc: "It ran and failed: a text, or {message, type, retryable}, or a refusal {title, text, code}",
    }),
    pushFailure: unary({
      input: record<Words.FailureInput>({
        ...claim,
        message: text(),
        code: optional(oneOf("METHOD_NOT_FOUND", "INVALID_ARGS")),
      }),
      output: settled,
      doc: "It could not be started: no such method, or other arguments",
    }),
    pushCancelled: unary({
      input: record<Words.CancelledInput>({ ...claim, message: optional(text()) }),
      output: settled,
      doc: "It has stopped, because it was asked to",
    }),
    pushEvents: unary({
      input: record<Words.EventsInput>({
        ...claim,
        events: list(record<Words.EventWords>({ kind: name, data: anything })),
        batch: optional(batch),
      }),
      output: loose<Words.EventsOutput>({ seq: whole() }),
      doc: "Progress and log lines",
    }),
    release: unary({
      input: record<Words.ClaimName>(claim),
      output: settled,
      doc: "It was not started: somebody else may have it",
    }),
    wait: unary({
      input: record<Words.WaitInput>({ topic, since: optional(text(100)), timeoutMs: waitMs }),
      output: loose<Words.WaitOutput>({ seq: text(), fired: yesNo }),
      idempotent: true,
      doc: "Answers when the topic is woken: `command on: <address>`, `result of: <id>`, `cancel of: <id>`, `events of: <id>`, or one of the application",
    }),
    publish: unary({
      input: record<Words.TopicName>({ topic }),
      output: yesNo,
      idempotent: true,
      doc: "Wakes all who wait for the topic",
    }),
    send: unary({
      input: record<Words.SendInput>({
        address: name,
        method: name,
        args: optional(list(anything, Number.POSITIVE_INFINITY)),
        kwargs: optional(struct),
        options: optional(options),
      }),
      output: loose<Words.SendOutput>({ id: whole(), state, existing: yesNo }),
      doc: "A command for whoever is, or will be, the agent of the address",
    }),
    state: unary({
      input: record<Words.CommandId>({ id: whole(1) }),
      output: command,
      idempotent: true,
      doc: "What a command is now",
    }),
    result: unary({
      input: record<Words.AwaitInput>({ id: whole(1), timeoutMs: waitMs }),
      output: loose<Words.OutcomeWords>({ id: whole(), state, result: anything, error: optional(struct) }),
      idempotent: true,
      doc: "Waits for a command's end; when the time is over, its state says that it has not come",
    }),
    cancel: unary({
      input: record<Words.CancelInput>({ id: whole(1), reason: optional(text(1000)) }),
      output: loose<Words.CancelOutput>({ state }),
      idempotent: true,
      doc: "Ends a command that waits, and asks one that runs to end",
    }),
    list: unary({
      input: commandFilter,
      output: list(command),
      idempotent: true,
      doc: "Newest first",
    }),
  };
}
