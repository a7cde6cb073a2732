import { constants, deflate, gunzip, gunzipSync, gzip, gzipSync, inflate, inflateRaw } from "node:zlib";
import type { Awaitable } from "@rpc/core";
import { HttpRefusal } from "../server/service.ts";

export type Coding = "gzip" | "deflate";

export interface InflateLimits {
  readonly maxInflatedBytes: number;
  /** How many times larger a body may become. */
  readonly maxInflateRatio: number;
}

/** The coding of a body; undefined: none. Throws HttpRefusal 415 for one that is unknown, and for several at once. */
export function codingOf(contentEncoding: string | undefined): Coding | undefined {
  const name = contentEncoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "deflate") return "deflate";
  throw new HttpRefusal(415, "Content-Encoding must be gzip or deflate, and only one", {
    "accept-encoding": "gzip, deflate",
  });
}

/** What is smaller than this may grow by more than the ratio: a short body of one repeated word is no bomb. */
const SMALL_BYTES = 64 * 1024;
/** Up to here the work takes less time than handing it to another thread. */
const SYNC_BYTES = 16 * 1024;

/** Unpacks a body. Throws or rejects HttpRefusal: 413 for one that grows too large, 400 for one that is not what it says. */
export function inflated(body: Buffer, coding: Coding, limits: InflateLimits): Awaitable<Buffer> {
  const maxOutputLength = Math.min(
    limits.maxInflatedBytes,
    Math.max(SMALL_BYTES, body.length * limits.maxInflateRatio),
  );
  const options = { maxOutputLength };
  if (coding === "gzip" && body.length <= SYNC_BYTES) {
    try {
      return gunzipSync(body, options);
    } catch (thrown) {
      throw refusalOf(thrown);
    }
  }
  // "deflate" means zlib's format (RFC 9110); some peers leave its header out.
  const unpack = coding === "gzip" ? gunzip : ((body[0] ?? 0) & 0x0f) === 8 ? inflate : inflateRaw;
  return new Promise((resolve, reject) => {
    unpack(body, options, (error, result) => {
      if (error === null) resolve(result);
      else reject(refusalOf(error));
    });
  });
}

function refusalOf(thrown: unknown): HttpRefusal {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return code === "ERR_BUFFER_TOO_LARGE"
    ? new HttpRefusal(413, "The body is too large when it is unpacked")
    : new HttpRefusal(400, "The body is not what Content-Encoding says");
}

/** Replies above this size are packed for who takes that; below, packing would not save a packet. */
const PACK_FROM_BYTES = 1_400;

/** The coding to answer in; undefined: as it is. */
export function replyCoding(acceptEncoding: string | undefined, length: number): Coding | undefined {
  if (length <= PACK_FROM_BYTES || acceptEncoding === undefined) return undefined;
  if (accepts(acceptEncoding, "gzip")) return "gzip";
  return accepts(acceptEncoding, "deflate") ? "deflate" : undefined;
}

function accepts(header: string, coding: Coding): boolean {
  for (const part of header.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";");
    if (name.trim() === coding) return !parameters.some((each) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(each));
  }
  return false;
}

// The fastest level packs documents of this kind nearly as well as the others, in a third of the time.
const PACKING = { level: constants.Z_BEST_SPEED };

export function packed(body: Buffer, coding: Coding): Awaitable<Buffer> {
  if (coding === "gzip" && body.length <= SYNC_BYTES) return gzipSync(body, PACKING);
  return new Promise((resolve, reject) => {
    (coding === "gzip" ? gzip : deflate)(body, PACKING, (error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}
