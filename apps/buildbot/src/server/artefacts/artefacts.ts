import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { KeyedLock } from "../../bot/keyed-lock.ts";
import { MOST_ARTEFACT_BYTES } from "../../contracts/values.ts";
import { IncomingFile } from "./incoming-file.ts";
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
  readonly #lock = new KeyedLock();

  constructor({ folder, maxArtefactBytes = MOST_ARTEFACT_BYTES }: ArtefactsOptions) {
    this.#folder = folder;
    this.#maxBytes = maxArtefactBytes;
  }

  /** Forgets what was coming in when the server ended; but not parts, which are sent on. */
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
    const incoming = await IncomingFile.open(join(this.#incoming, randomBytes(16).toString("hex")), head);
    try {
      for await (const chunk of chunks) await incoming.append(incoming.size, chunk);
      await incoming.keep(this.path(build, head.sha256));
    } catch (thrown) {
      await incoming.drop();
      throw thrown;
    }
    await incoming.close();
  }

  /**
   * Adds a part, and gives how much is there: with all of it, it is kept. What is there already is skipped; a part that leaves a gap is not taken.
   * Rejects as `receive`; then nothing of it is there any more.
   */
  async append(build: number, head: ArtefactHead, offset: number, chunk: Uint8Array): Promise<number> {
    this.check(head);
    const path = this.#part(build, head);
    return this.#lock.run(path, async () => {
      if (await this.has(build, head)) return head.bytes;
      const incoming = await IncomingFile.open(path, head);
      try {
        await incoming.append(offset, chunk);
        if (incoming.size === head.bytes) await incoming.keep(this.path(build, head.sha256));
      } catch (thrown) {
        await incoming.drop();
        throw thrown;
      }
      await incoming.close();
      return incoming.size;
    });
  }

  /** Whether some of it has come by parts. */
  async hasPart(build: number, head: ArtefactHead): Promise<boolean> {
    return stat(this.#part(build, head)).then(
      () => true,
      () => false,
    );
  }

  /** How many artefacts of a build have come in part. */
  async countParts(build: number): Promise<number> {
    return (await readdir(join(this.#parts, String(build))).catch(() => [])).length;
  }

  /** Of a build that has ended nothing more comes. */
  async dropParts(build: number): Promise<void> {
    await rm(join(this.#parts, String(build)), { recursive: true, force: true });
  }

  /** Of all builds but those that run, which are asked for when it is known what there is: one that begins meanwhile loses nothing. */
  async dropOldParts(whoRuns: () => Promise<(build: number) => boolean>): Promise<void> {
    const names = await readdir(this.#parts).catch(() => []);
    const runs = await whoRuns();
    for (const name of names) if (!runs(Number(name))) await this.dropParts(Number(name));
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
    await this.dropParts(build);
    await rm(join(this.#folder, String(build)), { recursive: true, force: true });
  }

  /** By all that its head says: who says something else means another. */
  #part(build: number, { name, bytes, sha256 }: ArtefactHead): string {
    const key = createHash("sha256")
      .update(JSON.stringify([name, bytes, sha256]))
      .digest("hex");
    return join(this.#parts, String(build), key);
  }

  get #parts(): string {
    return join(this.#folder, "parts");
  }

  get #incoming(): string {
    return join(this.#folder, "incoming");
  }
}
