import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathBelow } from "../reports/read-report.ts";
import { filesBelow } from "../reports/glob.ts";
import type { Delivery } from "../desk/delivery.ts";

const MOST_FILES = 1_000;
const CHUNK_BYTES = 64 * 1024;
/** A file may be large, and the line slow. */
const UPLOAD_MS = 30 * 60_000;

export interface UploadOptions {
  /** The work tree. */
  readonly root: string;
  readonly patterns: readonly string[];
  /** A folder for copies: the tree may change, or go, before the server has them. */
  readonly spool: string;
  readonly writer: { readonly build: number; readonly incarnation: string };
  readonly delivery: Delivery;
}

/** Keeps what fits, and lets it be delivered. Gives what went wrong, in words. */
export async function keepArtefacts(
  options: UploadOptions,
): Promise<{ readonly kept: number; readonly problem?: string }> {
  const { root, patterns, spool, delivery, writer } = options;
  const names = await filesBelow(root, patterns);
  if (names.length === 0) return { kept: 0, problem: `no file fits ${patterns.join(", ")}` };
  await mkdir(spool, { recursive: true });
  let kept = 0;
  for (const name of names.slice(0, MOST_FILES)) {
    const from = await pathBelow(root, name);
    if (from === undefined) continue;
    const copy = join(spool, String(kept));
    await copyFile(from, copy, constants.COPYFILE_FICLONE);
    kept += 1;
    delivery.run(`artefact ${name}`, async (ask) => {
      try {
        const [{ size: bytes }, sha256] = await Promise.all([stat(copy), digestOf(copy)]);
        const head = { ...writer, name, bytes, sha256 };
        await ask(`artefact ${name}`, (desk, call) => desk.uploadArtefact(itemsOf(head, copy), call), {
          answerMs: UPLOAD_MS,
        });
      } finally {
        await rm(copy, { force: true });
      }
    });
  }
  return names.length > MOST_FILES
    ? { kept, problem: `${names.length} files fit, and the first ${MOST_FILES} are kept` }
    : { kept };
}

async function* itemsOf<Head>(
  head: Head,
  path: string,
): AsyncGenerator<Head | { readonly chunk: Uint8Array<ArrayBuffer> }> {
  yield head;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }))
    yield { chunk: new Uint8Array(chunk as Buffer) };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
