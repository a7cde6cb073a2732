import * as zlib from "node:zlib";
import { RpcError } from "@rpc/core";
import type { Capabilities, Compression } from "@rpc/core/transport";

/** The fastest level: an RPC message waits for it, and so does everybody else in this process. */
const GZIP_LEVEL = 1;

/** `true`: whatever both ends can · `false`: none · or the allowed ones, the best one first. */
export type CompressionOption = boolean | readonly Compression["name"][];

/** 8 MiB, which RFC 8878 asks every reader to allow: a frame of a few bytes can ask for 128 MiB. */
const ZSTD_WINDOW_LOG = 23;

const gzip: Compression = {
  name: "gzip",
  compress: (bytes) => zlib.gzipSync(bytes, { level: GZIP_LEVEL }),
  decompress: (bytes, maxBytes) => inflated(() => gunzipped(bytes, maxBytes), maxBytes),
};

const zstd: Compression = {
  name: "zstd",
  compress: (bytes) => zlib.zstdCompressSync(bytes),
  decompress: (bytes, maxBytes) => inflated(() => unzstd(bytes, maxBytes), maxBytes),
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

/** Node's gunzip takes one member after the other and passes over zeros behind them; here the input is one member. */
function gunzipped(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const body = bytes.subarray(gzipHeaderBytes(bytes));
  // The types do not know what `info` does to the result.
  const { buffer, engine } = zlib.inflateRawSync(body, { maxOutputLength: maxBytes, info: true }) as unknown as {
    readonly buffer: Buffer;
    readonly engine: zlib.InflateRaw;
  };
  const end = engine.bytesWritten;
  checkEnd(end + 8, body);
  const trailer = viewOf(body);
  if (trailer.getUint32(end, true) !== zlib.crc32(buffer) || trailer.getUint32(end + 4, true) !== buffer.length)
    throw new Error("the checksum or the length is wrong");
  return buffer;
}

/** RFC 1952 §2.3. */
function gzipHeaderBytes(bytes: Uint8Array): number {
  const flags = bytes[3] ?? 0;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8 || flags >= 0x20) throw new Error("no gzip member");
  let at = 10;
  if ((flags & 4) !== 0) at += 2 + viewOf(bytes).getUint16(at, true);
  // Name and comment, each up to a zero.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    at = bytes.indexOf(0, at) + 1;
    if (at === 0) throw new Error("unexpected end");
  }
  return (flags & 2) === 0 ? at : at + 2;
}

/** Node's reader stops behind a frame, or takes the next one too, depending on the size of the first; here the input is one frame. */
function unzstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  checkEnd(zstdFrameBytes(bytes), bytes);
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  return zlib.zstdDecompressSync(bytes, { maxOutputLength: maxBytes, params });
}

/** How long the frame is by what its header and those of its blocks say; RFC 8878 §3.1.1. */
function zstdFrameBytes(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== 0xfd2fb528) throw new Error("no zstd frame");
  const flags = view.getUint8(4);
  const isSingleSegment = (flags & 0x20) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  let at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][flags & 3] ?? 0) + sizeBytes;
  for (let isLast = false; !isLast;) {
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) !== 0;
    const isRepeatedByte = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeatedByte ? 1 : header >> 3);
  }
  return (flags & 4) === 0 ? at : at + 4;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkEnd(end: number, bytes: Uint8Array): void {
  if (end > bytes.length) throw new Error("unexpected end");
  if (end < bytes.length) throw new Error(`${bytes.length - end} bytes stand behind it`);
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
