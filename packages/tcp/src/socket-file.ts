import { chmod, lstat, rm } from "node:fs/promises";
import { connect, type ListenOptions, type Server } from "node:net";
import { isMainThread } from "node:worker_threads";
import { RpcError } from "@rpc/core";
import { systemErrorCode } from "@rpc/core/transport";

/** Listens on an address; rejects with Node's error. */
export function bind(server: Server, address: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/**
 * Listens on a Unix socket whose file only `socketMode` may open. The file that a dead server has left is removed, but never one
 * behind which somebody answers, and never a file that is no socket.
 */
export async function bindSocketFile(
  server: Server,
  path: string,
  options: { readonly socketMode: number; readonly backlog: number },
): Promise<void> {
  try {
    await bindWithMode(server, path, options);
  } catch (thrown) {
    if (systemErrorCode(thrown) !== "EADDRINUSE") throw thrown;
    await removeStaleFile(path, thrown);
    await bindWithMode(server, path, options);
  }
}

async function bindWithMode(
  server: Server,
  path: string,
  { socketMode, backlog }: { readonly socketMode: number; readonly backlog: number },
): Promise<void> {
  // The file must have its mode from its first moment: after a chmod alone there would be an instant in which anybody connects.
  // Node creates it before `listen` returns, so the process-wide mask is back before other code runs. Workers have no mask.
  const mask = isMainThread ? process.umask(~socketMode & 0o777) : undefined;
  let listening: Promise<void>;
  try {
    listening = bind(server, { path, backlog });
  } finally {
    if (mask !== undefined) process.umask(mask);
  }
  await listening;
  await chmod(path, socketMode);
}

async function removeStaleFile(path: string, inUse: unknown): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined && !found.isSocket()) {
    const message = `cannot listen on unix:${path}: there is a file of that name which is no socket`;
    throw new RpcError("ALREADY_EXISTS", message, { reason: "ALREADY_EXISTS", cause: inUse });
  }
  if (await answers(path)) throw inUse;
  await rm(path, { force: true });
}

/** Only a refused connection proves that nobody listens; a full backlog, say, is somebody. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const code = systemErrorCode(error);
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}
