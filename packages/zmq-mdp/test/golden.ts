import { readFileSync } from "node:fs";

export interface Vector {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly dialect: "mdp01" | "mdp02" | "domogik";
  readonly frames: readonly string[];
  readonly means: {
    readonly command?: string;
    readonly service?: string;
    /** Seconds; null is the word None. */
    readonly timeout?: number | null;
    readonly address?: readonly string[];
    readonly envelope?: readonly string[];
    readonly body?: readonly string[];
    readonly drop?: string;
  };
  readonly valid?: boolean;
}

const file = JSON.parse(readFileSync(new URL("vectors/mdp.json", import.meta.url), "utf8")) as {
  readonly vectors: readonly Vector[];
};

/** The golden messages, as they travel between a peer and a broker. */
export const VECTORS: readonly Vector[] = file.vectors;

export function bytesOf(hex: readonly string[]): Buffer[] {
  return hex.map((frame) => Buffer.from(frame, "hex"));
}

export function hexOf(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString("hex"));
}

export function textsOf(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString());
}
