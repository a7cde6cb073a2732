import { type Handler, RpcError } from "@rpc/core";
import { DeadlineSweep } from "@rpc/core/transport";
import { shortName } from "../command/method.ts";
import { reaperOf } from "../issuer/reaper.ts";
import { CANCELLED_CLAIMED_ERROR, CANCELLED_QUEUED_ERROR, noAddressError } from "../store/store-errors.ts";
import type { Claim } from "../store/store-words.ts";
import { cancelTopic, type ClaimOffer, commandTopic, type WakeListener } from "../store/store.ts";
import {
  cancelledError,
  closedError,
  closingError,
  deadlineError,
  leaseOverError,
  startupError,
  unstoredError,
} from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import { ClaimLoop, type ClaimOwner } from "./claim-loop.ts";
import { CommandRunner, type RunnerOwner } from "./command-runner.ts";
import { Enrolment } from "./enrolment.ts";
import { HeldCommand, type HeldOptions, type Verdict } from "./held-command.ts";
import { LeaseKeeper, type LeaseOwner } from "./lease-keeper.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { answeredWithin, Countdown, settlesWithin, turn } from "./pauses.ts";

/** Handlers that are started before everybody else has a turn. */
const STARTS_PER_TURN = 256;
/** Lapsed leases are looked for four times in the time of one, within these bounds. */
const REAP_EVERY_MS = 7500;
const LEAST_REAP_MS = 500;
/** Names that a subscription lists. */
const MAX_METHODS = 1000;
const CANCELS = cancelTopic(0).slice(0, -1);

/** `searching`: its address was removed, and may come back. */
type Phase = "starting" | "open" | "searching" | "ending";

/** One agent: enrolls, starts up, claims, runs, answers, until it ends. The parts know nothing of each other; this is what they tell. */
export class Agent implements WakeListener, ClaimOwner, LeaseOwner, OutboxOwner, RunnerOwner {
  readonly settings: AgentSettings;
  readonly endpoint: string;
  /** Settles with what ended it; undefined: it was closed, or has done its single shot. */
  readonly closed: Promise<RpcError | undefined>;
  readonly #handler: Handler;
  readonly #enrolment: Enrolment;
  readonly #claims: ClaimLoop;
  readonly #runner: CommandRunner;
  readonly #outbox: Outbox;
  readonly #leases: LeaseKeeper;
  readonly #deadlines: DeadlineSweep;
  readonly #heldOptions: Omit<HeldOptions, "sentAt">;
  readonly #commandTopic: string;
  readonly #drain: Countdown;
  /** By token: the same command may come again while its lost handler still runs. */
  readonly #held = new Map<string, HeldCommand>();
  readonly #waiting: HeldCommand[] = [];
  #phase: Phase = "starting";
  #resolveClosed: (error: RpcError | undefined) => void = () => undefined;
  #isScheduled = false;
  #isFilling = false;
  #hasTaken = false;
  /** Told by claims or by signs of life, whichever came first. */
  #isExpelled = false;
  #entering: Promise<unknown> | undefined = undefined;
  #stopReaping: (() => Promise<void>) | undefined = undefined;
  #ending: Promise<void> | undefined = undefined;

  constructor(handler: Handler, settings: AgentSettings) {
    this.settings = settings;
    const { store, ref, clock, leaseMs } = settings;
    this.endpoint = `${store.endpoint}/${ref.address}`;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#handler = handler;
    this.#enrolment = new Enrolment(settings, this, () => methodNames(handler));
    this.#claims = new ClaimLoop(settings, this);
    this.#runner = new CommandRunner(handler, settings, this);
    this.#outbox = new Outbox(settings, this);
    this.#leases = new LeaseKeeper(settings, this);
    this.#deadlines = new DeadlineSweep(clock, () => this.#held.values());
    this.#commandTopic = commandTopic(ref.address);
    this.#drain = new Countdown(clock);
    this.#heldOptions = {
      endpoint: this.endpoint,
      leaseMs,
      keepEvents: settings.keepEvents,
      eventful: (command) => this.#outbox.eventful(command),
      expired: (command) => this.#runner.interrupt(command, "deadline", deadlineError(command.claim)),
    };
  }

  get held(): Iterable<HeldCommand> {
    return this.#held.values();
  }
  get runningCount(): number {
    return this.#runner.running;
  }
  get waitingCount(): number {
    return this.#waiting.length;
  }
  get unansweredCount(): number {
    return this.#outbox.size;
  }

  /** Settles when commands may come. Rejects with what ended it before. */
  async start(): Promise<void> {
    const { onStartup, ref } = this.settings;
    try {
      const entering = this.#enrolment.enter();
      this.#entering = entering;
      const hasReplaced = await entering;
      this.#leases.start();
      this.#startReaping(hasReplaced);
      if (onStartup !== undefined && this.#phase === "starting") await calledAtStartup(onStartup, ref);
    } catch (thrown) {
      const error = RpcError.from(thrown);
      await this.end(error);
      throw (await this.closed) ?? error;
    }
    if (this.#phase !== "starting") {
      await this.#ending;
      throw (await this.closed) ?? closedError(ref);
    }
    this.#open();
  }

  /** Idempotent; never rejects. A later call can only shorten the time that running commands have. */
  end(error: RpcError | undefined, drainMs: number = this.settings.drainMs): Promise<void> {
    this.#drain.within(drainMs);
    this.#ending ??= this.#end(error);
    return this.#ending;
  }

  // ---- wake-ups

  wake(topic: string): void {
    if (topic === this.#commandTopic) this.#wakeUp();
    else if (topic.startsWith(CANCELS)) this.#leases.cancelPushed(Number(topic.slice(CANCELS.length)));
  }

  claimOn(topic: string): ClaimOffer | undefined {
    return topic === this.#commandTopic ? this.#claims.offer() : undefined;
  }

  wakeAll(): void {
    this.#wakeUp();
    this.#leases.anyPushed();
  }

  #wakeUp(): void {
    this.#enrolment.wake();
    this.#claims.due();
    this.#outbox.hurry();
  }

  // ---- what claims tell

  free(): number {
    const { concurrency, prefetch, singleShot } = this.settings;
    if (singleShot === "one") return this.#hasTaken ? 0 : 1;
    const capacity = concurrency + prefetch;
    // One round of answers may be on its way while the next one runs, not two.
    if (this.#outbox.size > capacity) return 0;
    return capacity - this.#runner.running - this.#waiting.length;
  }

  tokens(): readonly string[] {
    return [...this.#held.keys(), ...this.#outbox.givenUp.tokens];
  }

  take(claims: readonly Claim[], sentAt: number): void {
    this.#hasTaken = true;
    const options = { ...this.#heldOptions, sentAt };
    for (const claim of claims) {
      const command = new HeldCommand(this.#handler, claim, options);
      this.#held.set(claim.token, command);
      if (this.#phase === "open") this.#waiting.push(command);
      else this.answered(command, { outcome: "released" });
    }
    this.#leases.watch();
    // The database answers.
    this.#outbox.hurry();
    this.#fill();
  }

  foundNothing(): void {
    const { singleShot } = this.settings;
    if (singleShot !== false && this.#held.size === 0 && this.#runner.running === 0) void this.end(undefined);
  }

  refused(error: RpcError): void {
    void this.#expelled(error);
  }

  // ---- what leases tell

  lost(command: HeldCommand, error: RpcError): void {
    if (command.state === "waiting") this.#unqueue(command);
    this.over(command);
    this.#runner.interrupt(command, "lease", leaseOverError(command.claim, error));
  }

  overdue(command: HeldCommand): void {
    if (command.state === "waiting") return this.answered(command, { outcome: "released" });
    this.#runner.interrupt(command, "lease", leaseOverError(command.claim, undefined));
  }

  cancelRequested(command: HeldCommand, why: string): void {
    if (command.state === "waiting") {
      const error = command.attempt === 1 ? CANCELLED_QUEUED_ERROR : CANCELLED_CLAIMED_ERROR;
      this.answered(command, { outcome: "cancelled", error });
    } else if (command.state === "running") {
      this.#runner.interrupt(command, "cancel", cancelledError(command.claim, why));
    }
  }

  fenced(error: RpcError): void {
    void this.#expelled(error);
  }

  // ---- what handlers and answers tell

  /** The next turn: what comes until then goes along. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#fill();
      this.#outbox.flush();
      this.#claims.run();
    });
  }

  answered(command: HeldCommand, verdict: Verdict): void {
    if (command.state === "waiting") this.#unqueue(command);
    command.state = "answered";
    command.verdict = verdict;
    this.#outbox.answer(command);
  }

  freed(): void {
    if (this.#runner.running === 0 && this.#phase === "ending") this.#drain.finish();
    this.schedule();
  }

  over(command: HeldCommand): void {
    command.state = "over";
    this.#held.delete(command.claim.token);
    this.#outbox.forget(command);
    // A single shot ends when there is nothing more: it has to look.
    if (this.#held.size === 0) this.#lastIsOver();
    this.schedule();
  }

  #lastIsOver(): void {
    if (this.settings.singleShot === true) this.#claims.due();
    else if (this.settings.singleShot === "one") void this.end(undefined);
  }

  #open(): void {
    this.#phase = "open";
    this.#claims.open();
  }

  #fill(): void {
    // A handler that returns at once comes back here before its start has ended.
    if (this.#isFilling || this.#phase === "ending") return;
    this.#isFilling = true;
    for (let count = 0; this.#runner.running < this.settings.concurrency; count++) {
      const command = this.#waiting[0];
      if (command === undefined) break;
      if (count === STARTS_PER_TURN) {
        this.schedule();
        break;
      }
      this.#waiting.shift();
      this.#start(command);
    }
    this.#isFilling = false;
  }

  #start(command: HeldCommand): void {
    this.#runner.start(command);
    const { deadline } = command;
    if (deadline !== undefined && command.isRunning) this.#deadlines.watch(deadline);
  }

  #startReaping(hasReplaced: boolean): void {
    const { reaper: given, store, clock, random, leaseMs, onError } = this.settings;
    if (given === false) return;
    const everyMs = Math.min(REAP_EVERY_MS, Math.max(leaseMs / 4, LEAST_REAP_MS));
    const reaper = reaperOf(store, { everyMs, ...given, clock, random });
    this.#stopReaping = reaper.start({
      reaped: () => undefined,
      failed: (error) => onError(unstoredError("the queue could not be tidied up", error)),
    });
    // What the one before has left behind is this one's to take up.
    if (hasReplaced) reaper.now();
  }

  #unqueue(command: HeldCommand): void {
    const index = this.#waiting.indexOf(command);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  /** Not subscribed any more: because somebody else is, or because the whole address is gone, which may come back. */
  async #expelled(error: RpcError): Promise<void> {
    if (this.#isExpelled || (this.#phase !== "open" && this.#phase !== "starting")) return;
    this.#isExpelled = true;
    const { store, ref, waitForAddress, onError, leaseMs, clock } = this.settings;
    let reason = error;
    if (error.reason === "FENCED") {
      try {
        const address = await answeredWithin(store.findAddress(ref.address), leaseMs, clock);
        if (address === undefined) reason = noAddressError(ref.address);
      } catch {
        // Then it is as the store says.
      }
    }
    onError(reason);
    if (reason.reason !== "NO_ADDRESS" || !waitForAddress || this.#phase !== "open") return this.end(reason, 0);
    this.#phase = "searching";
    await this.#claims.close();
    try {
      this.#entering = this.#enrolment.enter();
      await this.#entering;
    } catch (thrown) {
      return this.end(RpcError.from(thrown), 0);
    }
    this.#isExpelled = false;
    // May have been ended meanwhile.
    if (this.#ending === undefined) this.#open();
    return undefined;
  }

  /** In order: no new ones, back with what has not started, time for what runs, answers, farewell. */
  async #end(error: RpcError | undefined): Promise<void> {
    this.#phase = "ending";
    const { clock, leaseMs } = this.settings;
    this.#enrolment.stop();
    const noMoreClaims = this.#claims.close();
    for (let command = this.#waiting[0]; command !== undefined; command = this.#waiting[0])
      this.answered(command, { outcome: "released" });
    if (this.#runner.running === 0) this.#drain.finish();
    await this.#drain.done;
    await this.#interruptAll(error);
    // Beyond the time of a lease nothing of all that matters any more.
    await settlesWithin(this.#farewell(noMoreClaims), leaseMs, clock);
    this.#leases.stop();
    this.#deadlines.stop();
    this.#enrolment.close();
    this.#outbox.close();
    this.#resolveClosed(error);
  }

  async #interruptAll(error: RpcError | undefined): Promise<void> {
    for (const command of this.#held.values()) {
      if (command.state !== "running") continue;
      const reason = error === undefined ? closingError(command.claim) : leaseOverError(command.claim, error);
      this.#runner.interrupt(command, "closing", reason);
    }
    // Who heeds the signal at once may have its own say.
    await turn();
    for (const command of this.#held.values())
      if (command.state === "running") this.answered(command, this.#runner.verdictWithout(command));
  }

  /** Never rejects. */
  async #farewell(noMoreClaims: Promise<void>): Promise<void> {
    const { store, ref, onError } = this.settings;
    // A claim that was under way has given back what it got.
    await Promise.all([noMoreClaims, this.#outbox.flushNow()]);
    await this.#outbox.flushNow();
    // Not before the subscription that may be on its way has arrived.
    await Promise.all([this.#entering?.catch(() => undefined), this.#stopReaping?.()]);
    if (this.#entering === undefined) return;
    try {
      await store.unsubscribe(ref);
    } catch (thrown) {
      onError(unstoredError(`agent "${ref.agent}" could not unsubscribe`, RpcError.from(thrown)));
    }
  }
}

async function calledAtStartup(
  onStartup: NonNullable<AgentSettings["onStartup"]>,
  ref: AgentSettings["ref"],
): Promise<void> {
  try {
    await onStartup();
  } catch (thrown) {
    throw startupError(ref, thrown);
  }
}

function methodNames({ contracts }: Handler): readonly string[] | undefined {
  const names = contracts.flatMap(({ methods }) => [...methods.values()].map(shortName));
  return names.length === 0 ? undefined : names.slice(0, MAX_METHODS);
}
