import { arch, cpus, hostname, release, totalmem, type } from "node:os";
import { RpcError } from "@rpc/core";
import { git, type GitOptions } from "./git/git.ts";

/** Of this machine, for people. */
export function aboutHere(): Record<string, string> {
  return {
    host: hostname(),
    os: `${type()} ${release()} ${arch()}`,
    node: process.version,
    cpus: String(cpus().length),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  };
}

/** Or why there is none. Never rejects. */
export async function gitVersion(options: GitOptions): Promise<string> {
  try {
    return (await git(["--version"], options)).replace("git version", "").trim();
  } catch (error) {
    return RpcError.from(error).message;
  }
}
