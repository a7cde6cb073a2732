import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cut } from "../../cut.ts";
import type { Ask, Delivery } from "../desk/delivery.ts";
import { LogPump } from "../log/log-pump.ts";
import type { SecretMask } from "../log/secret-mask.ts";
import type { BuildSettings } from "./build-settings.ts";
import type { StepOutcome } from "./outcome.ts";

/** One step as the server sees it: it begins, has a log, and ends. */
export interface StepLog {
  readonly pump: LogPump;
  /** After all that the step has to tell. Settles when all of its log is on the disk. */
  ended(outcome: StepOutcome): Promise<void>;
}

export interface StepLogOptions {
  readonly settings: BuildSettings;
  readonly delivery: Delivery;
  readonly seq: number;
  readonly name: string;
  readonly spool: string;
  readonly mask: SecretMask;
  readonly tap?: ((stream: "out" | "err", text: string) => void) | undefined;
  readonly onFailure: (error: Error) => void;
}

export function beginStep(options: StepLogOptions): StepLog {
  const { settings, delivery, seq, name, mask } = options;
  const { writer } = delivery;
  const now = (): number => Math.round(settings.wallClock());
  const path = logPath(options.spool, seq);
  const { clock, maxUnsentBytes } = settings;
  const pump = new LogPump({ path, mask, clock, maxUnsentBytes, tap: options.tap, onFailure: options.onFailure });
  const begin = { ...writer, seq, name, at: now() };
  delivery.post(`step ${name}`, { method: "stepBegan", input: begin });
  const what = `log of ${name}`;
  delivery.run(what, (ask) => deliverLog(ask, pump, { delivery, seq, what }), { what, log: seq });
  return {
    pump,
    ended: async ({ results, summary, exitCode }) => {
      pump.end();
      const code = exitCode === undefined ? {} : { exitCode };
      const end = { ...writer, seq, at: now(), results, summary: cut(mask.mask(summary), 1000), ...code };
      delivery.post(`end of step ${name}`, { method: "stepEnded", input: end });
      void delivery
        .done()
        .then(() => pump.close())
        // Whoever comes after this process sends it.
        .then(() => (delivery.isCut ? undefined : rm(path, { force: true })))
        // The build's folder goes with its end.
        .catch(() => undefined);
      await pump.flushed();
    },
  };
}

export function logPath(spool: string, seq: number): string {
  return join(spool, `${seq}.log`);
}

/** Until the server has all of it. */
export async function deliverLog(
  ask: Ask,
  pump: LogPump,
  { delivery, seq, what }: { readonly delivery: Delivery; readonly seq: number; readonly what: string },
): Promise<void> {
  try {
    const isWhole = await pump.deliver(async (offset, pieces) => {
      const input = { ...delivery.writer, seq, offset, pieces };
      const { size } = await ask(what, (desk, call) => desk.appendLog(input, call));
      return size;
    });
    if (!isWhole) throw new Error("a part of it is missing");
  } finally {
    // The step does not wait for somebody who will not come.
    pump.abandon();
  }
}
