import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MOST_ARTEFACT_BYTES } from "../../contracts/values.ts";
import { pathBelow } from "../reports/read-report.ts";
import { filesBelow } from "../reports/glob.ts";
import type { Delivery } from "../desk/delivery.ts";

const MOST_FILES = 1_000;
const CHUNK_BYTES = 64 * 1024;
/** For any file, and besides for each of its bytes: 16 KiB in a second is a slow line. */
const UPLOAD_MS = 30 * 60_000;
const BYTE_MS = 1 / 16;

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
  const problems: string[] = [];
  for (const name of names.slice(0, MOST_FILES)) {
    const from = await pathBelow(root, name);
    if (from === undefined) {
      // Its name is no text, or it has gone meanwhile.
      problems.push(`${name} cannot be read`);
      continue;
    }
    // The server takes none; a copy could be all that the disk has left.
    if ((await stat(from)).size > MOST_ARTEFACT_BYTES) {
      problems.push(`${name} is larger than ${MOST_ARTEFACT_BYTES} bytes`);
      continue;
    }
    const copy = join(spool, String(kept));
    await copyFile(from, copy, constants.COPYFILE_FICLONE);
    kept += 1;
    delivery.run(`artefact ${name}`, async (ask) => {
      try {
        const [{ size: bytes }, sha256] = await Promise.all([stat(copy), digestOf(copy)]);
        const head = { ...writer, name, bytes, sha256 };
        const items = () => itemsOf(head, copy, () => delivery.heard());
        await ask(`artefact ${name}`, (desk, call) => desk.uploadArtefact(items(), call), {
          answerMs: UPLOAD_MS + Math.ceil(bytes * BYTE_MS),
        });
      } finally {
        await rm(copy, { force: true });
      }
    });
  }
  if (names.length > MOST_FILES) problems.push(`${names.length} files fit, and the first ${MOST_FILES} are kept`);
  return problems.length === 0 ? { kept } : { kept, problem: problems.slice(0, 5).join("; ") };
}

async function* itemsOf<Head>(
  head: Head,
  path: string,
  taken: () => void,
): AsyncGenerator<Head | { readonly chunk: Uint8Array<ArrayBuffer> }> {
  yield head;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    yield { chunk: new Uint8Array(chunk as Buffer) };
    taken();
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
