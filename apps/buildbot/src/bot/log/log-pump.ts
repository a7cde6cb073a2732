import type { Clock } from "@rpc/core";
import { type LogPiece, LogSpool, type LogStream } from "./log-spool.ts";
import { type MaskStream, type SecretMask, secretMask } from "./secret-mask.ts";

/** A log is sent when so much has come, */
const ENOUGH_BYTES = 16 * 1024;
/** or so long after its first byte: who watches is to see a line within 300 ms, all told. */
const ENOUGH_MS = 100;
/** What one call carries, where much waits. */
const MOST_BYTES = 256 * 1024;
/** A record is sent whole. */
const RECORD_CHARS = 16 * 1024;
/** A server that takes nothing, again and again, will not take it. */
const MOST_TRIES = 20;
const PAUSE_MS = 1_000;
const MOST_UNSENT = 256 * 1024 * 1024;

export interface LogPumpOptions {
  /** Of the spool's file. */
  readonly path: string;
  readonly mask: SecretMask;
  readonly clock: Clock;
  /** So much may wait for the server before the step has to; default: 256 MiB. */
  readonly maxUnsentBytes?: number;
  /** Output as it is told, for those who read results out of it. */
  readonly tap?: ((stream: "out" | "err", text: string) => void) | undefined;
  /** The log is lost: the disk takes no more. */
  readonly onFailure?: ((error: Error) => void) | undefined;
  /** One that is there already. */
  readonly spool?: LogSpool | undefined;
}

/** Gives pieces to the server at an offset, and says how large its log is now. */
export type AppendLog = (offset: number, pieces: LogPiece[]) => Promise<number>;

/**
 * From the pipes of a step to the log at the server: UTF-8 is made whole (what is none becomes U+FFFD), secrets are hidden, and all of it is
 * in a file until the server has it.
 */
export class LogPump {
  readonly #options: LogPumpOptions;
  readonly #spool: LogSpool;
  readonly #ins: Record<
    "out" | "err",
    { readonly decoder: InstanceType<typeof TextDecoder>; readonly mask: MaskStream }
  >;
  #isEnded = false;
  #sent = 0;
  /** When the first byte came that is not sent. */
  #since: number | undefined;
  #wake: (() => void) | undefined;

  constructor(options: LogPumpOptions) {
    this.#options = options;
    const { maxUnsentBytes = MOST_UNSENT, onFailure } = options;
    this.#spool = options.spool ?? new LogSpool(options.path, { maxUnsentBytes, onFailure });
    const one = () => ({
      decoder: new TextDecoder("utf-8", { ignoreBOM: true }),
      mask: options.mask.stream(),
    });
    this.#ins = { out: one(), err: one() };
  }

  /** What an earlier process has left of a log, to be delivered; undefined: nothing. */
  static async left(path: string, clock: Clock): Promise<LogPump | undefined> {
    const spool = await LogSpool.reopen(path);
    if (spool === undefined) return undefined;
    const pump = new LogPump({ path, mask: secretMask([]), clock, spool });
    pump.end();
    return pump;
  }

  /** Of the log, until now. */
  get size(): number {
    return this.#spool.size;
  }

  /** A promise: read no more until then. It never rejects. */
  write(stream: "out" | "err", bytes: Uint8Array): Promise<void> | undefined {
    if (this.#isEnded) return undefined;
    const { decoder, mask } = this.#ins[stream];
    return this.#append(stream, mask.push(decoder.decode(bytes, { stream: true })));
  }

  /** A line of the bot's own. */
  head(line: string): void {
    if (!this.#isEnded) void this.#append("head", this.#options.mask.mask(`${line}\n`));
  }

  /** What the pipes gave has ended: what was kept back of it goes to the log. */
  flush(): void {
    for (const stream of ["out", "err"] as const) {
      const { decoder, mask } = this.#ins[stream];
      void this.#append(stream, mask.push(decoder.decode()) + mask.end());
    }
  }

  /** Nothing follows. */
  end(): void {
    if (this.#isEnded) return;
    this.flush();
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Sends what comes until all is there. Rejects with what `append` does; false: the server takes no more of it, or the disk took none. */
  async deliver(append: AppendLog): Promise<boolean> {
    let tries = 0;
    for (;;) {
      await this.#somethingToSend();
      await this.#spool.flush();
      if (this.#sent >= this.#spool.size) {
        if (this.#isEnded) return this.#spool.failure === undefined;
        this.#since = undefined;
        continue;
      }
      const until = this.#spool.size;
      const pieces = await this.#spool.read(this.#sent, MOST_BYTES);
      const size = await append(this.#sent, pieces);
      tries = size > this.#sent ? 0 : tries + 1;
      if (tries === MOST_TRIES) return false;
      if (tries > 0) await this.#sleep(PAUSE_MS);
      // Less than before: the server has lost its end, and gets it again.
      this.#sent = Math.min(Math.max(0, size), this.#spool.size);
      this.#spool.acknowledge(this.#sent);
      if (this.#sent >= until) this.#since = this.#spool.size > until ? this.#options.clock.now() : undefined;
    }
  }

  /** The server has so much already. Before it is delivered. */
  skipTo(offset: number): void {
    this.#sent = Math.min(Math.max(0, offset), this.#spool.size);
  }

  /** Nobody will take it: what is written goes nowhere, and holds nobody up. */
  abandon(): void {
    this.#spool.discard();
  }

  /** When all that was written until now is on the disk, or never will be. */
  flushed(): Promise<void> {
    return this.#spool.flush();
  }

  /** Nobody sends or writes any more. */
  close(): Promise<void> {
    this.end();
    return this.#spool.close();
  }

  #append(stream: LogStream, text: string): Promise<void> | undefined {
    if (text === "") return undefined;
    if (stream !== "head") this.#options.tap?.(stream, text);
    let wait: Promise<void> | undefined;
    for (let at = 0; at < text.length;) {
      let end = Math.min(at + RECORD_CHARS, text.length);
      // Not between the two halves of a character.
      if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end += 1;
      wait = this.#spool.append(stream, text.slice(at, end)) ?? wait;
      at = end;
    }
    this.#since ??= this.#options.clock.now();
    this.#wake?.();
    return wait;
  }

  async #somethingToSend(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#isEnded && this.#spool.size - this.#sent < ENOUGH_BYTES) {
      const left = this.#since === undefined ? undefined : this.#since + ENOUGH_MS - clock.now();
      if (left !== undefined && left <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = left === undefined ? undefined : clock.setTimeout(resolve, left);
        this.#wake = () => {
          clock.clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setTimeout(resolve, ms));
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd8_00 && code <= 0xdb_ff;
}
