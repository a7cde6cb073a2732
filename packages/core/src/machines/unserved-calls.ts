import { Body, type CallBody, type CancelBody, type NotifyBody, type SettleBody } from "../words/envelope.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { shown } from "../tools/bytes.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import { wireErrorOf } from "../tools/wire-error.ts";
import type { SessionLink } from "./session-link.ts";

/** A call of the peer, or what lasts like one. */
export interface AcceptedCall {
  readonly method: MethodDescriptor;
  cancelled(reason: RpcError): void;
  receiveItem(seq: number, payload: Payload | undefined): void;
  receiveEnd(error: RpcError | undefined): void;
  receiveCredit(credits: number): void;
  receiveSettle(body: SettleBody): void;
}

/** Calls that the peer makes at an end that serves nothing: each is refused. An end that serves has `IncomingCalls`, which accept them. */
export class UnservedCalls {
  protected readonly link: SessionLink;
  readonly #parity: 0 | 1;
  #highestId = 0;
  /** Items, credits and cancels for calls that had ended already. */
  lateCount = 0;

  constructor(link: SessionLink, parity: 0 | 1) {
    this.link = link;
    this.#parity = parity;
  }

  /** What a drain waits for. */
  get count(): number {
    return 0;
  }

  /** Whether an id could be a call of the peer. */
  isOurs(id: number): boolean {
    return id % 2 === this.#parity;
  }

  receiveCall(body: CallBody, isCallBack: boolean): void {
    const { id } = body;
    if (!this.isOurs(id)) return this.link.breach(`call id ${id} belongs to the other end`);
    if (id <= this.#highestId) {
      // The first call of this id is untouched (hostile inputs H42).
      const message = `call id ${id} was used before`;
      return this.#refuse(id, new RpcError("ALREADY_EXISTS", message, { reason: "PROTOCOL" }));
    }
    this.#highestId = id;
    try {
      this.accept(body, isCallBack);
    } catch (thrown) {
      this.#refuse(id, RpcError.from(thrown));
    }
  }

  /** Throws RpcError for what is refused. */
  protected accept(body: CallBody, _isCallBack: boolean): void {
    throw notServed(body.method);
  }

  receiveNotify(body: NotifyBody): void {
    // Nothing goes back for a notification, not even an error.
    this.link.report(notServed(body.method));
  }

  receiveCancel(body: CancelBody): void {
    this.find(body.id);
  }

  /** The call that something has come for; when there is none, that is counted, or ends the session. */
  find(id: number): AcceptedCall | undefined {
    if (id <= this.#highestId) this.lateCount++;
    else this.link.breach(`message for call ${id}, which was never made`);
    return undefined;
  }

  /** Drain: what runs may finish, what comes is refused. */
  refuseNew(): void {
    // Everything is, always.
  }

  /** The wire takes more again. */
  resume(): void {
    // Nothing waits for it.
  }

  /** The peer sends nothing more. */
  callerEnded(_reason: RpcError): void {
    // It has no calls here.
  }

  /** The peer is gone for good: handlers get their signal. */
  abortAll(_reason: RpcError): void {
    // See above.
  }

  expiring(): Iterable<Expiring> {
    return [];
  }

  #refuse(id: number, error: RpcError): void {
    const wire = wireErrorOf(error, undefined, this.link.exposeStacks);
    this.link.send({ body: Body.Fail, id, error: wire, metadata: undefined });
  }
}

/** What a call is told whose contract is not served. */
export function notServed(name: string): RpcError {
  const contract = JSON.stringify(shown(name.slice(0, Math.max(name.lastIndexOf("."), 0))));
  return new RpcError("UNIMPLEMENTED", `${shown(name)}: contract ${contract} is not served here`, {
    reason: "CONTRACT_NOT_FOUND",
  });
}
