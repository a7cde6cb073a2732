import type { EnvelopeCodec } from "@rpc/core/transport";

/** The word that both ends agree on at the upgrade, so that a peer of another kind is refused there. */
export function subprotocolOf(codec: EnvelopeCodec): string {
  return `rpc.v1.${codec.name}`;
}

/** JSON travels as text, so that a browser's tools can show it; protobuf as bytes. */
export function isBinary(codec: EnvelopeCodec): boolean {
  return codec.name !== "json";
}
