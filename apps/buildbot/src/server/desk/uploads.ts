import { RpcError } from "@rpc/core";
import type { ArtefactHead, Artefacts } from "../artefacts/index.ts";
import { addArtefact, findArtefact, listArtefacts, type Store, type Tx } from "../store/index.ts";

const MOST_OF_A_BUILD = 1000;

interface Writer {
  readonly build: number;
  readonly incarnation: string;
}

export type Upload = (Writer & ArtefactHead) | { readonly chunk: Uint8Array };

interface Receive {
  readonly store: Store;
  readonly artefacts: Artefacts;
  readonly uploads: AsyncIterable<Upload>;
  /** Rejects when the build is not the caller's, or has ended. */
  readonly check: (writer: Writer) => Promise<void>;
  /** The same, in the transaction in which `add` then writes. */
  readonly keep: (writer: Writer, add: (tx: Tx) => Promise<void>) => Promise<void>;
  readonly at: number;
}

/** Takes an artefact that comes as a head and chunks. What is there already is not read again. */
export async function receiveArtefact({ store, artefacts, uploads, check, keep, at }: Receive): Promise<void> {
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
    const { build, name, bytes, sha256 } = head;
    artefacts.check(head);
    await check(head);
    const known = await findArtefact(store.db, build, name);
    if (known?.sha256 === sha256 && (await artefacts.has(build, head))) return;
    if (known === undefined && (await listArtefacts(store.db, build)).length >= MOST_OF_A_BUILD) {
      throw new RpcError("FAILED_PRECONDITION", `build ${build} has ${MOST_OF_A_BUILD} artefacts already`, {
        reason: "maxArtefacts",
      });
    }
    await artefacts.receive(build, head, chunksOf(items, name));
    await keep(head, async (tx) => void (await addArtefact(tx.db, { build, name, bytes, sha256, at })));
  } finally {
    await items.return?.();
  }
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
