import * as zlib from "node:zlib";
import { RpcError } from "@rpc/core";
import type { Capabilities, Compression } from "@rpc/core/transport";

/** The fastest level: an RPC message waits for it, and so does everybody else in this process. */
const GZIP_LEVEL = 1;

/** `true`: whatever both ends can · `false`: none · or the allowed ones, the best one first. */
export type CompressionOption = boolean | readonly Compression["name"][];

const gzip: Compression = {
  name: "gzip",
  compress: (bytes) => zlib.gzipSync(bytes, { level: GZIP_LEVEL }),
  decompress: (bytes, maxBytes) => inflated(() => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes }), maxBytes),
};

const zstd: Compression = {
  name: "zstd",
  compress: (bytes) => zlib.zstdCompressSync(bytes),
  decompress: (bytes, maxBytes) =>
    inflated(() => zlib.zstdDecompressSync(bytes, { maxOutputLength: maxBytes }), maxBytes),
};

/** What this version of Node has; zstd came with 22.15. */
const AVAILABLE: readonly Compression[] = typeof zlib.zstdCompressSync === "function" ? [zstd, gzip] : [gzip];

/** The compressions to offer. Throws INVALID_ARGUMENT for a name that there is not. */
export function compressionsOf(option: CompressionOption = false): readonly Compression[] {
  if (typeof option === "boolean") return option ? AVAILABLE : [];
  for (const name of option) {
    if (name === "zstd" || name === "gzip") continue;
    const message = `option compression knows "zstd" and "gzip", not ${JSON.stringify(name)}`;
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  return option.flatMap((name) => AVAILABLE.filter((each) => each.name === name));
}

/** What differs from every session: the gap names the option that closes it. */
export function capabilitiesOf(option: CompressionOption = false): Partial<Capabilities> {
  if (compressionsOf(option).length > 0) return {};
  return { compression: { unsupported: "messages are not compressed; set the option compression at both ends" } };
}

function inflated(inflate: () => Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflate();
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE")
      throw new RpcError("RESOURCE_EXHAUSTED", `a compressed message grows beyond ${maxBytes} bytes`, {
        reason: "maxMessageBytes",
      });
    const message = `compressed data that cannot be read: ${RpcError.from(thrown).message}`;
    throw new RpcError("INTERNAL", message, { reason: "PROTOCOL", cause: thrown });
  }
}
