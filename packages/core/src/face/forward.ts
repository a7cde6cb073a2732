import type { CallContext, CancelListener, LogLevel } from "../words/call-context.ts";
import type { MessageShape, MethodDescriptor, MethodKind } from "../words/method.ts";
import type { Metadata } from "../words/metadata.ts";
import type { Peer } from "../words/peer.ts";
import type { RpcError } from "../words/rpc-error.ts";
import { type Handler, SERVING, type Transport } from "../words/transport.ts";
import { OPAQUE_CODEC } from "../tools/payloads.ts";
import { checkTransport } from "./binding.ts";
import { methodParts } from "./method-parts.ts";
import { servingHalf } from "./serving.ts";

/**
 * A gateway: serves whatever arrives by calling it on a transport. Input, output, errors, metadata, deadline, cancellation, progress and
 * streams go through as they are; payloads are not decoded on the way. Each hop counts towards `maxDepth`, so a loop of gateways ends.
 */
export function forward(transport: Transport): Handler {
  checkTransport(transport);
  const { topicPort, workQueue } = transport;
  return {
    topicPort:
      topicPort === undefined
        ? undefined
        : { subscribe: (request, context, sink) => topicPort.subscribe(request, new ForwardedContext(context), sink) },
    workQueue:
      workQueue === undefined
        ? undefined
        : {
            submit: (request, context, submitter) =>
              workQueue.submit(request, new ForwardedContext(context), submitter),
            consume: (context, taker) => workQueue.consume(new ForwardedContext(context), taker),
          },
    [SERVING]: servingHalf,
    contracts: [],
    method: opaqueMethod,
    call: (input, context) => transport.call(input, new ForwardedContext(context)),
    stream: (input, context) => transport.stream(input, new ForwardedContext(context)),
  };
}

const OPAQUE_SHAPE: MessageShape = { codec: OPAQUE_CODEC, validate: undefined, jsonSchema: undefined };

/** Whatever reason an error has, its details pass through undecoded. */
class AnyReason extends Map<string, MessageShape> {
  override get(): MessageShape {
    return OPAQUE_SHAPE;
  }
}

const ANY_REASON: ReadonlyMap<string, MessageShape> = new AnyReason();

function opaqueMethod(name: string, kind: MethodKind): MethodDescriptor {
  return {
    name,
    contract: name.slice(0, Math.max(0, name.lastIndexOf("."))),
    kind,
    parts: methodParts(kind),
    input: OPAQUE_SHAPE,
    output: OPAQUE_SHAPE,
    progress: OPAQUE_SHAPE,
    errors: ANY_REASON,
    idempotent: false,
    timeoutMs: undefined,
    doc: undefined,
  };
}

/** A call on its next hop: the same call in everything but its depth. */
class ForwardedContext implements CallContext {
  readonly #source: CallContext;

  constructor(source: CallContext) {
    this.#source = source;
  }

  get method(): MethodDescriptor {
    return this.#source.method;
  }
  get id(): string {
    return this.#source.id;
  }
  get signal(): AbortSignal {
    return this.#source.signal;
  }
  get cancelReason(): RpcError | undefined {
    return this.#source.cancelReason;
  }
  get deadline(): number | undefined {
    return this.#source.deadline;
  }
  get metadata(): Metadata {
    return this.#source.metadata;
  }
  get hasMetadata(): boolean {
    return this.#source.hasMetadata;
  }
  get responseMetadata(): Metadata {
    return this.#source.responseMetadata;
  }
  get peer(): Peer | undefined {
    return this.#source.peer;
  }
  get attempt(): number {
    return this.#source.attempt;
  }
  get idempotencyKey(): string | undefined {
    return this.#source.idempotencyKey;
  }
  get depth(): number {
    return this.#source.depth + 1;
  }
  get parent(): CallContext | undefined {
    return this.#source;
  }
  get observed(): boolean {
    return this.#source.observed;
  }
  get ackWanted(): boolean {
    return this.#source.ackWanted;
  }
  onCancel(listener: CancelListener | undefined): void {
    this.#source.onCancel(listener);
  }
  progress(value: unknown): void {
    this.#source.progress(value);
  }
  log(message: string, fields?: Readonly<Record<string, string>>, level?: LogLevel): void {
    this.#source.log(message, fields, level);
  }
}
