import { RpcError } from "../words/rpc-error.ts";

/** An iterable of exactly one value: the input of a server stream, the output of a client stream. Its value can be had without waiting. */
export class Single implements AsyncIterable<unknown> {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    yield this.value;
  }
}

/** The one value of an iterable. Anything but one is INTERNAL: one end broke the shape of the call. */
export async function onlyValue(values: AsyncIterable<unknown>, method: string): Promise<unknown> {
  if (values instanceof Single) return values.value;
  let found = false;
  let only: unknown;
  for await (const value of values) {
    if (found)
      throw new RpcError("INTERNAL", `${method}: more than one message where one is due`, { reason: "PROTOCOL" });
    found = true;
    only = value;
  }
  if (!found) throw new RpcError("INTERNAL", `${method}: no message where one is due`, { reason: "PROTOCOL" });
  return only;
}
