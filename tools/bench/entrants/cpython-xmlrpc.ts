/** CPython's `xmlrpc.client`, in an interpreter of its own that times itself; nothing that is measured crosses the pipe. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { CodecEntrant, CodecReading, PeakReading } from "../harness/entrant.ts";

const SCRIPT = fileURLToPath(new URL("./cpython_xmlrpc.py", import.meta.url));

export const codec: CodecEntrant = {
  open: async (document) => {
    const python = spawn("python3", [SCRIPT, String(document.length)], { stdio: ["pipe", "pipe", "inherit"] });
    // A script that died is told by the answers that do not come.
    python.stdin.on("error", () => undefined);
    await once(python, "spawn").catch((error: unknown) => {
      throw new Error("python3 cannot be started here", { cause: error });
    });
    const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
    python.stdin.write(document);
    const ask = async (question: string): Promise<unknown> => {
      python.stdin.write(`${question}\n`);
      const { done, value } = await answers.next();
      if (done === true) throw new Error("python3 ended without an answer");
      const answer = JSON.parse(value) as { readonly result?: unknown; readonly error?: string };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.result;
    };
    return {
      roundTrip: () => ask("roundTrip"),
      decode: async (durationMs) => (await ask(`decode ${durationMs}`)) as CodecReading,
      encode: async (durationMs) => (await ask(`encode ${durationMs}`)) as CodecReading,
      decodeOnce: async () => (await ask("decodeOnce")) as PeakReading,
    };
  },
};
