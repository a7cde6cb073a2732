import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RpcError } from "@rpc/core";
import { z } from "zod";
import { Told, type Writer } from "../../contracts/bot.ts";
import { Results } from "../../contracts/values.ts";

const JOURNAL = "journal";
const OUTCOME = "outcome.json";
const DRAFT = "outcome.draft";
/** In the place of what cannot be read. */
export const DAMAGED = "a part that the bot's disk has damaged";
/** Where they lie is the folder's business: none of another's. */
const File = z.string().regex(/^artefacts-\d+\/\d+$/);

/** One of the things to tell, in words for people and as it is told. Logs and artefacts lie beside the journal until the server has them. */
const Entry = z.union([
  z.object({ what: z.string(), told: Told }),
  z.object({ what: z.string(), log: z.int().min(0) }),
  z.object({ what: z.string(), artefact: z.object({ name: z.string(), file: File }) }),
  /** Why the server has not taken one, in words. */
  z.object({ refused: z.string() }),
]);
export type Entry = z.infer<typeof Entry>;

/** How a build has ended, while the server does not know it. */
const Outcome = z.object({
  build: z.int().positive(),
  incarnation: z.string(),
  /** Who is to tell it, by name, and which server is to hear it: nobody else's business. Left out: not known. */
  bot: z.string().optional(),
  server: z.string().optional(),
  /** For people. */
  title: z.string(),
  at: z.int(),
  results: Results,
  summary: z.string(),
});
export type Outcome = z.infer<typeof Outcome>;

/** Of a build's folder: two servers may both have a build of this number. */
export function spoolName(build: number, server: string | undefined): string {
  return server === undefined ? String(build) : `${build}-${server}`;
}

/** What is told of one build, as lines of a file in its folder, so that whoever comes after this process can tell it. */
export class Journal {
  readonly #folder: string;
  #file: FileHandle | undefined;
  #unwritten: string[] = [];
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  /** The folder must be there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  append(entry: Entry): void {
    if (this.#failure !== undefined) return;
    this.#unwritten.push(`${JSON.stringify(entry)}\n`);
    this.#writing ??= this.#write();
  }

  /** From now on the build is told of by whoever finds it. All else of it must be written. Rejects when the disk does not take it. */
  async seal(outcome: Outcome): Promise<void> {
    await this.#flush();
    for (const name of await readdir(this.#folder, { recursive: true, withFileTypes: true })) {
      // Folders as well: that a file is in one is written there.
      if (name.isFile() || name.isDirectory()) await synced(join(name.parentPath, name.name));
    }
    const draft = join(this.#folder, DRAFT);
    const file = await open(draft, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(outcome));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(this.#folder, OUTCOME));
    await synced(this.#folder);
    await synced(dirname(this.#folder));
  }

  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#failure ??= new Error("the journal is closed");
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  async #flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(): Promise<void> {
    try {
      this.#file ??= await open(join(this.#folder, JOURNAL), "a", 0o600);
      while (this.#unwritten.length > 0) {
        const lines = this.#unwritten.splice(0).join("");
        await this.#file.appendFile(lines);
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#unwritten = [];
    } finally {
      this.#writing = undefined;
    }
  }
}

/**
 * Undefined: no build has ended here that the server has not heard of. Rejects FAILED_PRECONDITION when nobody can say that, for whoever takes it
 * for none removes it.
 */
export async function readOutcome(folder: string): Promise<Outcome | undefined> {
  const path = join(folder, OUTCOME);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return undefined;
    }
    const why = error instanceof Error ? error.message : String(error);
    const message = `${path}, how a build has ended that the server has not heard of, cannot be read (${why}): make it readable, or remove it`;
    throw new RpcError("FAILED_PRECONDITION", message, { cause: error });
  }
  return parsed(Outcome, text);
}

/** All that was to be told, in order; a line that cannot be read is one that is refused. It may be more than fits into memory. */
export async function* readJournal(folder: string): AsyncGenerator<Entry, void, undefined> {
  let rest = "";
  for await (const chunk of createReadStream(join(folder, JOURNAL), { encoding: "utf8" })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield entryOf(line);
  }
  if (rest !== "") yield entryOf(rest);
}

function entryOf(line: string): Entry {
  return parsed(Entry, line) ?? { refused: DAMAGED };
}

/** First of all that it is to be told. */
export async function forgetOutcome(folder: string): Promise<void> {
  await rm(join(folder, OUTCOME), { force: true });
}

export function writerOf({ build, incarnation }: Outcome): Writer {
  return { build, incarnation };
}

async function synced(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch {
    // The server has got it meanwhile; or it is none that could be sent.
    return;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function parsed<T>(shape: z.ZodType<T>, text: string): T | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
