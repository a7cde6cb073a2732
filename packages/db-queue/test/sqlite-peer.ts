// A process of its own on a test's file, forked: `drain` takes and ends commands until there are none and says their ids, `serve` answers
// until it is told to stop, `hold` claims one and waits for its end, `migrate` brings the file up to date.
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { Claim } from "../src/store/store-words.ts";

const [mode = "", file = "", agent = ""] = process.argv.slice(2);
const store = createSqliteStore({ file, lockTimeoutMs: 60_000 });
const ref = { address: "software_dev.buildbot:7", agent, incarnation: `${agent}-1` };

async function claimed(max: number): Promise<readonly Claim[]> {
  const [answer] = await store.claim([{ ...ref, max, leaseMs: 30_000 }]);
  if (answer === undefined || answer instanceof Error) throw new Error(`${agent} cannot claim`, { cause: answer });
  return answer.claims;
}

async function answerAll(claims: readonly Claim[]): Promise<void> {
  const answers = await store.settle(
    claims.map((claim) => ({ ...claim, outcome: "done", result: claim.args }) as const),
  );
  for (const answer of answers) if (answer instanceof Error) throw answer;
}

async function drain(): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const claims = await claimed(3);
    if (claims.length === 0) return ids;
    await answerAll(claims);
    ids.push(...claims.map((claim) => claim.id));
  }
}

/** Listens, then polls, then waits: no other clock than the wake-ups. */
async function serve(): Promise<void> {
  let isWoken = true;
  let wake = (): void => undefined;
  const notice = (): void => {
    isWoken = true;
    wake();
  };
  await store.watch({ wake: notice, wakeAll: notice }).ready;
  // A watch keeps no process alive.
  setInterval(() => undefined, 1000);
  process.send?.({ serving: true });
  for (;;) {
    if (!isWoken) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    isWoken = false;
    await answerAll(await claimed(10));
  }
}

switch (mode) {
  case "drain":
    process.send?.({ ids: await drain() });
    break;
  case "serve":
    await serve();
    break;
  case "hold":
    process.send?.({ ids: (await claimed(1)).map((claim) => claim.id) });
    // Until it is killed.
    setInterval(() => undefined, 1000);
    break;
  case "migrate":
    process.send?.(await store.migrate());
    break;
  default:
    throw new Error(`no mode ${mode}`);
}
await store.close();
process.disconnect();
