import type { CallContext } from "../words/call-context.ts";
import { payloadOf } from "../tools/payloads.ts";
import { CallScope } from "../tools/call-scope.ts";
import type { SessionLink } from "./session-link.ts";
import { type CallingSession, promisedCallOf } from "./session-parts.ts";

/** Makes a unary call or sends a notification over a session. */
export function startCall(session: CallingSession, input: unknown, context: CallContext): Promise<unknown> {
  const { method } = context;
  const payload = payloadOf(method.input.codec, input);
  const Call = promisedCallOf(method);
  return new Promise((resolve, reject) => {
    const { outgoing } = session;
    outgoing.start(new Call(session, outgoing, context, parentIdOf(context, session), payload, resolve, reject));
  });
}

/** The peer's call that a call belongs to, when its handler passed its context on and the call goes back to that very peer. */
export function parentIdOf({ parent }: CallContext, link: SessionLink): number {
  return parent instanceof CallScope ? parent.callIdAt(link) : 0;
}
