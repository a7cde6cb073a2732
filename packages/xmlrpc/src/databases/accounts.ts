import type { Awaitable } from "@rpc/core";
import type { ShownCredentials } from "../http/exchange.ts";
import { HttpRefusal } from "../server/service.ts";

/** Who may call, as passwords, API keys and second factors have it. */
export interface AccountsOptions {
  /** The identity of a user whose password this is; undefined: it is not. Compare hashes, in constant time. Default: no passwords. */
  readonly password?: (user: string, password: string, database: string | undefined) => Awaitable<string | undefined>;
  /** The identity that an API key stands for; `user` is undefined where only the key was shown (Bearer). Default: no keys. */
  readonly apiKey?: (
    key: string,
    database: string | undefined,
    user: string | undefined,
  ) => Awaitable<string | undefined>;
  /** Whether somebody needs a second factor to log in: his password alone is refused, his keys are not. Default: nobody. */
  readonly hasSecondFactor?: (identity: string, database: string | undefined) => Awaitable<boolean>;
}

/**
 * An `authenticate` hook for listeners: an API key is taken as Bearer or in the place of the password, a password only from who needs no second
 * factor.
 */
export function accounts(options: AccountsOptions): (shown: ShownCredentials) => Promise<string | undefined> {
  const { password, apiKey, hasSecondFactor } = options;
  return async ({ scheme, user, secret, database }) => {
    // No key is empty; a password may be.
    const byKey = secret === "" ? undefined : await apiKey?.(secret, database, scheme === "basic" ? user : undefined);
    if (byKey !== undefined || scheme === "bearer") return byKey;
    const identity = await password?.(user, secret, database);
    if (identity === undefined) return undefined;
    if ((await hasSecondFactor?.(identity, database)) === true)
      throw new HttpRefusal(403, "This account has a second factor; use an API key in the place of its password");
    return identity;
  };
}
