import { Body, type MetadataEntries, type WireError } from "../words/envelope.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { SessionLink } from "./session-link.ts";

/** Tells the peer that its call has failed. The error alone always arrives, whatever becomes of details and metadata. */
export function sendFailure(
  link: SessionLink,
  id: number,
  error: WireError,
  metadata: MetadataEntries | undefined,
): void {
  try {
    link.send({ body: Body.Fail, id, error, metadata });
  } catch {
    // Details or metadata beyond the peer's limit: the error alone always fits.
    const bare = { ...error, message: error.message.slice(0, 256).toWellFormed(), details: undefined, stack: "" };
    try {
      link.send({ body: Body.Fail, id, error: bare, metadata: undefined });
    } catch (thrown) {
      // A peer whose limit has no room for an error has asked for silence.
      link.report(RpcError.from(thrown));
    }
  }
}
