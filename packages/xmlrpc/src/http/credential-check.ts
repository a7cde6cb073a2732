import { type Awaitable, type Clock, RpcError } from "@rpc/core";
import { isPromiseLike } from "@rpc/core/transport";
import { statusHeaders } from "../fault-mapping.ts";
import { tamed } from "../server/handler-context.ts";
import { HttpRefusal } from "../server/service.ts";
import { keyedHash } from "./constant-time.ts";
import type { ShownCredentials } from "./exchange.ts";
import { addressIn, type AuthFailureLimits, FailureLimit } from "./failure-limit.ts";

/**
 * Says who somebody is who shows credentials; undefined and an empty text refuse (403). An HttpRefusal is answered as it is (403 "use an API key", for an account
 * with a second factor). What else it throws refuses too and goes to `onError`. Compare secrets with `constantTimeEqual`,
 * and mind that a password may be empty: some directories let that in as nobody.
 */
export type Authenticate = (shown: ShownCredentials) => Awaitable<string | undefined>;

export interface CredentialCheckOptions {
  readonly authenticate: Authenticate | undefined;
  readonly cacheMs: number;
  readonly failures: AuthFailureLimits | false;
  readonly clock: Clock;
  readonly onError: (error: RpcError) => void;
  /** Told of each refusal. */
  readonly refused: (endpoint: string, error: RpcError) => void;
}

/** Tells our own client a wrong password from something that one may not do: HTTP has 403 for both. */
const UNAUTHENTICATED = statusHeaders(
  new RpcError("UNAUTHENTICATED", "", { reason: "UNAUTHENTICATED", delivered: "no" }),
  undefined,
);

/** Proofs that are kept at once. */
const MAX_KEPT = 10_000;

/** The `authenticate` hook with what belongs around it: a short memory of what was proved, and a limit of failures. */
export class CredentialCheck {
  readonly #options: CredentialCheckOptions;
  readonly #failures: FailureLimit | undefined;
  readonly #kept = new Map<string, { readonly identity: string; readonly until: number }>();

  constructor(options: CredentialCheckOptions) {
    this.#options = options;
    this.#failures = options.failures === false ? undefined : new FailureLimit(options.failures, options.clock);
  }

  /** Whether anybody is asked at all. */
  get isOn(): boolean {
    return this.#options.authenticate !== undefined;
  }

  /** Who it is. Throws or rejects HttpRefusal: 401 when nothing is shown, 429 after too many failures, else 403. */
  identify(shown: ShownCredentials | undefined, endpoint: string): Awaitable<string> {
    if (shown === undefined) throw this.#refusal(endpoint, 401, "Authentication required");
    const { clock, cacheMs } = this.#options;
    const key = cacheMs > 0 ? cacheKey(shown) : "";
    if (cacheMs > 0) {
      const kept = this.#kept.get(key);
      if (kept !== undefined && kept.until > clock.now()) return kept.identity;
      this.#kept.delete(key);
    }
    const address = addressIn(shown.endpoint);
    const blockedMs = this.#failures?.blockedMs(address, shown.user) ?? 0;
    if (blockedMs > 0) throw this.#refusal(endpoint, 429, "Too many failed attempts; try again later", blockedMs);
    // Looked up again then: by that time the very same may have been proved.
    const wait = this.#failures?.wait(address, shown.user);
    if (wait !== undefined) return wait.then(() => this.identify(shown, endpoint));
    this.#failures?.begin(address, shown.user);
    const end = (isFailure: boolean): void => this.#failures?.end(address, shown.user, isFailure);
    const admit = (identity: string | undefined): string => {
      // Without types a hook may give back anything; a name of no letters is nobody's.
      const isSomebody = typeof identity === "string" && identity !== "";
      end(!isSomebody);
      if (!isSomebody) throw this.#refusal(endpoint, 403, "Access denied");
      if (cacheMs > 0) this.#keep(key, identity);
      return identity;
    };
    const fail = (raw: unknown): never => {
      const thrown = tamed(raw);
      // No failure of the caller's where the hook broke: a database that is away must not lock everybody out for a minute more.
      end(thrown instanceof HttpRefusal);
      if (thrown instanceof HttpRefusal) throw thrown;
      const error = RpcError.from(thrown);
      this.#options.onError(
        new RpcError("INTERNAL", `authenticate failed: ${error.message}`, { reason: "INTERNAL", cause: thrown }),
      );
      throw error.code === "UNAVAILABLE"
        ? new HttpRefusal(503, "Credentials cannot be checked at the moment", { "retry-after": "1" })
        : this.#refusal(endpoint, 403, "Access denied");
    };
    let answer: Awaitable<string | undefined>;
    try {
      answer = this.#options.authenticate?.(shown);
      if (isPromiseLike(answer)) return Promise.resolve(answer).then(admit, fail);
    } catch (thrown) {
      return fail(thrown);
    }
    return admit(answer);
  }

  #keep(key: string, identity: string): void {
    this.#kept.set(key, { identity, until: this.#options.clock.now() + this.#options.cacheMs });
    if (this.#kept.size <= MAX_KEPT) return;
    const oldest = this.#kept.keys().next();
    if (oldest.done !== true) this.#kept.delete(oldest.value);
  }

  #refusal(endpoint: string, status: number, text: string, retryAfterMs = 0): HttpRefusal {
    this.#options.refused(
      endpoint,
      new RpcError("UNAUTHENTICATED", `${endpoint}: ${text}`, { reason: "UNAUTHENTICATED" }),
    );
    return new HttpRefusal(status, text, {
      ...UNAUTHENTICATED,
      ...(retryAfterMs > 0 ? { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) } : {}),
    });
  }
}

function cacheKey({ scheme, user, secret, database }: ShownCredentials): string {
  return keyedHash([scheme, user, secret, database === undefined ? "-" : `+${database}`]).toString("base64");
}
