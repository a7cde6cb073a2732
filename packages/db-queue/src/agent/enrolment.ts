import { RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import { noAddressError } from "../store/store-errors.ts";
import type { WakeListener, Watch } from "../store/store.ts";
import { closedError, isFinal, unstoredError } from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import { answeredWithin, Countdown } from "./pauses.ts";

/** Listens, finds the address, subscribes: in this order, so that nothing that comes to the address is missed. */
export class Enrolment {
  readonly #settings: AgentSettings;
  readonly #listener: WakeListener;
  readonly #methods: () => readonly string[] | undefined;
  #watch: Watch | undefined = undefined;
  #pause: Countdown | undefined = undefined;
  #isStopped = false;

  constructor(settings: AgentSettings, listener: WakeListener, methods: () => readonly string[] | undefined) {
    this.#settings = settings;
    this.#listener = listener;
    this.#methods = methods;
  }

  /**
   * As often as it takes, while the database is away or, if it may, the address; says whether another incarnation was fenced. Rejects with what no
   * other try can help against.
   */
  async enter(): Promise<boolean> {
    const { ref, random, onError, clock, waitForAddress } = this.#settings;
    const backoff = new Backoff({ minMs: 1000, maxMs: 30_000 }, random);
    for (;;) {
      if (this.#isStopped) throw closedError(ref);
      try {
        return await this.#try();
      } catch (thrown) {
        const error = RpcError.from(thrown);
        if (isFinal(error) && !(waitForAddress && error.reason === "NO_ADDRESS")) throw error;
        onError(unstoredError(`agent "${ref.agent}" waits to be subscribed to "${ref.address}"`, error));
        this.#pause = new Countdown(clock);
        this.#pause.within(backoff.nextMs());
        await this.#pause.done;
      }
    }
  }

  /** The address may be there now. */
  wake(): void {
    this.#pause?.finish();
  }

  /** Waits no longer. */
  stop(): void {
    this.#isStopped = true;
    this.#pause?.finish();
  }

  /** Hears no more. */
  close(): void {
    this.#watch?.close();
  }

  async #try(): Promise<boolean> {
    const { store, ref, concurrency, onError, leaseMs, clock } = this.#settings;
    if (this.#watch === undefined) {
      this.#watch = store.watch(this.#listener);
      await answeredWithin(this.#watch.ready, leaseMs, clock).catch((thrown: unknown) =>
        onError(unstoredError("no wake-ups: commands are looked for from time to time", RpcError.from(thrown))),
      );
    }
    const address = await answeredWithin(store.findAddress(ref.address), leaseMs, clock);
    if (address === undefined) throw noAddressError(ref.address);
    const { replaced } = await answeredWithin(
      store.subscribe({ ...ref, concurrency, methods: this.#methods() }),
      leaseMs,
      clock,
    );
    return replaced !== undefined;
  }
}
