import { RpcError } from "@rpc/core";
import { MESSAGE_CHARACTERS } from "../service/message-size.ts";
import type { Shape } from "../service/shapes.ts";
import { type Item, refusalOf } from "../service/store-shapes.ts";

/** What a service takes in one call. */
const MAX_ITEMS = 1000;

/**
 * A list verb, in as many calls as its items need. Rejects only when nothing has been kept; when a later part fails, its items have the error
 * in their places. One that is too large by itself has its refusal, and harms no other.
 */
export async function inParts<Input, Output>(
  items: readonly Input[],
  size: (item: Input) => number,
  shape: Shape<Output>,
  call: (items: readonly Input[]) => Promise<readonly Item<Output>[]>,
): Promise<readonly (Output | RpcError)[]> {
  const results: (Output | RpcError)[] = [];
  for (let at = 0; at < items.length;) {
    const part = partFrom(items, at, size);
    try {
      results.push(...(await byHalves(part, shape, call)));
    } catch (thrown) {
      const error = RpcError.from(thrown);
      if (results.length === 0) throw error;
      for (const _ of part) results.push(error);
    }
    at += part.length;
  }
  return results;
}

/** What a wire or a service refuses of it harms no other: it is looked for by halves, down to the one. */
async function byHalves<Input, Output>(
  items: readonly Input[],
  shape: Shape<Output>,
  call: (items: readonly Input[]) => Promise<readonly Item<Output>[]>,
): Promise<readonly (Output | RpcError)[]> {
  let answers: readonly Item<Output>[];
  try {
    answers = await call(items);
  } catch (thrown) {
    const error = RpcError.from(thrown);
    if (!isRefusal(error)) throw error;
    if (items.length === 1) return [error];
    const half = Math.ceil(items.length / 2);
    const first = await byHalves(items.slice(0, half), shape, call);
    try {
      return [...first, ...(await byHalves(items.slice(half), shape, call))];
    } catch (later) {
      // The first half has been kept.
      const second = RpcError.from(later);
      return [...first, ...items.slice(half).map(() => second)];
    }
  }
  return items.map((_, index) => resultOf(shape, answers[index]));
}

/** The same for rows that are read: what had no room in the answer is asked for again. */
export async function readInParts<Row>(
  ids: readonly number[],
  shape: Shape<Row>,
  call: (ids: readonly number[]) => Promise<readonly Item<Row>[]>,
): Promise<readonly (Row | undefined)[]> {
  const rows: (Row | undefined)[] = [];
  while (rows.length < ids.length) {
    const items = await call(ids.slice(rows.length, rows.length + MAX_ITEMS));
    if (items.length === 0)
      throw new RpcError("INTERNAL", "the service gave no answer to a read", { reason: "INTERNAL" });
    // Of a row that is none of ours there is nothing to know.
    for (const { value } of items) rows.push(value === undefined || value === null ? undefined : readAs(shape, value));
  }
  return rows;
}

function partFrom<Input>(items: readonly Input[], at: number, size: (item: Input) => number): readonly Input[] {
  let characters = 0;
  let end = at;
  for (; end < items.length && end - at < MAX_ITEMS; end++) {
    const item = items[end];
    if (item !== undefined) characters += size(item);
    if (characters > MESSAGE_CHARACTERS && end > at) break;
  }
  return items.slice(at, end);
}

function resultOf<Output>(shape: Shape<Output>, item: Item<Output> | undefined): Output | RpcError {
  if (item === undefined) return lost();
  const refusal = refusalOf(item);
  if (refusal !== undefined) return refusal;
  try {
    return readAs(shape, item.value);
  } catch (thrown) {
    return RpcError.from(thrown);
  }
}

/** What came over the wire, as the store has it: members that are not there are undefined. Throws INTERNAL for what no service of ours says. */
export function readAs<T>(shape: Shape<T>, value: unknown): T {
  try {
    return shape.read(value);
  } catch (thrown) {
    const message = `the service has said what no queue says: ${RpcError.from(thrown).message}`;
    throw new RpcError("INTERNAL", message, { reason: "INTERNAL", delivered: "unknown", cause: thrown });
  }
}

/** Of the list itself, before any of it was done. */
function isRefusal({ code, delivered }: RpcError): boolean {
  return code === "INVALID_ARGUMENT" || (code === "RESOURCE_EXHAUSTED" && delivered === "no");
}

function lost(): RpcError {
  return new RpcError("INTERNAL", "the service gave no answer", { reason: "INTERNAL", delivered: "unknown" });
}
