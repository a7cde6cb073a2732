import type { CallContext } from "../words/call-context.ts";
import type { ContractDescriptor, MethodDescriptor } from "../words/method.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import { type Awaitable, type Handler, SERVING } from "../words/transport.ts";
import { shown } from "../tools/bytes.ts";
import { deferredStream } from "../tools/mapped-stream.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { type Act, authorizedPorts, type Judge } from "./authorized-ports.ts";

/**
 * Says whether a peer may do something with a method: call it, subscribe to it, submit it as a job, or consume it. `peer.identity` is who it
 * proved to be, undefined without authentication.
 */
export type Authorize = (peer: Peer, method: MethodDescriptor, act: Act) => boolean | Promise<boolean>;

/**
 * A handler that runs only what `authorize` says true to, whatever the kind of the call, subscriptions and jobs included. False fails the call PERMISSION_DENIED, reason
 * `FORBIDDEN`; when `authorize` throws or rejects the call fails INTERNAL. Nothing of the handler runs in either case, nor when the call was
 * cancelled in the meantime.
 */
export function authorized(handler: Handler, authorize: Authorize): Handler {
  const judge: Judge = (context, act) => judged(authorize, context, act);
  return {
    ...authorizedPorts(handler, judge),
    [SERVING]: handler[SERVING],
    // Asked each time: a dynamic router's contracts change.
    get contracts(): readonly ContractDescriptor[] {
      return handler.contracts;
    },
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => {
      const verdict = judge(context, "call");
      return verdict === undefined ? handler.call(input, context) : verdict.then(() => handler.call(input, context));
    },
    stream: (input, context) => {
      const verdict = judge(context, "call");
      if (verdict === undefined) return handler.stream(input, context);
      // Whoever reads the stream sees a refusal; when nobody ever does, it must not end the process.
      verdict.catch(() => undefined);
      return deferredStream(async () => {
        await verdict;
        return handler.stream(input, context);
      });
    },
  };
}

/** Undefined: allowed, without having had to wait. Throws, or rejects, the refusal. */
function judged(authorize: Authorize, context: CallContext, act: Act): Promise<void> | undefined {
  const { peer, method } = context;
  // Nobody has called, so nobody can be allowed to.
  if (peer === undefined) throw forbidden(method, act);
  let verdict: Awaitable<boolean>;
  try {
    verdict = authorize(peer, method, act);
  } catch (thrown) {
    throw failed(method, act, thrown);
  }
  if (!isPromiseLike(verdict)) return admit(verdict, context, act);
  return Promise.resolve(verdict).then(
    (later) => admit(later, context, act),
    (thrown: unknown) => {
      throw failed(method, act, thrown);
    },
  );
}

/** Nothing but `true` will do: in JavaScript much else passes for it. */
function admit(verdict: unknown, { method, cancelReason }: CallContext, act: Act): undefined {
  if (verdict !== true) throw forbidden(method, act);
  if (cancelReason !== undefined) throw cancelReason;
  return undefined;
}

/** How each act is called in messages; a `Record`, so that none is left out. */
const ACTS: Readonly<Record<Act, string>> = {
  call: "call it",
  subscribe: "subscribe to it",
  submit: "submit it as a job",
  consume: "consume its jobs",
};

function forbidden(method: MethodDescriptor, act: Act): RpcError {
  return new RpcError("PERMISSION_DENIED", `${shown(method.name)}: the peer is not allowed to ${ACTS[act]}`, {
    reason: "FORBIDDEN",
  });
}

// The text of what was thrown stays here: it may say why somebody is trusted.
function failed(method: MethodDescriptor, act: Act, thrown: unknown): RpcError {
  const message = `${shown(method.name)}: it could not be found out whether the peer may ${ACTS[act]}`;
  return new RpcError("INTERNAL", message, { reason: "INTERNAL", cause: thrown });
}

/**
 * An {@link Authorize} from lists of methods by identity: `allowLists({ bot: ["demo.*", "rpc.health.v1.Health.check"], admin: ["*"] })`.
 * A `*` stands at the end only, alone or after a dot, and means everything below. A pattern allows to call, subscribe and submit, but not to
 * consume jobs: that is said by name, `demo.Builds.run:consume`. `:call`, `:subscribe` and `:submit` allow only that. Who is not listed may
 * do nothing, and neither may a peer without identity. Throws INVALID_ARGUMENT for any other use of `*` or `:`.
 */
export function allowLists(lists: Readonly<Record<string, readonly string[]>>): Authorize {
  const rules = new Map<string, AllowList>();
  for (const [identity, patterns] of Object.entries(lists)) rules.set(identity, new AllowList(identity, patterns));
  return (peer, method, act) =>
    peer.identity !== undefined && rules.get(peer.identity)?.allows(method.name, act) === true;
}

/** What a pattern without suffix allows. Whoever consumes sees the input of others and answers them, so it is not among them. */
const UNNAMED_ACTS: readonly Act[] = ["call", "subscribe", "submit"];

class AllowList {
  /** Names and prefixes, each behind its act and a colon. */
  readonly #names = new Set<string>();
  readonly #prefixes: string[] = [];

  constructor(identity: string, patterns: readonly string[]) {
    for (const pattern of patterns) {
      const colon = pattern.indexOf(":");
      const suffix = pattern.slice(colon + 1);
      if (colon >= 0 && !Object.hasOwn(ACTS, suffix)) {
        throw refused(identity, `what follows ":" is one of ${Object.keys(ACTS).join(", ")}`, pattern);
      }
      const name = colon < 0 ? pattern : pattern.slice(0, colon);
      const acts = colon < 0 ? UNNAMED_ACTS : [suffix];
      const star = name.indexOf("*");
      if (star >= 0 && (star < name.length - 1 || (star > 0 && name[star - 1] !== "."))) {
        throw refused(identity, `"*" stands alone or after a dot at the end`, pattern);
      }
      for (const act of acts) {
        if (star < 0) this.#names.add(`${act}:${name}`);
        else this.#prefixes.push(`${act}:${name.slice(0, star)}`);
      }
    }
  }

  allows(name: string, act: Act): boolean {
    const wanted = `${act}:${name}`;
    return this.#names.has(wanted) || this.#prefixes.some((prefix) => wanted.startsWith(prefix));
  }
}

function refused(identity: string, rule: string, pattern: string): RpcError {
  const message = `allow list of ${identity}: ${rule}, got ${JSON.stringify(pattern)}`;
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}
