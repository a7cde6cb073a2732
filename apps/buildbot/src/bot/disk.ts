import { chmod, lstat, open, readdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";

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

/** Removes what stands in a folder, but for `keep`. Gives what could not be removed. */
export async function emptyFolder(path: string, keep: ReadonlySet<string> = new Set()): Promise<string[]> {
  const stuck: string[] = [];
  for (const name of await readdir(path).catch(() => [])) {
    if (keep.has(name)) continue;
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
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(`${process.pid} ${(await bornAt(process.pid)) ?? ""}`);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const [pid = "", born = ""] = (await readFile(path, "utf8").catch(() => "")).split(" ");
    if (isAlive(Number(pid)) && ((await bornAt(Number(pid))) ?? "") === born) {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `the bot of process ${pid} works in ${folder}: give this one another folder`,
      );
    }
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return Number.isInteger(pid) && pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Tells a process from a later one of the same number. Only Linux says it. */
async function bornAt(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
}
