import { RpcError } from "@rpc/core";
import type { Channel } from "@rpc/core/transport";
import { check, expectError, fail, rejects } from "../assert.ts";
import {
  type ChannelAddresses,
  type ChannelBench,
  type ChannelCase,
  type ChannelListener,
  provesChannel,
} from "../channel-bench.ts";
import { turns } from "../gate.ts";
import { openRecording, type RecordingSink } from "../recording-sink.ts";
import { numbered } from "./bytes.ts";

/** C14–C18: dialing and listening, for wires that have addresses. */
export const addressCases: readonly ChannelCase[] = [
  provesChannel("C14", "rejects CANCELLED for a signal that was aborted before the dial", async (bench) => {
    const { addresses, listener } = await listening(bench);
    const dial = addresses.dial(listener.endpoint, AbortSignal.abort(CANCELLED));
    await rejects(dial, { code: "CANCELLED" }, "dial");
  }),

  provesChannel(
    "C14",
    "rejects CANCELLED for a signal that aborts during the dial, and leaves no socket",
    async (bench) => {
      const { addresses, listener } = await listening(bench);
      const cancel = new AbortController();
      const dial = addresses.dial(listener.endpoint, cancel.signal);
      cancel.abort(CANCELLED);
      await rejects(dial, { code: "CANCELLED" }, "dial");
      // What the listener may have accepted meanwhile sees the end: nobody holds the other half.
      const accepted = listener.accept();
      const next = await Promise.race([accepted, turns(20).then(() => undefined)]);
      if (next !== undefined) await openRecording(next).end();
    },
  ),

  provesChannel("C15", "is UNAVAILABLE with the endpoint in the message when nobody listens", async (bench) => {
    const addresses = addressesOf(bench);
    const endpoint = await addresses.unusedEndpoint();
    const dial = addresses.dial(endpoint, new AbortController().signal);
    await rejects(dial, { code: "UNAVAILABLE", message: bare(endpoint), delivered: "no" }, "dial");
  }),

  provesChannel(
    "C16",
    "refuses endpoints of another scheme or with an unknown parameter before dialing",
    async (bench) => {
      const addresses = addressesOf(bench);
      for (const endpoint of addresses.wrongEndpoints) {
        let refused: unknown;
        try {
          addresses.checkEndpoint(endpoint);
        } catch (caught) {
          refused = caught;
        }
        if (refused === undefined) fail(`${endpoint} was taken`);
        expectError(refused, { code: "INVALID_ARGUMENT" }, endpoint);
      }
    },
  ),

  provesChannel("C17", "refuses a second listener on the same endpoint while the first works on", async (bench) => {
    const { addresses, listener } = await listening(bench);
    let second: unknown;
    try {
      const surplus = await addresses.listen(listener.endpoint);
      bench.defer(() => surplus.close());
    } catch (caught) {
      second = caught;
    }
    check(second instanceof RpcError, `a second listener on ${listener.endpoint} must be refused with an RpcError`);
    await exchange(bench, addresses, listener);
  }),

  provesChannel("C18", "stops accepting when the listener closes and leaves open channels alone", async (bench) => {
    const { addresses, listener } = await listening(bench);
    const pair = await exchange(bench, addresses, listener);
    await listener.close();
    pair.dialed.send(numbered(2, 8));
    await pair.sink.messageCount(2);
    await rejects(addresses.dial(listener.endpoint, new AbortController().signal), { code: "UNAVAILABLE" }, "dial");
  }),
];

const CANCELLED = new RpcError("CANCELLED", "the test gave up", { reason: "CANCELLED" });

function addressesOf(bench: ChannelBench): ChannelAddresses {
  return bench.addresses ?? fail("the factory gives no addresses");
}

async function listening(bench: ChannelBench): Promise<{
  readonly addresses: ChannelAddresses;
  readonly listener: ChannelListener;
}> {
  const addresses = addressesOf(bench);
  const listener = await addresses.listen(undefined);
  bench.defer(() => listener.close());
  return { addresses, listener };
}

async function exchange(
  bench: ChannelBench,
  addresses: ChannelAddresses,
  listener: ChannelListener,
): Promise<{
  readonly dialed: Channel;
  readonly sink: RecordingSink;
}> {
  const dialed = await addresses.dial(listener.endpoint, new AbortController().signal);
  openRecording(dialed);
  dialed.send(numbered(1, 8));
  const sink = await acceptTalking(listener);
  bench.defer(async () => {
    dialed.close();
    await sink.end();
  });
  return { dialed, sink };
}

/** The next channel on which something is said: a second listener may have knocked at the first to see whether it lives. */
async function acceptTalking(listener: ChannelListener): Promise<RecordingSink> {
  for (;;) {
    const sink = openRecording(await listener.accept());
    const knocked = await Promise.race([sink.messageCount(1).then(() => false), sink.end().then(() => true)]);
    if (!knocked) return sink;
  }
}

/** The part of an endpoint that people recognise, without scheme and parameters. */
function bare(endpoint: string): string {
  return endpoint.replace(/^[a-z+]+:(\/\/)?/, "").replace(/\?.*$/, "");
}
