import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { ANONYMOUS_TOKEN, type Auth, type Caller } from "../auth/index.ts";
import { answer, answerJson, type Bodies, isPrivate, say, typeOf } from "./answers.ts";

/** Cookies are a host's, whatever the port: two servers on one machine have two names. */
const cookieName = (port: number): string => `buildbot-${port}`;
const YEAR_S = 31_536_000;
const MOST_LOGIN_BYTES = 4096;
const Login = z.object({ token: z.string().min(1).max(500) });

export interface Shown {
  readonly identity: string;
  readonly caller: Caller;
}

/**
 * Who asks over HTTP: `Authorization: Bearer …` of a program, the cookie of a page that has logged in, or nobody, who is what `anonymous`
 * says.
 */
export class Callers {
  readonly #auth: Auth;
  readonly #bodies: Bodies;

  constructor(auth: Auth, bodies: Bodies) {
    this.#auth = auth;
    this.#bodies = bodies;
  }

  async of(request: IncomingMessage): Promise<Shown | undefined> {
    const bearer = /^Bearer +(?<token>\S+)$/i.exec(request.headers.authorization ?? "")?.groups?.["token"];
    const token = bearer ?? cookieOf(request) ?? ANONYMOUS_TOKEN;
    const shown = await this.#shownBy(token);
    // A cookie of a user who has been removed is as good as none.
    return shown ?? (bearer === undefined ? this.#shownBy(ANONYMOUS_TOKEN) : undefined);
  }

  /** `POST /login` with `{ "token": "…" }`: keeps the token where no script can read it. */
  async login(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What a foreign page can send without asking first is no JSON.
    if (typeOf(request) !== "application/json") return say(response, 415, 'send application/json: { "token": "…" }');
    const parsed = Login.safeParse(jsonOf(await this.#bodies.read(request, MOST_LOGIN_BYTES)));
    const { token = "" } = parsed.data ?? {};
    const shown = await this.#shownBy(token);
    if (shown === undefined || token === ANONYMOUS_TOKEN) return say(response, 401, "nobody has this token");
    answerJson(response, 200, shown.caller, { "set-cookie": cookie(request, token, YEAR_S) });
  }

  /** `POST /logout`. */
  logout(request: IncomingMessage, response: ServerResponse): void {
    answer(response, 204, { "set-cookie": cookie(request, "", 0), "cache-control": "no-store" });
  }

  /**
   * `GET /session`: who the page is, and a ticket, which is the `token` of one connection to `/ws` within the next minute. 401: log in first.
   */
  async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const shown = await this.of(request);
    if (shown === undefined) return say(response, 401, "log in first");
    answerJson(response, 200, { ...shown.caller, ticket: this.#auth.newTicket(shown.identity) });
  }

  async #shownBy(token: string): Promise<Shown | undefined> {
    const identity = await this.#auth.identityOf(token);
    const caller = await this.#auth.callerOf(identity);
    return identity === undefined || caller === undefined ? undefined : { identity, caller };
  }
}

function cookie(request: IncomingMessage, value: string, maxAgeS: number): string {
  // Behind a proxy that speaks TLS the cookie is for TLS alone.
  const isSecure = request.headers["x-forwarded-proto"] === "https";
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${isSecure ? "; Secure" : ""}`;
  return `${cookieName(portOf(request))}=${value}; ${flags}`;
}

function cookieOf(request: IncomingMessage): string | undefined {
  // Browsers show it on every way to the host, whichever it was given on.
  if (!isPrivate(request)) return undefined;
  const wanted = `${cookieName(portOf(request))}=`;
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim());
  const value = pairs.find((pair) => pair.startsWith(wanted))?.slice(wanted.length);
  return value === "" ? undefined : value;
}

function portOf({ socket }: IncomingMessage): number {
  return socket.localPort ?? 0;
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
