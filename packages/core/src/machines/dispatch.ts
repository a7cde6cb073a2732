import { Body, type Envelope } from "../words/envelope.ts";
import { errorFromWire } from "../tools/wire-error.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { UnservedCalls } from "./unserved-calls.ts";

/** Where the envelopes of an open session go. */
export interface Destination {
  readonly outgoing: OutgoingCalls;
  readonly incoming: UnservedCalls;
  pinged(token: number): void;
  peerDrains(): void;
  goodbye(envelope: Extract<Envelope, { body: typeof Body.Goodbye }>): void;
  breach(message: string): void;
}

/** Hands an envelope to the call, or to the part of the session, that it is for. */
export function dispatch(envelope: Envelope, to: Destination): void {
  const { outgoing, incoming } = to;
  switch (envelope.body) {
    case Body.Result:
      return outgoing.receiveResult(envelope);
    case Body.Call: {
      const isCallBack = envelope.parentId !== 0 && outgoing.get(envelope.parentId) !== undefined;
      return incoming.receiveCall(envelope, isCallBack);
    }
    case Body.Item: {
      const { id, seq, payload, extra } = envelope;
      if (incoming.isOurs(id)) return incoming.find(id)?.receiveItem(seq, payload);
      return outgoing.find(id)?.receiveItem(seq, payload, extra);
    }
    case Body.Credit: {
      const { id, credits } = envelope;
      return (incoming.isOurs(id) ? incoming : outgoing).find(id)?.receiveCredit(credits);
    }
    case Body.End: {
      const { id, error } = envelope;
      if (!incoming.isOurs(id)) return outgoing.receiveEnd(envelope);
      const call = incoming.find(id);
      return call?.receiveEnd(error === undefined ? undefined : errorFromWire(error, call.method));
    }
    case Body.Fail:
      return outgoing.receiveFail(envelope);
    case Body.Notify:
      return incoming.receiveNotify(envelope);
    case Body.Cancel:
      return incoming.receiveCancel(envelope);
    case Body.Progress:
      return outgoing.find(envelope.id)?.receiveProgress(envelope);
    case Body.Ping:
      return to.pinged(envelope.token);
    case Body.Drain:
      return to.peerDrains();
    case Body.Goodbye:
      return to.goodbye(envelope);
    case Body.Hello:
    case Body.Challenge:
    case Body.Proof:
    case Body.Welcome:
      return to.breach("a second handshake");
    case Body.Compressed:
      return to.breach("a compressed message where none was agreed, or inside another one");
    case Body.Settle:
      return (incoming.isOurs(envelope.id) ? incoming : outgoing).find(envelope.id)?.receiveSettle(envelope);
    case Body.Pong:
    case 0:
      // A pong has done its duty by arriving; a body of a newer version is skipped.
      return undefined;
    default:
      return envelope satisfies never;
  }
}
