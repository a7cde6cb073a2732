import { RpcError } from "@rpc/core";
import type { ArtefactHead, Artefacts } from "../artefacts/index.ts";
import { addArtefact, countArtefacts, findArtefact, listRunning, type Store, type Tx } from "../store/index.ts";

const MOST_OF_A_BUILD = 1000;
const MOST_PART_BYTES = 1024 * 1024;

interface Writer {
  readonly build: number;
  readonly incarnation: string;
}

export type Upload = (Writer & ArtefactHead) | { readonly chunk: Uint8Array };

export type UploadPart = Writer & ArtefactHead & { readonly offset: number; readonly chunk: Uint8Array };

interface Keeping {
  readonly store: Store;
  readonly artefacts: Artefacts;
  /** Rejects when the build is not the caller's, or has ended. */
  readonly check: (writer: Writer) => Promise<void>;
  /** The same, in the transaction in which `add` then writes. */
  readonly keep: (writer: Writer, add: (tx: Tx) => Promise<void>) => Promise<void>;
  readonly at: number;
}

interface Receive extends Keeping {
  readonly uploads: AsyncIterable<Upload>;
}

/** Takes a part of an artefact. Gives how much of it is there. */
export async function receivePart(keeping: Keeping, { offset, chunk, ...head }: UploadPart): Promise<number> {
  const { artefacts, keep } = keeping;
  if (chunk.length > MOST_PART_BYTES) {
    const message = `artefact ${head.name}: a part has at most ${MOST_PART_BYTES} bytes: send it in several`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "maxPartBytes" });
  }
  if (await isKnown(keeping, head)) return head.bytes;
  if (!(await artefacts.hasPart(head.build, head))) await makeRoom(keeping, head);
  const size = await artefacts.append(head.build, head, offset, chunk);
  if (size === head.bytes) await keep(head, add(keeping, head));
  return size;
}

/** Takes an artefact that comes as a head and chunks. What is there already is not read again. */
export async function receiveArtefact({ uploads, ...keeping }: Receive): Promise<void> {
  const { artefacts, keep } = keeping;
  const items = uploads[Symbol.asyncIterator]();
  try {
    const first = await items.next();
    if (first.done === true || "chunk" in first.value) {
      throw new RpcError(
        "INVALID_ARGUMENT",
        "an artefact begins with its head: build, incarnation, name, bytes, sha256",
      );
    }
    const head = first.value;
    if (await isKnown(keeping, head)) return;
    await artefacts.receive(head.build, head, chunksOf(items, head.name));
    await keep(head, add(keeping, head));
  } finally {
    await items.return?.();
  }
}

/** Whether it is there already. Rejects for one that cannot be, or is not wanted. */
async function isKnown({ store, artefacts, check }: Keeping, head: Writer & ArtefactHead): Promise<boolean> {
  const { build, name, sha256 } = head;
  artefacts.check(head);
  await check(head);
  const known = await findArtefact(store.db, build, name);
  if (known?.sha256 === sha256 && (await artefacts.has(build, head))) return true;
  // Parts are counted when the first of them comes.
  if (known !== undefined || (await artefacts.hasPart(build, head))) return false;
  if ((await countArtefacts(store.db, build)) >= MOST_OF_A_BUILD) throw tooMany(build);
  return false;
}

/** For the first part of one. */
async function makeRoom({ store, artefacts }: Keeping, { build }: Writer): Promise<void> {
  const begun = await artefacts.countParts(build);
  if (begun + (await countArtefacts(store.db, build)) >= MOST_OF_A_BUILD) throw tooMany(build);
  if (begun > 0) return;
  // What has come of builds that were taken from their bots.
  await artefacts.dropOldParts(async () => {
    const running = new Set((await listRunning(store.db)).map(({ id }) => id));
    return (each) => each === build || running.has(each);
  });
}

function add({ at }: Keeping, { build, name, bytes, sha256 }: Writer & ArtefactHead) {
  return async (tx: Tx): Promise<void> => void (await addArtefact(tx.db, { build, name, bytes, sha256, at }));
}

function tooMany(build: number): RpcError {
  const message = `build ${build} has ${MOST_OF_A_BUILD} artefacts already`;
  return new RpcError("FAILED_PRECONDITION", message, { reason: "maxArtefacts" });
}

async function* chunksOf(items: AsyncIterator<Upload>, name: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await items.next();
    if (next.done === true) return;
    if (!("chunk" in next.value)) {
      throw new RpcError("INVALID_ARGUMENT", `artefact ${name}: a second head has come; each is a call of its own`);
    }
    yield next.value.chunk;
  }
}
