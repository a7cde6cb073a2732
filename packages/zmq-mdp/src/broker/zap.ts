import { createHash, timingSafeEqual } from "node:crypto";
import { type Context, Router } from "zeromq";
import type { MdpAuth } from "./auth.ts";

const ENDPOINT = "inproc://zeromq.zap.01";
const EMPTY = Buffer.alloc(0);
const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** The domain by which a door is known to whoever admits peers. */
export function zapDomainOf(door: number): string {
  return `rpc-mdp-${door}`;
}

/**
 * Decides who is let in (27/ZAP). It answers everything that libzmq asks: a question that is not understood, a door without a rule and a
 * rule that throws are a no.
 */
export class ZapHandler {
  readonly #socket: Router;
  readonly #rules: ReadonlyMap<string, MdpAuth>;
  readonly #log: (line: string) => void;

  constructor(context: Context, rules: ReadonlyMap<string, MdpAuth>, log: (line: string) => void) {
    this.#socket = new Router({ context, linger: 0, sendTimeout: 0 });
    this.#rules = rules;
    this.#log = log;
  }

  /** From now on there is an answer. Sockets that ask are to be bound afterwards. */
  async start(): Promise<void> {
    await this.#socket.bind(ENDPOINT);
    void this.#serve();
  }

  close(): void {
    this.#socket.close();
  }

  async #serve(): Promise<void> {
    try {
      for (;;) void this.#answer(await this.#socket.receive());
    } catch {
      // Closed.
    }
  }

  async #answer(frames: readonly Buffer[]): Promise<void> {
    const emptyAt = frames.findIndex(({ length }) => length === 0);
    const [version, requestId, domain, address, , mechanism, ...credentials] = frames.slice(emptyAt + 1);
    let admitted = false;
    let user = "";
    try {
      const rule = this.#rules.get(domain?.toString() ?? "");
      if (version?.toString() === "1.0" && rule !== undefined) {
        [admitted, user] = await verdictOf(rule, mechanism?.toString(), credentials, address?.toString() ?? "");
      }
    } catch (thrown) {
      this.#log(`whether ${address?.toString()} is let in could not be found out: ${String(thrown)}`);
    }
    if (!admitted) this.#log(`${address?.toString()} was not let in`);
    const reply = [
      ...frames.slice(0, emptyAt + 1),
      Buffer.from("1.0"),
      requestId ?? EMPTY,
      Buffer.from(admitted ? "200" : "400"),
      Buffer.from(admitted ? "OK" : "no"),
      Buffer.from(admitted ? user : ""),
      EMPTY,
    ];
    // The socket may have been closed while the answer was looked for.
    if (!this.#socket.closed) await this.#socket.send(reply).catch(() => undefined);
  }
}

async function verdictOf(
  rule: MdpAuth,
  mechanism: string | undefined,
  credentials: readonly Buffer[],
  address: string,
): Promise<[admitted: boolean, user: string]> {
  if (rule.mechanism === "curve") {
    const key = credentials[0];
    if (mechanism !== "CURVE" || key?.length !== 32) return [false, ""];
    const publicKey = z85(key);
    const admitted =
      typeof rule.admit === "function" ? await rule.admit(publicKey, address) : rule.admit.includes(publicKey);
    return [admitted, publicKey];
  }
  const [username, password] = credentials.map(String);
  if (mechanism !== "PLAIN" || username === undefined || password === undefined) return [false, ""];
  if (typeof rule.admit === "function") return [await rule.admit(username, password, address), username];
  const expected = Object.hasOwn(rule.admit, username) ? rule.admit[username] : undefined;
  // Compared even when there is nobody of that name: how long it takes tells nothing.
  const same = timingSafeEqual(digest(password), digest(expected ?? ""));
  return [same && expected !== undefined, username];
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** 32/Z85: four bytes as five letters. */
function z85(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    let value = bytes.readUInt32BE(at);
    let letters = "";
    for (let letter = 0; letter < 5; letter += 1) {
      letters = (Z85[value % 85] ?? "") + letters;
      value = Math.floor(value / 85);
    }
    text += letters;
  }
  return text;
}
