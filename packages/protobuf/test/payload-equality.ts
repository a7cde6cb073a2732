import { EncodedPayload } from "@rpc/core/transport";
import { expect } from "vitest";

// A received payload is a part of its message; where it lies there is nobody's business.
expect.addEqualityTesters([
  function areSamePayloads(
    this: { equals(a: unknown, b: unknown): boolean },
    a: unknown,
    b: unknown,
  ): boolean | undefined {
    if (!(a instanceof EncodedPayload && b instanceof EncodedPayload)) return undefined;
    return a.format === b.format && this.equals(a.bytes, b.bytes) && this.equals(a.json, b.json);
  },
]);
