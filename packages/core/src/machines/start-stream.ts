import type { CallContext } from "../words/call-context.ts";
import { RpcError } from "../words/rpc-error.ts";
import { payloadOf } from "../tools/payloads.ts";
import { Single } from "../tools/single.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import type { CallingSession } from "./session-parts.ts";
import { parentIdOf } from "./start-call.ts";

/** Makes a call of any of the stream shapes; it starts when its output is first read. */
export function startStream(
  session: CallingSession,
  input: AsyncIterable<unknown>,
  context: CallContext,
): AsyncIterable<unknown> {
  const parentId = parentIdOf(context, session);
  if (context.method.kind !== "serverStream")
    return new OutgoingStream(session, session.outgoing, context, parentId, undefined, input);
  if (!(input instanceof Single)) return streamAfterInput(session, input, context, parentId);
  const payload = payloadOf(context.method.input.codec, input.value);
  return new OutgoingStream(session, session.outgoing, context, parentId, payload, undefined);
}

async function* streamAfterInput(
  session: CallingSession,
  input: AsyncIterable<unknown>,
  context: CallContext,
  parentId: number,
): AsyncIterable<unknown> {
  for await (const only of input) {
    const payload = payloadOf(context.method.input.codec, only);
    yield* new OutgoingStream(session, session.outgoing, context, parentId, payload, undefined);
    return;
  }
  throw new RpcError("INVALID_ARGUMENT", `${context.method.name}: no input`, { reason: "INVALID_ARGUMENT" });
}
