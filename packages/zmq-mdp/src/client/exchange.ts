import type { RpcError } from "@rpc/core";
import type { Expiring } from "@rpc/core/transport";
import type { Frames } from "../frames/words.ts";
import type { Lane } from "./lane.ts";

/** Whom a request's replies are brought to. Each is told once how it ended: by `final` or by `failed`. */
export interface ReplySink {
  /** One of several replies; MDP 0.2 alone. */
  partial(body: Frames): void;
  final(body: Frames): void;
  failed(error: RpcError): void;
}

/** A request and the replies that it waits for. */
export class Exchange implements Expiring {
  /** For messages: what was called. */
  readonly label: string;
  readonly service: string;
  readonly serviceFrame: Uint8Array;
  readonly body: Frames;
  /** When it is given up; undefined: never. */
  readonly deadline: number | undefined;
  /** When its caller's patience ends, which the broker is told. */
  readonly patience: number | undefined;
  readonly sink: ReplySink;
  /** Its replies may be many: leaving it is worth a word to the broker. */
  isStream = false;
  readonly #onExpire: (exchange: Exchange) => void;
  /** What it travels on, from when it was handed over. */
  lane: Lane | undefined = undefined;
  mark = 0;
  /** Brokers that could not be reached with it. */
  unreachable = 0;
  /** How many messages of brokers had come when it was sent. */
  heard = 0;
  isSettled = false;

  constructor(
    label: string,
    service: string,
    serviceFrame: Uint8Array,
    body: Frames,
    deadline: number | undefined,
    patience: number | undefined,
    sink: ReplySink,
    onExpire: (exchange: Exchange) => void,
  ) {
    this.label = label;
    this.service = service;
    this.serviceFrame = serviceFrame;
    this.body = body;
    this.deadline = deadline;
    this.patience = patience;
    this.sink = sink;
    this.#onExpire = onExpire;
  }

  /** Whether the broker may have it: news of a connection may come later than what was sent over it. */
  get isSent(): boolean {
    return this.lane !== undefined;
  }

  expire(): void {
    this.#onExpire(this);
  }
}
