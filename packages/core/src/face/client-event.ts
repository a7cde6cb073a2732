import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventClient, EventListener, SubscribeOptions, Subscription, TopicPort } from "../words/topics.ts";
import { ClientSubscription } from "./subscription.ts";

/** What a client has for an event. */
export class ClientEvent implements EventClient<unknown> {
  readonly #method: MethodDescriptor;
  readonly #port: TopicPort | undefined;
  readonly #clock: Clock;

  constructor(method: MethodDescriptor, port: TopicPort | undefined, clock: Clock) {
    this.#method = method;
    this.#port = port;
    this.#clock = clock;
  }

  subscribe(options: SubscribeOptions = {}, listener?: EventListener<unknown>): Subscription<unknown> {
    if (this.#port === undefined)
      throw new RpcError("FAILED_PRECONDITION", `${this.#method.name}: the transport carries no events`, {
        reason: "CAPABILITY",
      });
    return new ClientSubscription(this.#method, this.#port, options, this.#clock, listener);
  }
}
