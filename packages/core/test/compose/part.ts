import { onTestFinished } from "vitest";
import {
  type Capabilities,
  type CallContext,
  type CloseOptions,
  createMemoryTransport,
  createRouter,
  defineContract,
  RpcError,
  serverStream,
  bidiStream,
  clientStream,
  notification,
  type Transport,
  unary,
} from "../../src/index.ts";
import type { CancelListener } from "../../src/words/call-context.ts";
import { FakeClock, settled } from "../fake-clock.ts";

export const Test = defineContract("test.Compose", {
  write: unary(),
  read: unary({ idempotent: true }),
  tell: notification(),
  watch: serverStream(),
  watchSafely: serverStream({ idempotent: true }),
  gather: clientStream({ idempotent: true }),
  chat: bidiStream({ idempotent: true }),
});

const ALL: Capabilities = createMemoryTransport(createRouter(defineContract("test.None", {}), {})).capabilities;

export type Serve = (input: unknown, context: CallContext) => unknown;

/** A part of a composition that is played by hand. */
export class Part implements Transport {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly clock: FakeClock;
  /** What each call gets: a value, a promise, or something thrown. */
  serve: Serve;
  serveStream: (input: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown> = async function* () {};
  connect: () => Promise<void> = () => Promise.resolve();
  readonly contexts: CallContext[] = [];
  readonly inputs: unknown[] = [];
  readonly closes: (CloseOptions | undefined)[] = [];
  readyCount = 0;
  /** What it says about itself. */
  isDown: boolean | undefined = undefined;

  constructor(
    clock: FakeClock,
    endpoint = "part:",
    serve: Serve = (input) => input,
    capabilities: Partial<Capabilities> = {},
  ) {
    this.clock = clock;
    this.endpoint = endpoint;
    this.serve = serve;
    this.capabilities = { ...ALL, ...capabilities };
  }

  get count(): number {
    return this.contexts.length;
  }

  readonly call = (input: unknown, context: CallContext): Promise<unknown> => {
    this.contexts.push(context);
    this.inputs.push(input);
    // As a session does: the caller learns at once that its call was ended.
    return new Promise((resolve, reject) => {
      context.onCancel({ cancelled: reject });
      const settle = async (): Promise<unknown> => this.serve(input, context);
      settle()
        .then(resolve, reject)
        .finally(() => context.onCancel(undefined));
    });
  };

  readonly stream = (input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> => {
    this.contexts.push(context);
    return this.serveStream(input, context);
  };

  ready(): Promise<void> {
    this.readyCount++;
    return this.connect();
  }

  close(options?: CloseOptions): Promise<void> {
    this.closes.push(options);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A clock that is left without timers. */
export function clockWithoutRest(): FakeClock {
  const clock = new FakeClock();
  onTestFinished(() => {
    if (clock.timerCount > 0) throw new Error(`${clock.timerCount} timers are left`);
  });
  return clock;
}

/** Nobody was there: the call did not arrive. */
export function refused(message = "connection refused"): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "ECONNREFUSED", delivered: "no" });
}

/** The connection was lost while the call was under way. */
export function lost(message = "connection lost"): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "PEER_LOST", delivered: "unknown" });
}

/** Throws these errors one after the other, then answers. */
export function failing(...errors: readonly unknown[]): Serve {
  const left = [...errors];
  return (input) => {
    if (left.length > 0) throw left.shift();
    return input;
  };
}

/** A stream that fails before its first item. */
export function broken(error: RpcError, before: () => unknown = () => undefined): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        await before();
        throw error;
      },
    }),
  };
}

/** A call that waits until it is ended. */
export function hang(_input: unknown, context: CallContext): Promise<unknown> {
  return new Promise((_resolve, reject) => {
    const listener: CancelListener = { cancelled: reject };
    context.onCancel(listener);
  });
}

/** Lets everything happen that needs no time, then time pass. */
export async function pass(clock: FakeClock, ms: number): Promise<void> {
  await settled();
  await clock.advance(ms);
}
