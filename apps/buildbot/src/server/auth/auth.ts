import type { Peer, ShownCredentials } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { constantTimeEqual } from "@rpc/xmlrpc";
import type { Role } from "../../contracts/values.ts";
import { createUser, findBot, findUser, findUserByToken, listUsers, type Store, type User } from "../store/index.ts";
import { isAtLeast, needsOf } from "./roles.ts";
import { botSecret, hashOf, newToken } from "./tokens.ts";

/** What the page shows when nobody has logged in, and programs without a token. */
export const ANONYMOUS_TOKEN = "anonymous";
const ANONYMOUS = "anonymous:";
const USER = /^user:(?<name>[^#]+)#(?<id>\d+)$/;
const TICKET_MS = 60_000;
const MOST_TICKETS = 10_000;

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

export interface AuthOptions {
  readonly store: Store;
  /** Of `botKey`. */
  readonly key: Buffer;
  /** What who has not logged in may do. */
  readonly anonymous: "viewer" | "none";
}

/**
 * Who is who. Identities of sessions: a bot's name; `user:<name>#<id>`, so that a user who is made anew under an old name has nothing to do
 * with sessions of the one before; `anonymous:`. No name has a colon.
 */
export class Auth {
  readonly #store: Store;
  readonly #key: Buffer;
  readonly #anonymous: "viewer" | "none";
  readonly #tickets = new Map<string, { readonly identity: string; readonly until: number }>();

  /** Which bot it was at a session's first call. */
  readonly #bots = new WeakMap<Peer, number>();

  constructor({ store, key, anonymous }: AuthOptions) {
    this.#store = store;
    this.#key = key;
    this.#anonymous = anonymous;
  }

  /** When there is no user at all: the token of a first one, `admin`. It is told this once. */
  async firstUser(): Promise<string | undefined> {
    if ((await listUsers(this.#store.db)).length > 0) return undefined;
    const token = newToken();
    try {
      await createUser(this.#store.db, {
        name: "admin",
        role: "admin",
        tokenHash: hashOf(token),
        at: this.#store.wallClock(),
      });
    } catch (thrown) {
      // Another server was faster.
      if ((await listUsers(this.#store.db)).length > 0) return undefined;
      throw thrown;
    }
    return token;
  }

  /** For listeners' `secrets`: bots prove theirs. */
  readonly secrets = async (identity: string): Promise<string | undefined> => {
    const bot = await findBot(this.#store.db, identity);
    return bot === undefined ? undefined : botSecret(this.#key, bot.name, bot.secret);
  };

  /** For HTTP Basic: a bot's name with its secret, where no session can prove it. */
  async botWith(name: string, secret: string): Promise<string | undefined> {
    const own = await this.secrets(name);
    return own !== undefined && constantTimeEqual(secret, own) ? name : undefined;
  }

  /** A new bot's: what is kept of it, and what the bot is started with. */
  newBot(name: string): { readonly salt: string; readonly token: string } {
    const salt = newToken();
    return { salt, token: `${name}:${botSecret(this.#key, name, salt)}` };
  }

  /** For listeners' `authenticate`: users show their token, and pages a ticket. */
  readonly authenticate = ({
    mechanism,
    token,
  }: Pick<ShownCredentials, "mechanism" | "token">): Promise<string | undefined> =>
    mechanism === "token" ? this.identityOf(token) : Promise.resolve(undefined);

  async identityOf(token: string): Promise<string | undefined> {
    if (token === ANONYMOUS_TOKEN) return this.#anonymous === "viewer" ? ANONYMOUS : undefined;
    const ticket = this.#tickets.get(hashOf(token));
    if (ticket !== undefined) {
      this.#tickets.delete(hashOf(token));
      return ticket.until > this.#store.clock.now() ? ticket.identity : undefined;
    }
    const user = await findUserByToken(this.#store.db, hashOf(token));
    return user === undefined ? undefined : identityOf(user);
  }

  /** For HTTP Basic and Bearer: a user's name, or none, with its token. */
  async userOf(name: string, token: string): Promise<string | undefined> {
    const user = await findUserByToken(this.#store.db, hashOf(token));
    return user === undefined || (name !== "" && name !== user.name) ? undefined : identityOf(user);
  }

  /** For one connection within the next minute: the page has no token, only a cookie that no script can read. */
  newTicket(identity: string): string {
    const now = this.#store.clock.now();
    for (const [hash, { until }] of this.#tickets) {
      if (until > now && this.#tickets.size < MOST_TICKETS) break;
      this.#tickets.delete(hash);
    }
    const ticket = newToken();
    this.#tickets.set(hashOf(ticket), { identity, until: now + TICKET_MS });
    return ticket;
  }

  /** Who is behind a session now; undefined: a bot, or somebody who has been removed. */
  async callerOf(identity: string | undefined): Promise<Caller | undefined> {
    if (identity === undefined) return undefined;
    if (identity === ANONYMOUS) {
      return this.#anonymous === "viewer" ? { name: "anonymous", role: "viewer" } : undefined;
    }
    const { name, id } = USER.exec(identity)?.groups ?? {};
    if (name === undefined) return undefined;
    const user = await findUser(this.#store.db, name);
    return user?.id === Number(id) ? { name, role: user.role } : undefined;
  }

  /** For listeners' `authorize`. It asks the database each time, so that who was removed is out at the next call. */
  readonly authorize = async (peer: Peer, { name }: MethodDescriptor): Promise<boolean> => {
    const { identity } = peer;
    const needs = needsOf(name);
    if (needs === undefined || identity === undefined) return false;
    if (needs === "bot") return !identity.includes(":") && this.#isStill(peer, await findBot(this.#store.db, identity));
    const caller = await this.callerOf(identity);
    return caller !== undefined && isAtLeast(caller.role, needs);
  };

  /** A bot that is made anew under an old name has nothing to do with sessions of the one before. */
  #isStill(peer: Peer, bot: { readonly id: number } | undefined): boolean {
    if (bot === undefined) return false;
    const id = this.#bots.get(peer);
    if (id === undefined) this.#bots.set(peer, bot.id);
    return id === undefined || id === bot.id;
  }
}

/** Of sessions. */
export function identityOf({ name, id }: Pick<User, "name" | "id">): string {
  return `user:${name}#${id}`;
}

/** For `submittedBy`, and others who want to know who it was. */
export function nameOf({ identity = "" }: Peer): string {
  return USER.exec(identity)?.groups?.["name"] ?? identity.replace(/:$/, "");
}
