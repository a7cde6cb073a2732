import { randomBytes } from "node:crypto";
import { parse } from "node:path";
import { type Awaitable, type Clock, RpcError, systemClock, type Transport } from "@rpc/core";
import { DEFAULT_LIMITS } from "@rpc/core/transport";
import { createRemoteStore } from "../remote/create-remote-store.ts";
import { durationFault, textFault } from "../store/checked-command.ts";
import type { AgentRef } from "../store/store-words.ts";
import type { QueueStore } from "../store/store.ts";
import { checkedKeepEvents, type KeepEvents } from "../issuer/options.ts";
import type { ReaperOptions } from "../issuer/reaper.ts";

export interface DbQueueAgentOptions {
  /** Where the commands are: a queue, its store, or the service that stands before it. One of the three. */
  readonly queue?: { readonly store: QueueStore } | undefined;
  readonly store?: QueueStore | undefined;
  /** For an agent without a login to the database: where a `createCommandService` is served. Closed with the agent; to keep it open, pass `store: createRemoteStore(transport)`. */
  readonly service?: Transport | undefined;
  /** The mailbox whose commands it runs. */
  readonly address: string;
  /** Who it is, also after a restart. Of two with the same name the later one fences the earlier one. Default: the program's name, without extension, which replicas have in common: give each its own. */
  readonly name?: string | undefined;
  /** Tells a restarted agent from the one before. Default: `<name>-<pid>-<random>`. */
  readonly incarnation?: string | undefined;
  /** Commands at once. Default: 1, strictly one after the other. */
  readonly concurrency?: number | undefined;
  /** Commands that wait here while `concurrency` others run: saves a round trip for each, at the cost of fairness between agents. Default: 0. */
  readonly prefetch?: number | undefined;
  /** How long a command is this agent's without a sign of life; renewed after each third of it. From 100 to a day. Default: 30,000. */
  readonly leaseMs?: number | undefined;
  /** How often it looks without having been woken, a quarter more or less. From 10 to a day. Default: 20,000. */
  readonly pollMs?: number | undefined;
  /** What a cancelled command's handler, or one whose deadline has passed, may still take to end by itself; then its row is ended without it. Default: 30,000. */
  readonly abortGraceMs?: number | undefined;
  /** Largest result, in bytes of its text; a larger one fails the command. What has more than 1 MiB stands in the command's events, in parts. Default: 4 MiB. */
  readonly maxResultBytes?: number | undefined;
  /** `"all"`: writes what handlers say also where the issuer has said that nobody listens. Not of notifications, whose rows go. Default: `"observed"`. */
  readonly keepEvents?: KeepEvents | undefined;
  /** Called after subscribing and before the first command. When it throws, the agent ends and `serveDbQueue` rejects. */
  readonly onStartup?: (() => Awaitable<void>) | undefined;
  /** `true`: ends when there is nothing left that could start now. `"one"`: ends after one command, or when there is none. Default: false. */
  readonly singleShot?: boolean | "one" | undefined;
  /** Waits for an address that does not exist, instead of ending NO_ADDRESS. Default: false. */
  readonly waitForAddress?: boolean | undefined;
  /** Ends the agent, also while it starts; running commands have `drainMs` then. */
  readonly signal?: AbortSignal | undefined;
  /** For ends that nobody has called `close` for. Default: 0. */
  readonly drainMs?: number | undefined;
  /** Ends what has expired, and takes back what other agents have lost: one for each store of a process. Default: on. */
  readonly reaper?: ReaperOptions | false | undefined;
  /** What nobody else hears of: a database that is away, refused late answers, failed notifications. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** For timers and deadlines. Default: the process's. */
  readonly clock?: Clock | undefined;
  /** From 0 to below 1, spreads pauses. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Whether errors in rows carry the handler's stack. Default: false. */
  readonly exposeStacks?: boolean | undefined;
}

export interface AgentSettings {
  readonly store: QueueStore;
  readonly ref: AgentRef;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly abortGraceMs: number;
  readonly maxResultBytes: number;
  readonly keepEvents: KeepEvents;
  readonly onStartup: (() => Awaitable<void>) | undefined;
  readonly singleShot: boolean | "one";
  readonly waitForAddress: boolean;
  readonly drainMs: number;
  readonly reaper: ReaperOptions | false;
  readonly onError: (error: RpcError) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly exposeStacks: boolean;
}

/** Throws INVALID_ARGUMENT. */
export function agentSettings(options: DbQueueAgentOptions): AgentSettings {
  const store = options.store ?? options.queue?.store ?? remoteStore(options);
  if (store === undefined) throw refused("give the agent a queue, a store or a service");
  const agent = options.name ?? programName();
  const incarnation = options.incarnation ?? `${agent}-${process.pid}-${randomBytes(4).toString("hex")}`;
  for (const [what, text] of [
    ["address", options.address],
    ["name", agent],
    ["incarnation", incarnation],
  ] as const) {
    const fault = textFault(what, text);
    if (fault !== undefined) throw fault;
  }
  const { onError, singleShot = false } = options;
  return {
    store,
    ref: { address: options.address, agent, incarnation },
    concurrency: whole("concurrency", options.concurrency ?? 1, 1),
    prefetch: whole("prefetch", options.prefetch ?? 0, 0),
    leaseMs: duration("leaseMs", options.leaseMs ?? 30_000, 100, LONGEST_MS),
    pollMs: duration("pollMs", options.pollMs ?? 20_000, 10, LONGEST_MS),
    abortGraceMs: duration("abortGraceMs", options.abortGraceMs ?? 30_000, 0),
    maxResultBytes: whole("maxResultBytes", options.maxResultBytes ?? DEFAULT_LIMITS.maxMessageBytes, 0),
    keepEvents: checkedKeepEvents(options.keepEvents ?? "observed"),
    onStartup: options.onStartup,
    singleShot: checkedSingleShot(singleShot),
    waitForAddress: options.waitForAddress ?? false,
    drainMs: duration("drainMs", options.drainMs ?? 0, 0),
    reaper: options.reaper ?? {},
    onError: onError === undefined ? () => undefined : guarded(onError),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    exposeStacks: options.exposeStacks ?? false,
  };
}

function remoteStore({ service, clock, random, onError }: DbQueueAgentOptions): QueueStore | undefined {
  return service && createRemoteStore(service, { clock, random, onError, closeTransport: true });
}

function programName(): string {
  const { name } = parse(process.argv[1] ?? "");
  return name === "" ? "agent" : name.slice(0, 100);
}

/** A report that fails is nobody's, least of all the agent's. */
function guarded(onError: (error: RpcError) => void): (error: RpcError) => void {
  return (error) => {
    try {
      onError(error);
    } catch {
      // See above.
    }
  };
}

function whole(option: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw refused(`${option} must be a whole number of at least ${least}, got ${String(value)}`);
}

function duration(option: string, ms: number, least: number, most = Number.POSITIVE_INFINITY): number {
  const fault = durationFault(option, ms);
  if (fault !== undefined) throw fault;
  if (ms >= least && ms <= most) return ms;
  throw refused(
    `${option} must be at least ${least}${most === LONGEST_MS ? ` and at most ${most}` : ""} ms, got ${ms}`,
  );
}

/** A day: a timer of more than 24 days fires at once, and what shows life less often is dead. */
const LONGEST_MS = 86_400_000;

function checkedSingleShot(value: boolean | "one"): boolean | "one" {
  if (typeof value === "boolean" || value === "one") return value;
  throw refused(`singleShot must be true, false or "one", got ${JSON.stringify(value)}`);
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}
