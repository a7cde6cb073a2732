import { COPY, MADE_BY } from "../words/copy.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { type Handler, SERVING } from "../words/transport.ts";
import { otherCopy } from "../tools/copies.ts";
import { checkParts, misfit } from "../machines/session-parts.ts";

/** Throws FAILED_PRECONDITION for a method that a session could not serve, or whose parts are of another copy of this package. */
export function checkServed(method: MethodDescriptor): void {
  checkParts(method);
  // Streams and jobs are served by their parts; for all others the half that serves has what it takes.
  if (method.parts === undefined && (method.kind === "job" || method.kind.endsWith("Stream"))) throw misfit(method);
}

/** Throws FAILED_PRECONDITION for a handler of which something could not be served, as far as its contracts tell. */
export function checkHandler(handler: Handler): void {
  checkHandlerCopy(handler);
  for (const contract of handler.contracts) {
    for (const { name, kind } of contract.methods.values()) {
      // What calls are served by, which a handler that is written by hand may have from elsewhere than its contracts.
      const method = handler.method(name, kind);
      if (method !== undefined) checkServed(method);
    }
  }
}

/** Throws FAILED_PRECONDITION for a handler of another copy of this package: it would ask for this one's classes, and find none. */
export function checkHandlerCopy(handler: Handler): void {
  const half = handler[SERVING];
  if (half !== undefined && half[MADE_BY] !== COPY)
    throw otherCopy(`the handler of ${handler.contracts.map(({ name }) => name).join(", ") || "all contracts"}`);
}
