import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program of this folder in a process of its own, which ends with this one, and what it has said when it was up. */
export async function startBeside(
  program: string,
  ...args: readonly string[]
): Promise<{ readonly child: ChildProcess; readonly said: unknown }> {
  const script = fileURLToPath(new URL(program, import.meta.url));
  const child = fork(script, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const dead = once(child, "exit").then(([code]): never => {
    throw new Error(`${program} ended with ${String(code)} before it was up`);
  });
  const [said] = (await Promise.race([once(child, "message"), dead])) as [unknown];
  dead.catch(() => undefined);
  return { child, said };
}
