import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { RpcError } from "@rpc/core";
import type { ArtefactHead } from "./artefacts.ts";

/** What has come of an artefact, until all of it is there. One at a time for a path. */
export class IncomingFile {
  readonly #path: string;
  readonly #head: ArtefactHead;
  readonly #file: FileHandle;
  /** Of what has come; undefined: some of it came before this was opened. */
  readonly #hash: Hash | undefined;
  #size: number;

  private constructor(path: string, head: ArtefactHead, file: FileHandle, size: number) {
    this.#path = path;
    this.#head = head;
    this.#file = file;
    this.#size = size;
    this.#hash = size === 0 ? createHash("sha256") : undefined;
  }

  /** Made when it is not there. */
  static async open(path: string, head: ArtefactHead): Promise<IncomingFile> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "a+", 0o600);
    try {
      return new IncomingFile(path, head, file, (await file.stat()).size);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds what begins after `offset` bytes: what is there already is skipped, and nothing is added where that would leave a gap. INVALID_ARGUMENT:
   * it is more than the head says.
   */
  async append(offset: number, chunk: Uint8Array): Promise<void> {
    const { name, bytes } = this.#head;
    if (offset + chunk.length > bytes) {
      throw new RpcError("INVALID_ARGUMENT", `artefact ${name}: of ${bytes} bytes more have come`);
    }
    if (offset > this.#size) return;
    const fresh = chunk.subarray(Math.min(chunk.length, this.#size - offset));
    if (fresh.length === 0) return;
    await this.#file.appendFile(fresh);
    this.#hash?.update(fresh);
    this.#size += fresh.length;
  }

  /** Puts it where it stays. DATA_LOSS: the digest is another; INVALID_ARGUMENT: some is missing. */
  async keep(path: string): Promise<void> {
    const { name, bytes, sha256 } = this.#head;
    if (this.#size !== bytes) {
      throw new RpcError("INVALID_ARGUMENT", `artefact ${name}: of ${bytes} bytes ${this.#size} have come`);
    }
    if ((await this.#digest()) !== sha256) {
      throw new RpcError("DATA_LOSS", `artefact ${name}: what has come has another digest: send it again`);
    }
    await this.#file.sync();
    await mkdir(dirname(path), { recursive: true });
    await rename(this.#path, path);
  }

  /** It can be opened again. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** Nothing of it stays. */
  async drop(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }

  async #digest(): Promise<string> {
    if (this.#hash !== undefined) return this.#hash.digest("hex");
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(this.#path)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  }
}
