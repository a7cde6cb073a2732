import type { CallContext } from "../words/call-context.ts";
import { RpcError } from "../words/rpc-error.ts";
import { payloadOf } from "../tools/payloads.ts";
import { Single } from "../tools/single.ts";
import { IncomingCall } from "./incoming-call.ts";
import { OutgoingNotification, OutgoingUnary } from "./outgoing-call.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import type { SessionLink } from "./session-link.ts";

/** Makes a unary call or sends a notification over a session. */
export function startCall(
  link: SessionLink,
  outgoing: OutgoingCalls,
  input: unknown,
  context: CallContext,
): Promise<unknown> {
  const payload = payloadOf(context.method.input.codec, input);
  const Call = context.method.kind === "notification" ? OutgoingNotification : OutgoingUnary;
  return new Promise((resolve, reject) => {
    outgoing.start(new Call(link, outgoing, context, parentIdOf(context, link), payload, resolve, reject));
  });
}

/** Makes a call of any other shape; it starts when its output is first read. */
export function startStream(
  link: SessionLink,
  outgoing: OutgoingCalls,
  input: AsyncIterable<unknown>,
  context: CallContext,
): AsyncIterable<unknown> {
  const parentId = parentIdOf(context, link);
  if (context.method.kind !== "serverStream")
    return new OutgoingStream(link, outgoing, context, parentId, undefined, input);
  if (!(input instanceof Single)) return streamAfterInput(link, outgoing, input, context, parentId);
  const payload = payloadOf(context.method.input.codec, input.value);
  return new OutgoingStream(link, outgoing, context, parentId, payload, undefined);
}

async function* streamAfterInput(
  link: SessionLink,
  outgoing: OutgoingCalls,
  input: AsyncIterable<unknown>,
  context: CallContext,
  parentId: number,
): AsyncIterable<unknown> {
  for await (const only of input) {
    const payload = payloadOf(context.method.input.codec, only);
    yield* new OutgoingStream(link, outgoing, context, parentId, payload, undefined);
    return;
  }
  throw new RpcError("INVALID_ARGUMENT", `${context.method.name}: no input`, { reason: "INVALID_ARGUMENT" });
}

/** The peer's call that a call belongs to, when its handler passed its context on and the call goes back to that very peer. */
function parentIdOf({ parent }: CallContext, link: SessionLink): number {
  return parent instanceof IncomingCall && parent.link === link ? parent.callId : 0;
}
