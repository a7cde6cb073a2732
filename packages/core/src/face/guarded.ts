import type { Clock } from "../words/clock.ts";
import type { Handler } from "../words/transport.ts";
import { type Authorize, authorized } from "./authorized.ts";
import { replyCache, type ReplyCacheOptions } from "./reply-cache.ts";

/** What stands between a session and what it serves. */
export interface GuardOptions {
  /**
   * Says which peer may do what with which method; false refuses PERMISSION_DENIED. Default: everybody who may connect may call everything.
   */
  readonly authorize?: Authorize | undefined;
  /** How long replies to calls with an idempotency key are kept, so that a repeated call is answered and not run again; false: not at all. Default: 10,000 replies for 5 minutes. */
  readonly replyCache?: ReplyCacheOptions | false | undefined;
}

/** A handler with its guards: whoever may not call gets no kept reply either. */
export function guarded(handler: Handler, { authorize, replyCache: kept }: GuardOptions, clock: Clock): Handler {
  const caching = kept === false ? handler : replyCache(handler, { clock, ...kept });
  return authorize === undefined ? caching : authorized(caching, authorize);
}
