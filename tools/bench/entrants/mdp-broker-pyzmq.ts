/** The bare broker in Python, over the same client and worker: what pyzmq makes of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Entrant } from "../harness/entrant.ts";
import { connectClient, startWorkers } from "../wire/mdp-peers.ts";

const SCRIPT = fileURLToPath(new URL("../../interop/zmq/peers/bare_broker.py", import.meta.url));
/**
 * Debian's packages belong to /usr/bin/python3. It ends with this process: then nobody holds the other end of the shell's input. By SIGKILL: a
 * signal that Python handles is not seen when it comes just before a wait, and nobody sends the message that would end the wait.
 */
const ALONG =
  'python=python3; $python -c "import zmq" 2>&- || python=/usr/bin/python3; $python "$0" "$@" <&- & read -r _; kill -9 $!';

export const entrant: Entrant = {
  opaque: true,
  serve: async () => {
    const python = spawn("sh", ["-c", ALONG, SCRIPT, "tcp://127.0.0.1:*"], { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(createInterface({ input: python.stdout }), "line")) as [string];
    const { endpoint } = JSON.parse(line) as { readonly endpoint: string };
    const workers = await startWorkers(endpoint);
    return {
      endpoint,
      close: async () => {
        workers.kill();
        python.stdin.end();
      },
    };
  },
  connect: connectClient,
};
