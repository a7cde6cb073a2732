import { type ClientOf, createRouter, RpcError } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, passing, watch } from "../gate.ts";
import { type ProcessBench, type ProcessCase, provesAcross, type StartedProcess } from "../process-bench.ts";
import { Near, Remote, type RemoteJournal } from "../remote.ts";
import { clientOf } from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";
import { VALUES } from "./values.ts";

/** C143, H207: both ends as separate programs. */
export const processCases: readonly ProcessCase[] = [
  provesAcross("C143", "speaks with another process", async (bench) => {
    const { client, far } = await remote(bench);
    equal(await client.process(), far.name, "name of the far process");
    check(far.name !== bench.nearName, "both ends are the same process");
  }),

  provesAcross("C143", "carries values, large messages and 1,000 calls at once", async (bench) => {
    const { client } = await remote(bench);
    for (const [name, value] of Object.entries(VALUES)) equal(await client.echo({ value }), { value }, name);
    equal(await client.echo(patterned(271_828, 1)), patterned(271_828, 1), "large value");
    equal(await Promise.all(range(1_000).map((n) => client.echo(n))), range(1_000), "replies");
  }),

  provesAcross("C143", "carries errors with status, reason and details", async (bench) => {
    const { client } = await remote(bench);
    const asked = { code: "NOT_FOUND", message: "grüße\r\n☺", details: { list: [1, 2n] } };
    const error = await rejects(client.fail(asked), { code: "NOT_FOUND", reason: "ASKED_FOR" }, "error");
    equal([error.message, error.details], [asked.message, asked.details], "message and details");
  }),

  provesAcross("C143", "carries metadata both ways", async (bench) => {
    const { client } = await remote(bench);
    equal(await client.metadata(undefined, { metadata: { "X-There": "kept" } }), "kept", "metadata at the far end");
  }),

  provesAcross("C143", "carries all shapes of streams", async (bench) => {
    const { client } = await remote(bench);
    equal(await collect(client.count(5_000)), range(5_000), "server stream");
    equal(await client.sum(range(1_000)), 499_500, "client stream");
    equal(
      await collect(client.talk(range(100))),
      range(100).map((n) => [n]),
      "bidi stream",
    );
    for await (const item of client.count(1_000_000)) if (item === 10) break;
    equal(await client.echo("after"), "after", "call after a stream that was left");
  }),

  provesAcross("C143", "carries notifications in order before the call behind them", async (bench) => {
    const { client } = await remote(bench);
    for (const n of range(50)) await client.note(n);
    equal((await journal(client)).notes, range(50), "notes");
  }),

  provesAcross("C143", "calls back over the same connection", async (bench) => {
    const { client } = await remote(bench);
    equal(await client.callBack(20), 21, "output of the near end by way of the far one");
  }),

  provesAcross("C143", "ends a sleeping call at its deadline and tells the far end", async (bench) => {
    const { client } = await remote(bench);
    const call = client.hang(1, { timeoutMs: 60_000 });
    watch(call);
    await journalUntil(client, (seen) => seen.entered === 1);
    for (let ms = 0; ms < 60_000; ms += 4_000) {
      bench.clock.advance(4_000);
      // A round trip, so that signs of life get their turn.
      await client.echo(ms);
    }
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "sleeping call");
    await journalUntil(client, (seen) => seen.aborted.length === 1);
  }),

  provesAcross("C143", "tells the far end of a cancel", async (bench) => {
    const { client } = await remote(bench);
    const handle = client.hang.start(1);
    await journalUntil(client, (seen) => seen.entered === 1);
    await handle.cancel("enough");
    await rejects(handle, { code: "CANCELLED" }, "cancelled call");
    equal(
      (await journalUntil(client, (seen) => seen.aborted.length === 1)).aborted,
      ["CANCELLED"],
      "abort at the far end",
    );
  }),

  provesAcross("C143", "tells the far end when the caller has gone", async (bench) => {
    const { client, far } = await remote(bench);
    watch(client.hang(1));
    await journalUntil(client, (seen) => seen.entered === 1);
    const other = clientOf(bench, Remote, far.connect({ clock: bench.clock }));
    await far.transport.close();
    await journalUntil(other, (seen) => seen.aborted.length === 1);
  }),

  provesAcross("H207", "fails calls UNAVAILABLE when the far process is killed, and later calls too", async (bench) => {
    const { client, far } = await remote(bench);
    const call = client.hang(1);
    watch(call);
    await journalUntil(client, (seen) => seen.entered === 1);
    const stream = collect(client.count(100_000_000));
    watch(stream);
    await far.kill();
    // Where calls can be resumed they wait for the far end to come back, until that takes too long.
    const lost = passing(bench.clock, call, "the call in flight ends");
    await rejects(lost, { code: "UNAVAILABLE", delivered: "unknown" }, "call in flight");
    await rejects(stream, { code: "UNAVAILABLE" }, "stream in flight");
    await rejects(client.echo(1), { code: "UNAVAILABLE", delivered: "no" }, "call to nobody");
  }),

  provesAcross("H207", "declares a frozen far process lost by its silence", async (bench) => {
    const { client, far } = await remote(bench);
    if (far.freeze === undefined) setAside("the far process cannot be frozen");
    const call = client.hang(1);
    watch(call);
    await journalUntil(client, (seen) => seen.entered === 1);
    await far.freeze();
    await rejects(
      passing(bench.clock, call, "the call in flight ends"),
      { code: "UNAVAILABLE", delivered: "unknown" },
      "call in flight",
    );
  }),
];

async function remote(bench: ProcessBench): Promise<{
  readonly client: RemoteClient;
  readonly far: StartedProcess;
}> {
  const serve = createRouter(Near, { answer: (input) => (input as number) + 1 });
  const far = await bench.start({ serve });
  return { client: clientOf(bench, Remote, far.transport), far };
}

type RemoteClient = ClientOf<typeof Remote>;

async function journal(client: RemoteClient): Promise<RemoteJournal> {
  return (await client.journal()) as RemoteJournal;
}

/** Asks until the far end has seen it; each question is a round trip, so nothing spins. */
async function journalUntil(client: RemoteClient, seen: (state: RemoteJournal) => boolean): Promise<RemoteJournal> {
  for (let i = 0; i < 10_000; i += 1) {
    const state = await journal(client);
    if (seen(state)) return state;
  }
  throw new RpcError("INTERNAL", "the far end never saw it");
}
