import { Body, type CallBody, type SettleBody } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import { CallScope } from "../tools/call-scope.ts";
import { wireErrorOf } from "../tools/wire-error.ts";
import { sendFailure } from "./send-failure.ts";
import type { SessionLink } from "./session-link.ts";
import type { AcceptedCall } from "./unserved-calls.ts";

/** Where the peer's subscriptions, consumers and submissions are kept. */
export interface PatternRegister {
  /** Nothing more is said about it by either end. */
  over(pattern: IncomingPattern): void;
  /** A consumer has got its first job, or has settled its last one: a drain waits for it meanwhile. */
  busy(isBusy: boolean): void;
  /** Subscriptions and consumers that the peer has here. */
  readonly counted: number;
}

/** A call of the peer that is no call: it lasts, and says what it has to say by items. */
export abstract class IncomingPattern extends CallScope implements AcceptedCall {
  readonly callId: number;
  readonly depth: number;
  protected readonly link: SessionLink;
  protected readonly register: PatternRegister;
  readonly #received: Metadata | undefined;
  readonly #handleId: string;
  #isOver = false;

  constructor(
    link: SessionLink,
    register: PatternRegister,
    body: CallBody,
    method: MethodDescriptor,
    deadline: number | undefined,
    metadata: Metadata | undefined,
  ) {
    super(method, deadline);
    this.link = link;
    this.register = register;
    this.callId = body.id;
    this.depth = body.depth;
    this.#handleId = body.handleId;
    this.#received = metadata;
  }

  /** Subscriptions and consumers count against `maxSubscriptions`. */
  abstract readonly counted: boolean;
  abstract start(body: CallBody): void;
  abstract receiveCredit(credits: number): void;
  abstract receiveEnd(): void;
  abstract receiveSettle(body: SettleBody): void;
  /** The peer does not want it any more, or is gone. */
  protected abstract ended(reason: RpcError, isLost: boolean): void;

  receiveItem(): void {
    this.misshapen("a stream item arrived for a call without input stream");
  }

  /** The wire takes more again. */
  resume(): void {
    // Only subscriptions hold something back.
  }

  /** Whether somebody is at work on it. */
  get isRunning(): boolean {
    return true;
  }

  /** This end drains. */
  drain(): void {
    // Only consumers take new work.
  }

  get id(): string {
    return this.#handleId === "" ? `${this.link.sessionName}/${this.callId}` : this.#handleId;
  }
  get peer(): Peer {
    return this.link.peer;
  }
  get attempt(): number {
    return 1;
  }
  get idempotencyKey(): undefined {
    return undefined;
  }
  get parent(): undefined {
    return undefined;
  }
  get observed(): boolean {
    return false;
  }
  override get hasMetadata(): boolean {
    return this.#received !== undefined;
  }
  protected override initialMetadata(): Metadata {
    return this.#received ?? super.initialMetadata();
  }
  progress(): void {
    // Its own progress is what it sends.
  }
  log(): void {
    // See above.
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nobody has said anything wrong, nothing more comes. */
  protected finish(): void {
    if (this.#isOver) return;
    this.link.send({ body: Body.End, id: this.callId, error: undefined, metadata: undefined });
    this.over();
  }

  fail(error: RpcError): void {
    if (this.#isOver) return;
    sendFailure(this.link, this.callId, wireErrorOf(error, this.method, this.link.exposeStacks), undefined);
    this.over();
  }

  expire(): void {
    const error = new RpcError("DEADLINE_EXCEEDED", `${this.method.name}: deadline exceeded`, { reason: "DEADLINE" });
    this.fail(error);
    this.ended(error, false);
  }

  /** The peer has cancelled it. */
  cancelled(reason: RpcError): void {
    this.over();
    this.ended(reason, false);
  }

  /** The peer is gone for good. */
  lost(reason: RpcError): void {
    this.over();
    this.ended(reason, true);
  }

  protected over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.register.over(this);
  }

  protected busy(isBusy: boolean): void {
    this.register.busy(isBusy);
  }

  protected misshapen(what: string): void {
    const error = new RpcError("INTERNAL", `${this.method.name}: ${what}`, { reason: "PROTOCOL" });
    this.fail(error);
    this.ended(error, false);
  }
}
