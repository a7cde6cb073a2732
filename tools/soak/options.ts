import { parseArgs } from "node:util";

export const USAGE = `node tools/soak/main.ts [options]
  --seconds 30      how long calls are begun and connections come to harm
  --seed n          what comes to harm, and when; by default another one each time
  --calls n         unary calls from client to server; a tenth of it goes the other way. Default: 100000 for each 30 seconds
  --streams 200     streams from client to server; a fifth of it goes the other way
  --promise p       exactly-once (default), or at-most-once: sessions do not resume, calls may fail but never run twice
  --calm            no connection comes to harm`;

/** What is to hold: see the usage. */
export type DeliveryPromise = "exactly-once" | "at-most-once";

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly calls: number;
  readonly streams: number;
  readonly promise: DeliveryPromise;
  readonly calm: boolean;
}

export class UsageError extends Error {}

export function optionsFrom(args: readonly string[]): SoakOptions {
  const values = parsed(args);
  const seconds = positive("seconds", values.seconds ?? "30");
  const promise = values.promise ?? "exactly-once";
  if (promise !== "exactly-once" && promise !== "at-most-once") {
    throw new UsageError(`--promise wants exactly-once or at-most-once, not "${promise}"`);
  }
  return {
    seconds,
    seed: positive("seed", values.seed ?? String(1 + Math.floor(Math.random() * 999_999))),
    calls: Math.ceil(positive("calls", values.calls ?? String((100_000 * seconds) / 30))),
    streams: Math.ceil(positive("streams", values.streams ?? "200")),
    promise,
    calm: values.calm === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        seconds: { type: "string" },
        seed: { type: "string" },
        calls: { type: "string" },
        streams: { type: "string" },
        promise: { type: "string" },
        calm: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new UsageError(`--${option} wants a positive number, not "${text}"`);
  return value;
}
