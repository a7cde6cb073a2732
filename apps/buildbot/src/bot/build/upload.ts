import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, type FileHandle, mkdir, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import type { Writer } from "../../contracts/bot.ts";
import { MOST_ARTEFACT_BYTES } from "../../contracts/values.ts";
import { pathBelow } from "../reports/read-report.ts";
import { filesBelow } from "../reports/glob.ts";
import { type Ask, type Delivery, isEndOfBot } from "../desk/delivery.ts";

const MOST_FILES = 1_000;
const CHUNK_BYTES = 64 * 1024;
/** One call of many: a slow line takes it in the time that a server waits for a body. */
const PART_BYTES = 256 * 1024;
/** A server that keeps no part, again and again, will not keep it. */
const MOST_TRIES = 20;
const AGAIN_MS = 1_000;
/** What comes damaged once more is damaged here, or on the way. */
const MOST_AGAIN = 2;
/** For any file, and besides for each of its bytes: 16 KiB in a second is a slow line. */
const UPLOAD_MS = 30 * 60_000;
const BYTE_MS = 1 / 16;

export interface UploadOptions {
  /** The work tree. */
  readonly root: string;
  readonly patterns: readonly string[];
  /** The build's folder, for copies: the tree may change, or go, before the server has them. */
  readonly spool: string;
  readonly seq: number;
  readonly delivery: Delivery;
}

/** Keeps what fits, and lets it be delivered. Gives what went wrong, in words. */
export async function keepArtefacts(
  options: UploadOptions,
): Promise<{ readonly kept: number; readonly problem?: string }> {
  const { root, patterns, spool, seq, delivery } = options;
  const folder = `artefacts-${seq}`;
  const names = await filesBelow(root, patterns);
  if (names.length === 0) return { kept: 0, problem: `no file fits ${patterns.join(", ")}` };
  await mkdir(join(spool, folder), { recursive: true });
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
    const file = `${folder}/${kept}`;
    await copyFile(from, join(spool, file), constants.COPYFILE_FICLONE);
    kept += 1;
    const what = `artefact ${name}`;
    const copy = { name, path: join(spool, file) };
    delivery.run(what, (ask) => deliverArtefact(ask, copy, delivery), { what, artefact: { name, file } });
  }
  if (names.length > MOST_FILES) problems.push(`${names.length} files fit, and the first ${MOST_FILES} are kept`);
  return problems.length === 0 ? { kept } : { kept, problem: problems.slice(0, 5).join("; ") };
}

/** Until the server has it, or refuses it: then the copy goes. Whoever comes after a bot that ends before finds it. */
export async function deliverArtefact(
  ask: Ask,
  { name, path }: { readonly name: string; readonly path: string },
  delivery: Delivery,
): Promise<void> {
  try {
    const [{ size: bytes }, sha256] = await Promise.all([stat(path), digestOf(path)]);
    await send(ask, { ...delivery.writer, name, bytes, sha256 }, path, delivery);
  } catch (error) {
    if (!isEndOfBot(error)) await rm(path, { force: true });
    throw error;
  }
  await rm(path, { force: true });
}

type Head = Writer & { readonly name: string; readonly bytes: number; readonly sha256: string };

async function send(ask: Ask, head: Head, path: string, delivery: Delivery): Promise<void> {
  for (let again = 0; ; again += 1) {
    try {
      return await sendOnce(ask, head, path, delivery);
    } catch (error) {
      // What it had of a try before was damaged: it has dropped that, and takes it anew.
      if (RpcError.from(error).code !== "DATA_LOSS" || again === MOST_AGAIN) throw error;
    }
  }
}

async function sendOnce(ask: Ask, head: Head, path: string, delivery: Delivery): Promise<void> {
  if (!delivery.hasStreams) return sendParts(ask, head, path, delivery);
  const items = () => itemsOf(head, path, () => delivery.heard());
  await ask(`artefact ${head.name}`, (desk, call) => desk.uploadArtefact(items(), call), {
    answerMs: UPLOAD_MS + Math.ceil(head.bytes * BYTE_MS),
  });
}

/** From where the server has it, which may be some of it since a try before. */
async function sendParts(ask: Ask, head: Head, path: string, delivery: Delivery): Promise<void> {
  const what = `artefact ${head.name}`;
  const file = await open(path, "r");
  try {
    let offset = 0;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const chunk = await partOf(file, offset, Math.min(PART_BYTES, head.bytes - offset));
      const { size } = await ask(what, (desk, call) => desk.appendArtefact({ ...head, offset, chunk }, call));
      if (size >= head.bytes) return;
      if (size > offset) tries = -1;
      else await delivery.rest(AGAIN_MS);
      offset = Math.max(0, size);
    }
  } finally {
    await file.close();
  }
  throw new Error("the server keeps no parts of it");
}

async function partOf(file: FileHandle, offset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const part = new Uint8Array(bytes);
  let got = 0;
  while (got < bytes) {
    const { bytesRead } = await file.read(part, got, bytes - got, offset + got);
    if (bytesRead === 0) throw new Error("its copy has become shorter");
    got += bytesRead;
  }
  return part;
}

async function* itemsOf(
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
