import { promises as fs } from "node:fs";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import type { Frames } from "../frames/words.ts";
import type { TitanicState, TitanicStore } from "./titanic-store.ts";

/** Keeps requests and replies as files of a directory, which is made if need be: two for each request, written whole or not at all. */
export function createTitanicFileStore(directory: string): TitanicStore {
  const requestOf = (id: string): string => join(directory, `${checked(id)}.request`);
  const replyOf = (id: string): string => join(directory, `${checked(id)}.reply`);
  const turns = new Map<string, Promise<void>>();
  /** One after the other for each request: a reply that comes while its request is removed is not to stay behind. */
  const inTurn = async (id: string, work: () => Promise<void>): Promise<void> => {
    const before = turns.get(id);
    const turn = (async () => {
      await before?.catch(() => undefined);
      await work();
    })();
    turns.set(id, turn);
    try {
      await turn;
    } finally {
      if (turns.get(id) === turn) turns.delete(id);
    }
  };
  return {
    async put({ id, service, body }) {
      await fs.mkdir(directory, { recursive: true });
      await write(directory, requestOf(id), [Buffer.from(service), ...body]);
    },
    answer(id, reply) {
      return inTurn(id, async () => {
        if (await exists(requestOf(id))) await write(directory, replyOf(id), reply);
      });
    },
    async get(id): Promise<TitanicState> {
      if (!(await exists(requestOf(id)))) return { kind: "unknown" };
      const reply = await read(replyOf(id));
      return reply === undefined ? { kind: "pending" } : { kind: "answered", reply };
    },
    remove(id) {
      return inTurn(id, async () => {
        // The request first: without it nothing is done again, and a reply alone is nobody's.
        await fs.rm(requestOf(id), { force: true });
        await fs.rm(replyOf(id), { force: true });
      });
    },
    async pending() {
      const names = await fs.readdir(directory).catch(noDirectory);
      const answered = new Set(names.filter((name) => name.endsWith(".reply")).map((name) => name.slice(0, 32)));
      const requests = new Set(names.filter((name) => ID_OF_REQUEST.test(name)).map((name) => name.slice(0, 32)));
      // What a crash has left of a removal.
      for (const id of answered) if (!requests.has(id) && ID.test(id)) await fs.rm(replyOf(id), { force: true });
      const found = [];
      for (const id of requests) {
        if (answered.has(id)) continue;
        const [service, ...body] = (await read(requestOf(id))) ?? [];
        if (service !== undefined) found.push({ id, service: Buffer.from(service).toString(), body });
      }
      return found;
    },
  };
}

const ID = /^[0-9a-f]{32}$/;
const ID_OF_REQUEST = /^[0-9a-f]{32}\.request$/;

/** An id is a part of a file's name, and comes from a peer. */
function checked(id: string): string {
  if (ID.test(id)) return id;
  throw new RpcError("INVALID_ARGUMENT", "an id of Titanic is 32 hex digits", { reason: "INVALID_ARGUMENT" });
}

function noDirectory(thrown: unknown): string[] {
  if (isMissing(thrown)) return [];
  throw thrown;
}

async function exists(path: string): Promise<boolean> {
  try {
    await fs.access(path);
    return true;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}

/** On disk when it resolves: the file's bytes, and its name. */
async function write(directory: string, path: string, frames: Frames): Promise<void> {
  const temporary = `${path}.new`;
  const file = await fs.open(temporary, "w", 0o600);
  try {
    await file.writeFile(pack(frames));
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
  const entry = await fs.open(directory, "r");
  try {
    await entry.sync();
  } finally {
    await entry.close();
  }
}

/** Undefined when there is no such file. Throws DATA_LOSS for one that is none of ours. */
async function read(path: string): Promise<Frames | undefined> {
  let bytes: Buffer;
  try {
    bytes = await fs.readFile(path);
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
  const frames: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 4 <= bytes.length ? at + 4 + bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new RpcError("DATA_LOSS", `${path} is cut short`, { reason: "DATA_LOSS" });
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}

/** Frames one after the other, each behind its length in four bytes. */
function pack(frames: Frames): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      return [length, frame];
    }),
  );
}
