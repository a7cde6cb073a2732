import { RpcError } from "../words/rpc-error.ts";
import { shown } from "./bytes.ts";
import { utf8Length } from "./utf8.ts";

/** Longest sub-topic or pattern in UTF-8, and its levels: matching takes as many steps, and no peer may make it take more. */
const MAX_TOPIC_BYTES = 256;
const MAX_TOPIC_LEVELS = 16;

/** One level, whatever it is. */
const ANY_LEVEL = "*";
/** Any number of levels, none included; only as the last one. */
const ANY_REST = "**";

/** The levels of a sub-topic that is published; none for the empty one. Throws INVALID_ARGUMENT or RESOURCE_EXHAUSTED. */
export function topicLevels(subTopic: string, where: string): readonly string[] {
  const levels = levelsOf(subTopic, `${where}: topic`);
  const wild = levels.find((level) => level === ANY_LEVEL || level === ANY_REST);
  if (wild !== undefined)
    throw refused(`${where}: topic ${quoted(subTopic)} has a level ${wild}, which only a pattern can have`);
  return levels;
}

/** The levels of a pattern. Throws INVALID_ARGUMENT or RESOURCE_EXHAUSTED. */
export function patternLevels(pattern: string, where: string): readonly string[] {
  const levels = levelsOf(pattern, `${where}: pattern`);
  const rest = levels.indexOf(ANY_REST);
  if (rest >= 0 && rest !== levels.length - 1)
    throw refused(
      `${where}: pattern ${quoted(pattern)} has ${ANY_REST} before its end; only the last level may be one`,
    );
  return levels;
}

function levelsOf(text: string, what: string): readonly string[] {
  if (typeof text !== "string") throw refused(`${what} must be text, got ${typeof text}`);
  if (text === "") return [];
  // By UTF-16 length first, so that megabytes are not counted to the end.
  if (text.length > MAX_TOPIC_BYTES || utf8Length(text) > MAX_TOPIC_BYTES)
    throw exhausted(`${what} is longer than ${MAX_TOPIC_BYTES} bytes`);
  if (!text.isWellFormed()) throw refused(`${what} has a lone surrogate`);
  const levels = text.split(".");
  if (levels.length > MAX_TOPIC_LEVELS) throw exhausted(`${what} has more than ${MAX_TOPIC_LEVELS} levels`);
  if (levels.includes("")) throw refused(`${what} ${quoted(text)} has an empty level`);
  return levels;
}

/** Whether a pattern covers a sub-topic, both as levels. */
export function matches(pattern: readonly string[], levels: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === ANY_REST) return true;
    if (i >= levels.length || (pattern[i] !== ANY_LEVEL && pattern[i] !== levels[i])) return false;
  }
  return pattern.length === levels.length;
}

class Node<T> {
  readonly children = new Map<string, Node<T>>();
  /** Patterns that end here. */
  readonly here = new Set<T>();
  /** Patterns that go on with any rest. */
  readonly rest = new Set<T>();

  get isEmpty(): boolean {
    return this.children.size === 0 && this.here.size === 0 && this.rest.size === 0;
  }
}

/** Values by pattern, found by sub-topic without looking at patterns that do not match. */
export class PatternIndex<T> {
  #root = new Node<T>();
  // Publishers repeat their topics: most publishing is one look-up. Emptied by every change.
  #found = new Map<string, readonly T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(pattern: readonly string[], value: T): void {
    let node = this.#root;
    for (const level of pattern) {
      if (level === ANY_REST) break;
      let child = node.children.get(level);
      if (child === undefined) node.children.set(level, (child = new Node()));
      node = child;
    }
    (pattern.at(-1) === ANY_REST ? node.rest : node.here).add(value);
    this.#size++;
    this.#forget();
  }

  delete(pattern: readonly string[], value: T): void {
    const path: Node<T>[] = [this.#root];
    for (const level of pattern) {
      if (level === ANY_REST) break;
      const child = path.at(-1)?.children.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const last = path.at(-1);
    if (!(pattern.at(-1) === ANY_REST ? last?.rest : last?.here)?.delete(value)) return;
    this.#size--;
    for (let depth = path.length - 1; depth > 0 && path[depth]?.isEmpty === true; depth--)
      path[depth - 1]?.children.delete(pattern[depth - 1] ?? "");
    this.#forget();
  }

  /** Everything whose pattern covers the sub-topic, in no promised order; the list is not changed later. Throws for a sub-topic that cannot be. */
  find(subTopic: string, where: string): readonly T[] {
    const known = this.#found.get(subTopic);
    if (known !== undefined) return known;
    const levels = topicLevels(subTopic, where);
    const found: T[] = [];
    let nodes: readonly Node<T>[] = [this.#root];
    for (const level of levels) {
      const next: Node<T>[] = [];
      for (const node of nodes) {
        for (const value of node.rest) found.push(value);
        const exact = node.children.get(level);
        if (exact !== undefined) next.push(exact);
        const any = node.children.get(ANY_LEVEL);
        if (any !== undefined) next.push(any);
      }
      nodes = next;
    }
    for (const node of nodes) {
      // Not spread in one call: arguments have a limit, subscribers have a higher one.
      for (const value of node.rest) found.push(value);
      for (const value of node.here) found.push(value);
    }
    if (this.#found.size >= MAX_FOUND) this.#forget();
    this.#found.set(subTopic, found);
    return found;
  }

  #forget(): void {
    if (this.#found.size > 0) this.#found = new Map();
  }
}

/** Topics whose subscribers are remembered. */
const MAX_FOUND = 1_024;

function quoted(text: string): string {
  return JSON.stringify(shown(text));
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

function exhausted(message: string): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxTopicBytes" });
}
