// Runs in a page. Each scenario gives plain values back to the test, which knows what they should be.
import { createClient, createRouter, RpcError } from "@rpc/core";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { createWsTransport, type WsTransportOptions } from "@rpc/ws";
import { Desk, Page } from "./contract.ts";

const { document: page } = globalThis as unknown as { document: { readonly title: string } };

type Transport = ReturnType<typeof createWsTransport>;

/** What a test may set from outside: only values that survive the way into the page. */
export interface Settings extends Pick<
  WsTransportOptions,
  "secret" | "identity" | "token" | "heartbeatMs" | "aliveMs" | "reconnect" | "whenDown"
> {
  readonly endpoint?: string;
  readonly protobuf?: boolean;
}

let transport: Transport | undefined;
let events: string[] = [];
let latest: Promise<unknown> | undefined;

function open({ endpoint = "/rpc", protobuf = false, ...options }: Settings): Transport {
  events = [];
  const serve = createRouter(Page, { title: () => page.title });
  const codec = protobuf ? protobufEnvelopeCodec : undefined;
  const fresh = createWsTransport(endpoint, { ...options, serve, codec });
  for (const name of ["connected", "suspended", "resumed", "disconnected"] as const)
    fresh.on(name, () => events.push(name));
  transport = fresh;
  return fresh;
}

async function using<T>(settings: Settings, run: (desk: ReturnType<typeof deskOf>) => Promise<T>): Promise<T> {
  const fresh = open(settings);
  try {
    return await run(deskOf(fresh));
  } finally {
    await fresh.close();
  }
}

function deskOf(over: Transport) {
  return createClient(Desk, over);
}

function current(): Transport {
  if (transport === undefined) throw new Error("nothing is open");
  return transport;
}

const scenarios = {
  echo: (settings: Settings, value: unknown) => using(settings, (desk) => desk.echo(value)),

  values: (settings: Settings) =>
    using(settings, async (desk) => {
      const bytes = (await desk.echo(Uint8Array.of(0, 127, 128, 255))) as Uint8Array;
      const date = (await desk.echo(new Date(0))) as Date;
      return [[...bytes], date.toISOString(), String(await desk.echo(2n ** 70n)), Number.isNaN(await desk.echo(NaN))];
    }),

  large: (settings: Settings, length: number) =>
    using(settings, async (desk) => ((await desk.echo("ä".repeat(length))) as string).length),

  concurrent: (settings: Settings, count: number) =>
    using(settings, async (desk) => {
      const all = await Promise.all(Array.from({ length: count }, (_, i) => desk.echo(i)));
      return all.every((value, i) => value === i);
    }),

  failure: async (settings: Settings) => {
    try {
      await using(settings, (desk) => desk.echo("never"));
      return "let in";
    } catch (thrown) {
      return RpcError.from(thrown).code;
    }
  },

  who: (settings: Settings) => using(settings, (desk) => desk.who(undefined)),

  callBack: (settings: Settings) => using(settings, (desk) => desk.callBack(undefined)),

  streams: (settings: Settings) =>
    using(settings, async (desk) => {
      let received = 0;
      for await (const value of desk.count(5_000)) received += value === received ? 1 : 0;
      const sum = await desk.sum(numbers(5_000));
      const bounced: unknown[] = [];
      for await (const value of desk.bounce(numbers(5))) bounced.push(value);
      return [received, sum, bounced];
    }),

  /** Sends faster than the server reads. */
  upload: (settings: Settings, count: number, size: number) => using(settings, (desk) => desk.sum(chunks(count, size))),

  leaveStream: (settings: Settings) =>
    using(settings, async (desk) => {
      for await (const value of desk.count(1_000_000)) if (value === 3) break;
      return desk.echo("next");
    }),

  // ---- over one transport that stays open between the test's steps

  open: async (settings: Settings) => {
    await open(settings).ready();
  },

  close: () => current().close(),

  state: () => ({ status: current().status, events: [...events] }),

  begin: (count: number) => {
    const desk = deskOf(current());
    latest = Promise.all(Array.from({ length: count }, (_, i) => desk.once(i)));
  },

  beginStream: (count: number) => {
    const desk = deskOf(current());
    latest = (async () => {
      const seen: unknown[] = [];
      for await (const value of desk.count(count)) seen.push(value);
      return seen.length === count && seen.every((value, i) => value === i);
    })();
  },

  finish: () => latest,

  call: (value: unknown) => deskOf(current()).echo(value),

  subscribe: async () => {
    const seen: unknown[] = [];
    const subscription = deskOf(current()).news.subscribe({}, (value) => void seen.push(value));
    await subscription.ready;
    latest = Promise.resolve(seen);
  },
};

async function* numbers(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i;
}

async function* chunks(count: number, size: number): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) yield "x".repeat(size);
}

export type Scenarios = typeof scenarios;

Object.assign(globalThis, { scenarios });
