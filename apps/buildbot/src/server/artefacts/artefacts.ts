import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { MOST_ARTEFACT_BYTES } from "../../contracts/values.ts";
import { checkArtefactName } from "./names.ts";

const DIGEST = /^[0-9a-f]{64}$/;

export interface ArtefactsOptions {
  readonly folder: string;
  /** Default: 1 GiB. */
  readonly maxArtefactBytes?: number;
}

export interface ArtefactHead {
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** The files of artefacts, by build and digest: their names are in the database, and never those of files. */
export class Artefacts {
  readonly #folder: string;
  readonly #maxBytes: number;

  constructor({ folder, maxArtefactBytes = MOST_ARTEFACT_BYTES }: ArtefactsOptions) {
    this.#folder = folder;
    this.#maxBytes = maxArtefactBytes;
  }

  /** Forgets what was coming in when the server ended. */
  async begin(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true });
  }

  /** Throws INVALID_ARGUMENT, and RESOURCE_EXHAUSTED for what is too large. */
  check({ name, bytes, sha256 }: ArtefactHead): void {
    checkArtefactName(name);
    if (!DIGEST.test(sha256)) {
      throw new RpcError("INVALID_ARGUMENT", `artefact ${name}: sha256 must be 64 hexadecimal digits in small letters`);
    }
    if (bytes > this.#maxBytes) {
      const message = `artefact ${name}: ${bytes} bytes are more than the ${this.#maxBytes} that are kept of one`;
      // Not what a second try could change.
      throw new RpcError("FAILED_PRECONDITION", message, { reason: "maxArtefactBytes" });
    }
  }

  /**
   * Keeps what comes, when it is what the head says; nothing of it otherwise. DATA_LOSS: the digest is another; INVALID_ARGUMENT: more or fewer
   * bytes have come.
   */
  async receive(build: number, head: ArtefactHead, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.check(head);
    await mkdir(this.#incoming, { recursive: true });
    const incoming = join(this.#incoming, randomBytes(16).toString("hex"));
    const file = await open(incoming, "wx", 0o600);
    try {
      try {
        await take(file, head, chunks);
        await file.sync();
      } finally {
        await file.close();
      }
      await mkdir(join(this.#folder, String(build)), { recursive: true });
      await rename(incoming, this.path(build, head.sha256));
    } catch (thrown) {
      await rm(incoming, { force: true });
      throw thrown;
    }
  }

  /** Where it is, when it is there. */
  path(build: number, sha256: string): string {
    if (!DIGEST.test(sha256)) throw new RpcError("INVALID_ARGUMENT", "an artefact's digest is 64 hexadecimal digits");
    return join(this.#folder, String(build), sha256);
  }

  async has(build: number, { sha256, bytes }: ArtefactHead): Promise<boolean> {
    try {
      return (await stat(this.path(build, sha256))).size === bytes;
    } catch {
      return false;
    }
  }

  async remove(build: number): Promise<void> {
    await rm(join(this.#folder, String(build)), { recursive: true, force: true });
  }

  get #incoming(): string {
    return join(this.#folder, "incoming");
  }
}

async function take(file: FileHandle, head: ArtefactHead, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const hash = createHash("sha256");
  let got = 0;
  for await (const chunk of chunks) {
    got += chunk.length;
    if (got > head.bytes) break;
    hash.update(chunk);
    await file.appendFile(chunk);
  }
  if (got !== head.bytes) {
    const amount = got > head.bytes ? "more" : String(got);
    throw new RpcError("INVALID_ARGUMENT", `artefact ${head.name}: of ${head.bytes} bytes ${amount} have come`);
  }
  if (hash.digest("hex") !== head.sha256) {
    throw new RpcError("DATA_LOSS", `artefact ${head.name}: what has come has another digest: send it again`);
  }
}
