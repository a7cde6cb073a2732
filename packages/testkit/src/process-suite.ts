import type { Transport } from "@rpc/core/transport";
import { processCases } from "./cases/process.ts";
import { createFakeClock } from "./fake-clock.ts";
import { noTimersLeft } from "./gate.ts";
import type { ProcessSuiteOptions } from "./process-bench.ts";
import { createReport } from "./report.ts";
import { registerCases } from "./suite.ts";

/** Holds a transport to its requirements with both ends as separate programs. Registers one test per case with the runner. */
export function processSuite(options: ProcessSuiteOptions): void {
  registerCases(options, createReport(options.name, "process"), processCases, async (each) => {
    const clock = createFakeClock();
    const cleanUps: (() => Promise<void>)[] = [];
    try {
      await each.run({
        clock,
        nearName: options.nearName,
        start: async ({ serve }) => {
          const far = await options.start();
          cleanUps.push(() => far.kill());
          const connect = (farOptions: Parameters<typeof far.connect>[0]): Transport => {
            const transport = far.connect(farOptions);
            cleanUps.push(() => transport.close());
            return transport;
          };
          return { ...far, connect, transport: connect({ clock, serve }) };
        },
      });
    } finally {
      for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    }
    await noTimersLeft(clock, "C141 no-leaks: after the case");
    return undefined;
  });
}
