// Streams in all three shapes, a reader slower than its writer, and a running call with progress that is cancelled.
import { setTimeout as sleep } from "node:timers/promises";
import {
  bidiStream,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  RpcError,
  serverStream,
  unary,
} from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";

const Line = z.object({ number: z.int(), text: z.string() });
const Logs = defineContract("demo.Logs", {
  follow: serverStream({ input: z.object({ build: z.int() }), output: Line }),
  upload: clientStream({ input: Line, output: z.object({ lines: z.int() }) }),
  search: bidiStream({ input: z.string(), output: Line }),
  index: unary({ input: z.object({ build: z.int() }), output: z.object({ words: z.int() }), progress: z.int() }),
});

const stored: z.infer<typeof Line>[] = [];
let written = 0;
let closed: (() => void) | undefined;
const followEnded = new Promise<void>((resolve) => (closed = resolve));

const router = createRouter(Logs, {
  follow: async function* ({ build }) {
    try {
      for (;;) yield { number: ++written, text: `build ${build}, line ${written}` };
    } finally {
      // Runs when the reader leaves, and when the connection is lost.
      closed?.();
    }
  },
  upload: async (lines) => {
    for await (const line of lines) stored.push(line);
    return { lines: stored.length };
  },
  search: async function* (words) {
    for await (const word of words) yield* stored.filter(({ text }) => text.includes(word));
  },
  index: async (_build, context) => {
    for (let percent = 0; percent < 100; percent += 10) {
      context.progress(percent);
      await sleep(5, undefined, { signal: context.signal });
    }
    return { words: 1_000 };
  },
});

const CREDITS = 16;
const listener = await serveTcp(router);
const transport = createTcpTransport(listener.endpoint, { streamCredits: CREDITS });
const logs = createClient(Logs, transport);

// A server stream: the handler never runs further ahead than the reader's credits.
let read = 0;
let lead = 0;
for await (const line of logs.follow({ build: 7 })) {
  read = line.number;
  await sleep(2); // A slow reader.
  lead = Math.max(lead, written - read);
  if (read === 50) break; // Leaving the loop ends the stream at the server, too.
}
await followEnded;
console.log(`follow: read ${read} lines, the handler was at most ${lead <= CREDITS ? CREDITS : lead} ahead`);

// A client stream: any iterable goes in, one output comes back.
const lines = ["red fox", "grey wolf", "red kite"].map((text, i) => ({ number: i + 1, text }));
console.log(`upload: ${(await logs.upload(lines)).lines} lines`);

// A bidi stream: both directions are open at the same time.
for await (const { number, text } of logs.search(["red", "wolf"])) console.log(`search: ${number} ${text}`);

// A call that takes its time: the handle shows how far it is, and ends it.
const call = logs.index.start({ build: 7 });
for await (const percent of call.progress) {
  if (percent === 30) await call.cancel("a newer build has come");
}
try {
  await call;
} catch (error) {
  if (!(error instanceof RpcError)) throw error;
  console.log(`index: ${call.state}, ${error.message}`);
}
await transport.close();
await listener.close();
