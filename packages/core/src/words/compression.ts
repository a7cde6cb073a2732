/** A way to make messages smaller. The transport package brings it, so that core stays free of it; both ends must name the same one. */
export interface Compression {
  /** As agreed in the handshake. */
  readonly name: "zstd" | "gzip";
  compress(bytes: Uint8Array): Uint8Array;
  /** Throws RESOURCE_EXHAUSTED when the result would be larger than `maxBytes`, before it is; anything else means broken data. */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}
