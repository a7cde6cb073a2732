import { randomUUID } from "node:crypto";
import { chmod, lstat, readdir, readFile, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { RpcError } from "@rpc/core";
import { bornAt, isAlive } from "./step/processes.ts";

const LOOK_MS = 10;
const MOST_LOOKS = 50;
const SETTLE_MS = 50;

/** Removes a folder and all in it, also what a build has made read-only. */
export async function removeTree(path: string): Promise<void> {
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  try {
    await remove();
  } catch {
    await openUp(path);
    await remove();
  }
}

async function openUp(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  await chmod(path, 0o700).catch(() => undefined);
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await openUp(join(path, entry.name));
  }
}

/** Removes what stands in a folder, but for what `keeps` says when it is its turn. Gives what could not be removed. */
export async function emptyFolder(path: string, keeps: (name: string) => boolean = () => false): Promise<string[]> {
  const stuck: string[] = [];
  for (const name of await readdir(path).catch(() => [])) {
    if (keeps(name)) continue;
    await removeTree(join(path, name)).catch(() => stuck.push(join(path, name)));
  }
  return stuck;
}

/** What is free for this user where the folder is; undefined: the system does not tell. */
export async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/**
 * Takes a folder for this process, and gives the way to let it go. FAILED_PRECONDITION: another one that lives has it. What a killed one has
 * left does not count.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "bot.lock");
  const own = `${process.pid} ${bornAt(process.pid)} ${randomUUID()}`;
  let hasTakenOver = false;
  for (let looks = 0; ; looks += 1) {
    try {
      await writeFile(path, own, { flag: "wx", mode: 0o600 });
      // Another one may have found the same dead one's, and have removed this.
      if (hasTakenOver) await setTimeout(SETTLE_MS);
      if (!hasTakenOver || (await contentOf(path)) === own) return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const text = await contentOf(path);
    if (text === "" && looks < MOST_LOOKS) {
      // Made, and not written yet.
      await setTimeout(LOOK_MS);
      continue;
    }
    const [pid = "", born = ""] = text.split(" ");
    if (isAlive(Number(pid)) && bornAt(Number(pid)) === born) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `the bot of process ${pid} works in ${folder}: give this one another folder`,
      );
    }
    hasTakenOver = true;
    await rm(path, { force: true });
  }
}

function contentOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
