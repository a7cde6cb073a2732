import type { CallContext, CancelListener } from "../../words/call-context.ts";
import type { ClientOf, Contract } from "../../words/contract.ts";
import type { Metadata } from "../../words/metadata.ts";
import type { Peer } from "../../words/peer.ts";
import type { RpcError } from "../../words/rpc-error.ts";
import { type CloseOptions, type Handler, type Listener, SERVING, type Transport } from "../../words/transport.ts";
import { AttemptContext } from "../../tools/attempt-context.ts";
import { createClient } from "../client.ts";
import { ComposedTransport } from "./composed.ts";

/** Two one-way wires between the same two programs. */
export interface PairOptions {
  /** By which this program calls the other one. */
  readonly out: Transport;
  /** At which the other program calls this one. Give it a handler of {@link callBackBy}, so that handlers can call back. */
  readonly in: Listener;
}

/**
 * Two one-way wires as one that goes both ways. Calls go out by `out`; those of the other side come in at `in`. Closing it closes both:
 * first `in`, so that the handlers which still run can call back, then `out`.
 */
export function pair(options: PairOptions): Transport {
  return new PairTransport(options.out, options.in);
}

/** A handler whose contexts call back over another wire: `context.peer.client(Contract)` goes out by `out`. */
export function callBackBy(handler: Handler, out: Transport): Handler {
  return {
    [SERVING]: handler[SERVING],
    // Asked each time: a handler may take on more while it serves.
    get contracts() {
      return handler.contracts;
    },
    get topicPort() {
      return handler.topicPort;
    },
    get workQueue() {
      return handler.workQueue;
    },
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => handler.call(input, new CallBackContext(context, out)),
    stream: (input, context) => handler.stream(input, new CallBackContext(context, out)),
  };
}

class PairTransport extends ComposedTransport {
  readonly #in: Listener;

  constructor(out: Transport, listener: Listener) {
    super({ parts: [out], port: out, capabilities: { duplex: "native" } });
    this.#in = listener;
  }

  protected override async shut(options: CloseOptions): Promise<void> {
    const endsAt = this.clock.now() + (options.drainMs ?? 0);
    try {
      await this.#in.close(options);
    } finally {
      await super.shut({ drainMs: Math.max(0, endsAt - this.clock.now()) });
    }
  }
}

/** The call of the other side, with a peer that is called by another wire. */
class CallBackContext extends AttemptContext implements CancelListener {
  readonly #source: CallContext;
  readonly #out: Transport;
  #peer: Peer | undefined = undefined;

  constructor(source: CallContext, out: Transport) {
    super(source, 1);
    this.#source = source;
    this.#out = out;
    source.onCancel(this);
  }

  cancelled(reason: RpcError): void {
    this.cancelWith(reason);
  }

  override get peer(): Peer | undefined {
    const { peer } = this.#source;
    if (peer !== undefined) this.#peer ??= new PairedPeer(peer, this.#out);
    return this.#peer;
  }

  override get responseMetadata(): Metadata {
    return this.#source.responseMetadata;
  }
}

/** The other side: known by the wire on which it calls, called by the other one. */
class PairedPeer implements Peer {
  readonly #caller: Peer;
  readonly #out: Transport;

  constructor(caller: Peer, out: Transport) {
    this.#caller = caller;
    this.#out = out;
  }

  get identity(): string | undefined {
    return this.#caller.identity;
  }

  get endpoint(): string {
    return this.#caller.endpoint;
  }

  get instanceId(): string {
    return this.#caller.instanceId;
  }

  get ignoredCount(): number {
    return this.#caller.ignoredCount;
  }

  /** Nothing tells whether the other way is up. */
  get connected(): boolean {
    return true;
  }

  get callsInFlight(): number {
    return this.#caller.callsInFlight;
  }

  client<C extends Contract>(contract: C): ClientOf<C> {
    return createClient(contract, this.#out);
  }

  disconnect(reason?: RpcError): void {
    this.#caller.disconnect(reason);
  }
}
