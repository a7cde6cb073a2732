import { Metadata } from "../words/metadata.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventPublisher, PublishOptions, PublishReport } from "../words/topics.ts";
import type { EventTopic } from "../machines/topic-hub.ts";
import { payloadOf } from "../tools/payloads.ts";
import { validated } from "../tools/shapes.ts";

/** What a router has for an event. */
export class RouterEvent implements EventPublisher<unknown> {
  readonly #topic: EventTopic;
  readonly #validate: boolean;
  /** A publication whose validator has not answered: the later ones wait, to keep their order. */
  #pending: Promise<unknown> | undefined = undefined;

  constructor(topic: EventTopic, validate: boolean) {
    this.#topic = topic;
    this.#validate = validate && topic.method.output.validate !== undefined;
  }

  get subscriberCount(): number {
    return this.#topic.subscriberCount;
  }

  publish(value: unknown, options?: PublishOptions): Promise<PublishReport> {
    try {
      if (!this.#validate) return this.#publish(value, options);
      const checked = this.#checked(value);
      if (!(checked instanceof Promise) && this.#pending === undefined) return this.#publish(checked, options);
      return this.#later(checked, options);
    } catch (thrown) {
      return Promise.reject(RpcError.from(thrown));
    }
  }

  #checked(value: unknown): unknown {
    const { method } = this.#topic;
    return validated(method.output, value, `${method.name}: payload`, "INVALID_ARGUMENT");
  }

  #later(checked: unknown, options: PublishOptions | undefined): Promise<PublishReport> {
    const before = this.#pending;
    const publishing = (async () => {
      const value = await checked;
      await before;
      return this.#publish(value, options);
    })();
    // Only the turn is waited for: neither a refused value nor a subscriber that blocks holds up the next one's turn.
    const turn = (async () => {
      await before;
      await Promise.resolve(checked).catch(() => undefined);
    })();
    this.#pending = turn;
    void turn.then(() => {
      if (this.#pending === turn) this.#pending = undefined;
    });
    return publishing;
  }

  #publish(value: unknown, options: PublishOptions | undefined): Promise<PublishReport> {
    const topic = this.#topic;
    const metadata = options?.metadata === undefined ? undefined : new Metadata(options.metadata);
    return topic.publish(payloadOf(topic.method.output.codec, value), options?.topic ?? "", metadata);
  }
}
