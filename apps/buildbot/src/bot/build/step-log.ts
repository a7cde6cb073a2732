import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cut } from "../../cut.ts";
import type { Delivery } from "../desk/delivery.ts";
import { LogPump } from "../log/log-pump.ts";
import type { SecretMask } from "../log/secret-mask.ts";
import type { BuildSettings } from "./build-settings.ts";
import type { StepOutcome } from "./outcome.ts";

/** One step as the server sees it: it begins, has a log, and ends. */
export interface StepLog {
  readonly pump: LogPump;
  /** After all that the step has to tell. */
  ended(outcome: StepOutcome): void;
}

export interface StepLogOptions {
  readonly settings: BuildSettings;
  readonly delivery: Delivery;
  readonly build: number;
  readonly seq: number;
  readonly name: string;
  readonly spool: string;
  readonly mask: SecretMask;
  readonly tap?: ((stream: "out" | "err", text: string) => void) | undefined;
  readonly onFailure: (error: Error) => void;
}

export function beginStep(options: StepLogOptions): StepLog {
  const { settings, delivery, build, seq, name, mask } = options;
  const writer = { build, incarnation: settings.incarnation };
  const now = (): number => Math.round(settings.wallClock());
  const path = join(options.spool, `${seq}.log`);
  const { clock, maxUnsentBytes } = settings;
  const pump = new LogPump({ path, mask, clock, maxUnsentBytes, tap: options.tap, onFailure: options.onFailure });
  const begin = { ...writer, seq, name, at: now() };
  delivery.post(`step ${name}`, (desk, call) => desk.stepBegan(begin, call));
  const what = `log of ${name}`;
  delivery.run(what, async (ask) => {
    try {
      const isWhole = await pump.deliver(async (offset, pieces) => {
        const { size } = await ask(what, (desk, call) => desk.appendLog({ ...writer, seq, offset, pieces }, call));
        return size;
      });
      if (!isWhole) throw new Error("a part of it is missing");
    } finally {
      // The step does not wait for somebody who will not come.
      pump.abandon();
    }
  });
  return {
    pump,
    ended: ({ results, summary, exitCode }) => {
      pump.end();
      const code = exitCode === undefined ? {} : { exitCode };
      const end = { ...writer, seq, at: now(), results, summary: cut(mask.mask(summary), 1000), ...code };
      delivery.post(`end of step ${name}`, (desk, call) => desk.stepEnded(end, call));
      void delivery
        .done()
        .then(() => pump.close())
        .then(() => rm(path, { force: true }))
        // The build's folder goes with its end.
        .catch(() => undefined);
    },
  };
}
