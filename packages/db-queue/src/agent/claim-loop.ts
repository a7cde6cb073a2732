import { RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import type { Claim, Claimed, ClaimRequest } from "../store/store-words.ts";
import { RetryPause } from "../retry-pause.ts";
import type { ClaimOffer, QueueStore } from "../store/store.ts";
import { unstoredError } from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import { LostClaims } from "./lost-claims.ts";
import { answeredWithin } from "./pauses.ts";

/** Of one claim. */
const MAX_CLAIMS = 1000;
/** A delayed command may fall due for another agent: who looks at it has had a pause. */
const LEAST_PAUSE_MS = 5;
/** Between a failure and the next try that a wake-up asks for. */
const LEAST_RETRY_MS = 1000;

export interface ClaimOwner {
  /** Calls `run` soon. */
  schedule(): void;
  /** How many commands it can take now. */
  free(): number;
  /** Of all that it has taken and that has not ended. */
  tokens(): readonly string[];
  /** `sentAt`: when they were asked for, on the local clock. */
  take(claims: readonly Claim[], sentAt: number): void;
  /** There was nothing. */
  foundNothing(): void;
  /** NO_ADDRESS, FENCED, or the store was closed: there is nothing more to claim here. */
  refused(error: RpcError): void;
}

/**
 * Claims until there is nothing, waits, claims again. What ends the wait says only that there may be something: `#isDue` stays set until a
 * claim that began later has looked, so that no wake-up is lost between an empty claim and the wait.
 */
export class ClaimLoop {
  readonly #settings: AgentSettings;
  readonly #owner: ClaimOwner;
  readonly #backoff: Backoff;
  #isOpen = false;
  #isDue = false;
  #claiming: Promise<void> | undefined = undefined;
  /** Until the next look. */
  #timer: unknown = undefined;
  readonly #pause: RetryPause;
  readonly #lost: LostClaims;

  constructor(settings: AgentSettings, owner: ClaimOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#backoff = new Backoff({ minMs: 1000, maxMs: 30_000 }, settings.random);
    this.#lost = new LostClaims(settings.clock, settings.leaseMs);
    this.#pause = new RetryPause(settings.clock, LEAST_RETRY_MS, () => this.due());
  }

  get isClaiming(): boolean {
    return this.#claiming !== undefined;
  }

  open(): void {
    this.#isOpen = true;
    this.due();
  }

  /** Settles when no claim is under way any more. */
  close(): Promise<void> {
    this.#isOpen = false;
    this.#clearTimer();
    this.#pause.end();
    return this.#claiming ?? Promise.resolve();
  }

  /** There may be something. */
  due(): void {
    this.#isDue = true;
    if (this.#pause.isOn) this.#pause.hurry();
    else if (this.#isOpen && this.#claiming === undefined) this.#owner.schedule();
  }

  run(): void {
    const max = this.#isDue ? this.#possible() : 0;
    if (max <= 0) return;
    this.#isDue = false;
    this.#clearTimer();
    this.#claiming = this.#claim(max).finally(() => {
      this.#claiming = undefined;
      if (this.#isOpen && this.#isDue) this.#owner.schedule();
    });
  }

  /** What it can take along in a transaction that makes commands ready. */
  offer(): ClaimOffer | undefined {
    const max = this.#possible();
    if (max <= 0) return undefined;
    const sentAt = this.#settings.clock.now();
    const request = this.#request(max);
    const claimed = (answer: Claimed | RpcError): void => {
      this.#isDue = false;
      this.#clearTimer();
      this.#claimed(answer, request, sentAt);
      if (this.#isOpen && this.#isDue && !this.#pause.isOn) this.#owner.schedule();
    };
    return { request, claimed };
  }

  #request(max: number): ClaimRequest {
    const { ref, leaseMs } = this.#settings;
    const request = { ...ref, max, leaseMs };
    return this.#lost.areDue ? { ...request, held: this.#owner.tokens() } : request;
  }

  #possible(): number {
    if (!this.#isOpen || this.#pause.isOn || this.#claiming !== undefined) return 0;
    return Math.min(this.#owner.free(), MAX_CLAIMS);
  }

  /** Never rejects. */
  async #claim(max: number): Promise<void> {
    const { store, clock } = this.#settings;
    const sentAt = clock.now();
    const request = this.#request(max);
    try {
      const [claimed] = await this.#answered(store.claim([request]), sentAt);
      this.#claimed(claimed, request, sentAt);
    } catch (thrown) {
      this.#failed(RpcError.from(thrown));
    }
  }

  #claimed(claimed: Claimed | RpcError | undefined, { max, held }: ClaimRequest, sentAt: number): void {
    try {
      if (claimed === undefined) throw new RpcError("INTERNAL", "the store gave no answer to a claim");
      if (claimed instanceof RpcError) throw claimed;
      this.#backoff.reset();
      if (held !== undefined) this.#lost.asked(sentAt);
      const { claims, nextDueMs } = claimed;
      if (claims.length > 0) this.#owner.take(claims, sentAt);
      if (claims.length >= max) this.#isDue = true;
      else this.#wait(nextDueMs);
      if (claims.length === 0) this.#owner.foundNothing();
    } catch (thrown) {
      this.#failed(RpcError.from(thrown));
    }
  }

  #failed(error: RpcError): void {
    const { ref, onError } = this.#settings;
    // What is due stays due.
    this.#isDue = true;
    if (isRefusal(error)) {
      // Until it is opened again.
      this.#isOpen = false;
      return this.#owner.refused(error);
    }
    // Then the answer itself may still come.
    if (error.reason !== "NO_ANSWER") this.#lost.failed(error);
    onError(unstoredError(`no command could be claimed at "${ref.address}"`, error));
    // Closed meanwhile: whoever opens it again begins anew.
    if (this.#isOpen) this.#pause.begin(this.#backoff.nextMs());
  }

  /** What comes too late is taken all the same: it is this agent's, and nobody else would give it back. */
  async #answered(answer: ReturnType<QueueStore["claim"]>, sentAt: number): ReturnType<QueueStore["claim"]> {
    const { leaseMs, clock } = this.#settings;
    try {
      return await answeredWithin(answer, leaseMs, clock);
    } catch (thrown) {
      const take = ([claimed]: Awaited<typeof answer>): void => {
        if (claimed !== undefined && !(claimed instanceof RpcError) && claimed.claims.length > 0)
          this.#owner.take(claimed.claims, sentAt);
      };
      if (RpcError.from(thrown).reason === "NO_ANSWER") {
        answer.then(take, () => undefined);
        this.#lost.late(answer);
      }
      throw thrown;
    }
  }

  #wait(nextDueMs: number | undefined): void {
    const { pollMs, random } = this.#settings;
    const nextPollMs = Math.min(pollMs * (0.75 + random() / 2), this.#lost.againMs);
    this.#arm(nextDueMs === undefined ? nextPollMs : Math.min(Math.max(nextDueMs, LEAST_PAUSE_MS), nextPollMs));
  }

  #arm(ms: number): void {
    this.#clearTimer();
    if (!this.#isOpen) return;
    this.#timer = this.#settings.clock.setTimeout(() => {
      this.#timer = undefined;
      this.due();
    }, ms);
  }

  #clearTimer(): void {
    this.#settings.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function isRefusal({ reason }: RpcError): boolean {
  return reason === "FENCED" || reason === "NO_ADDRESS" || reason === "CLOSED";
}
