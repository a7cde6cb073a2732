/** Hides secrets in text that comes in pieces: one that is cut by their borders is hidden as well. */
export interface MaskStream {
  /** What can be told of the text so far. The beginning of what may become a secret is kept back. */
  push(text: string): string;
  /** What was kept back. */
  end(): string;
}

export interface SecretMask {
  readonly mask: (text: string) => string;
  readonly stream: () => MaskStream;
}

const STARS = "*****";
/** Lines of a secret of many lines show one by one as well; shorter ones (`{`, `EOF`) are no secret. */
const SHORTEST_LINE = 6;

/** Hides these values, the longest where several begin at one place. Empty ones are none. */
export function secretMask(values: Iterable<string>): SecretMask {
  const wanted = new Set<string>();
  for (const value of values) {
    wanted.add(value).add(value.trim());
    if (!/[\r\n]/.test(value)) continue;
    for (const line of value.split(/\r\n|\r|\n/)) if (line.trim().length >= SHORTEST_LINE) wanted.add(line.trim());
  }
  wanted.delete("");
  const secrets = [...wanted].toSorted((one, other) => other.length - one.length);
  const stream = (): MaskStream => (secrets.length === 0 ? OPEN : new Stream(secrets));
  return {
    stream,
    mask: (text) => {
      const one = stream();
      return one.push(text) + one.end();
    },
  };
}

const OPEN: MaskStream = { push: (text) => text, end: () => "" };

class Stream implements MaskStream {
  readonly #secrets: readonly string[];
  readonly #firsts: ReadonlySet<string | undefined>;
  readonly #pattern: RegExp;
  #kept = "";

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    this.#firsts = new Set(secrets.map((secret) => secret[0]));
    // The first alternative that fits is taken, and the longest stand first.
    this.#pattern = new RegExp(
      secrets.map((secret) => secret.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"),
      "g",
    );
  }

  push(text: string): string {
    return this.#take(this.#kept + text, false);
  }

  end(): string {
    return this.#take(this.#kept, true);
  }

  #take(text: string, isEnd: boolean): string {
    let told = "";
    let at = 0;
    for (;;) {
      const open = isEnd ? text.length : this.#openFrom(text, at);
      this.#pattern.lastIndex = at;
      const found = this.#pattern.exec(text);
      // A secret that begins where a longer one may begin is not decided yet.
      if (found === null || found.index >= open) {
        this.#kept = text.slice(open);
        return told + text.slice(at, open);
      }
      told += text.slice(at, found.index) + STARS;
      at = found.index + found[0].length;
    }
  }

  /** From where on the text may be the beginning of a secret. */
  #openFrom(text: string, from: number): number {
    const longest = this.#secrets[0]?.length ?? 0;
    for (let at = Math.max(from, text.length - longest + 1); at < text.length; at += 1) {
      if (!this.#firsts.has(text[at])) continue;
      const length = text.length - at;
      if (this.#secrets.some((secret) => secret.length > length && text.startsWith(secret.slice(0, length), at)))
        return at;
    }
    return text.length;
  }
}
