// What handlers of agent processes really did, in a file that survives them: each appends a line, which the kernel keeps when the process is killed.
import { closeSync, openSync, readSync, writeSync } from "node:fs";

export interface JournalEntry {
  readonly what: "start" | "end";
  /** The command's, given by its issuer. */
  readonly name: string;
  readonly attempt: number;
  readonly incarnation: string;
  /** On the machine's monotonic clock, which all processes share. */
  readonly atMs: number;
}

/** Milliseconds on the clock of the journal. */
export function journalNow(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

export class JournalWriter {
  readonly #descriptor: number;
  readonly #incarnation: string;

  constructor(file: string, incarnation: string) {
    this.#descriptor = openSync(file, "a");
    this.#incarnation = incarnation;
  }

  /** On return it is there, whatever becomes of this process. */
  write(what: JournalEntry["what"], name: string, attempt: number): void {
    writeSync(this.#descriptor, `${JSON.stringify([what, name, attempt, this.#incarnation, journalNow()])}\n`);
  }
}

type Line = readonly [JournalEntry["what"], string, number, string, number];

/** Reads what has been added since it was asked last. */
export class JournalReader {
  readonly entries: JournalEntry[] = [];
  readonly #descriptor: number;
  readonly #chunk: Buffer = Buffer.alloc(1 << 16);
  #offset = 0;
  #rest = "";

  constructor(file: string) {
    this.#descriptor = openSync(file, "a+");
  }

  read(): readonly JournalEntry[] {
    for (;;) {
      const size = readSync(this.#descriptor, this.#chunk, 0, this.#chunk.length, this.#offset);
      if (size === 0) return this.entries;
      this.#offset += size;
      this.#rest += this.#chunk.toString("latin1", 0, size);
      const lines = this.#rest.split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        const [what, name, attempt, incarnation, atMs] = JSON.parse(line) as Line;
        this.entries.push({ what, name, attempt, incarnation, atMs });
      }
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
