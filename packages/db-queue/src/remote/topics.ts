import { cancelTopic, commandTopic, eventsTopic, resultTopic } from "../store/store.ts";

/** Of one store; what is beyond is found by looking. */
const MAX_TOPICS = 100_000;
const RESULT = resultTopic(0).slice(0, -1);

/** Where in the service's order of wake-ups something was. Texts of a service have no order; when they were heard has. */
export interface Position {
  readonly seq: string;
  readonly order: number;
}

export interface TopicsListener {
  /** Wake-ups since `since` count; undefined: there was no position yet, and all is looked at when there is one. */
  topicsAdded(topics: readonly string[], since: Position | undefined): void;
  topicsRemoved(topics: readonly string[]): void;
}

/** Which topics matter to this store, from what was asked of it. */
export class Topics {
  readonly #listener: TopicsListener;
  readonly #lasting: ReadonlySet<string>;
  readonly #topics: Set<string>;
  /** Who is subscribed, by address. */
  readonly #agents = new Map<string, Set<string>>();

  constructor(lasting: readonly string[], listener: TopicsListener) {
    this.#listener = listener;
    this.#lasting = new Set(lasting);
    this.#topics = new Set(lasting);
  }

  get all(): ReadonlySet<string> {
    return this.#topics;
  }

  subscribed(address: string, agent: string, since: Position | undefined): void {
    const agents = this.#agents.get(address) ?? new Set();
    this.#agents.set(address, agents.add(agent));
    this.#add([commandTopic(address)], since);
  }

  unsubscribed(address: string, agent: string): void {
    const agents = this.#agents.get(address);
    if (agents?.delete(agent) !== true || agents.size > 0) return;
    this.#agents.delete(address);
    this.#remove([commandTopic(address)]);
  }

  /** Somebody may want them to end. */
  claimed(ids: readonly number[], since: Position | undefined): void {
    this.#add(ids.map(cancelTopic), since);
  }

  settled(ids: readonly number[]): void {
    this.#remove(ids.map(cancelTopic));
  }

  /** Somebody wants to know how they end. */
  awaited(ids: readonly number[], since: Position | undefined): void {
    this.#add(ids.map(resultTopic), since);
  }

  read(id: number, since: Position | undefined): void {
    this.#add([eventsTopic(id)], since);
  }

  /** A command ends once. */
  woken(topics: readonly string[]): void {
    const over = topics.filter((topic) => topic.startsWith(RESULT));
    if (over.length > 0)
      this.#remove(over.flatMap((topic) => [topic, eventsTopic(Number(topic.slice(RESULT.length)))]));
  }

  /** Nobody listens any more: what belongs to commands is forgotten. */
  rest(): void {
    this.#topics.clear();
    for (const topic of this.#lasting) this.#topics.add(topic);
    for (const address of this.#agents.keys()) this.#topics.add(commandTopic(address));
  }

  #add(topics: readonly string[], since: Position | undefined): void {
    const added = topics.filter((topic) => !this.#topics.has(topic) && this.#topics.size < MAX_TOPICS);
    if (added.length === 0) return;
    for (const topic of added) this.#topics.add(topic);
    this.#listener.topicsAdded(added, since);
  }

  #remove(topics: readonly string[]): void {
    const removed = topics.filter((topic) => !this.#lasting.has(topic) && this.#topics.delete(topic));
    if (removed.length > 0) this.#listener.topicsRemoved(removed);
  }
}
