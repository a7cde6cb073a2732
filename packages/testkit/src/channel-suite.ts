import { addressCases } from "./cases/addresses.ts";
import { channelCases } from "./cases/channel.ts";
import { channelEndCases } from "./cases/channel-end.ts";
import { framingCases } from "./cases/framing.ts";
import {
  CHANNEL_MESSAGE_LIMIT,
  type ChannelBench,
  type ChannelCase,
  type ChannelSuiteOptions,
} from "./channel-bench.ts";
import { createFakeClock } from "./fake-clock.ts";
import { createReport } from "./report.ts";
import { registerCases } from "./suite.ts";

/** Every case of the channel level, for the check that each requirement has one. */
export const allChannelCases: readonly ChannelCase[] = [
  ...channelCases,
  ...channelEndCases,
  ...addressCases,
  ...framingCases,
];

const NO_ADDRESSES = "a wire without addresses: both ends are made together";
const NO_FRAMING = "no frames on a byte stream: the wire keeps message boundaries by itself";

/** Holds a channel to the rules that the session rests on. Registers one test per requirement with the runner. */
export function channelSuite(options: ChannelSuiteOptions): void {
  const report = createReport(options.name, "channel");
  registerCases(options, report, allChannelCases, async (each) => {
    if (options.addresses === undefined && addressCases.includes(each)) return { notApplicable: NO_ADDRESSES };
    if (options.framing === undefined && framingCases.includes(each)) return { notApplicable: NO_FRAMING };
    const cleanUps: (() => Promise<void> | void)[] = [];
    const clock = createFakeClock();
    const bench: ChannelBench = {
      clock,
      addresses: options.addresses,
      framing: options.framing,
      defer: (cleanUp) => void cleanUps.push(cleanUp),
      connect: async () => {
        const pair = await options.factory({ clock, maxMessageBytes: CHANNEL_MESSAGE_LIMIT });
        cleanUps.push(() => pair.close());
        return pair;
      },
    };
    try {
      await each.run(bench);
    } finally {
      for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    }
    return undefined;
  });
}
