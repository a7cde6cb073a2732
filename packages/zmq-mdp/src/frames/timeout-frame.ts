import type { Frames } from "./words.ts";

/**
 * What a broker makes of a first body frame that looks like a time-out.
 * - `auto`: takes it off when it is the word None or a number, and what follows says that it was no body: two frames, the second of them
 *   beginning with `{`; or, for `mmi.*` and `titanic.*`, any frame.
 * - `always`: takes it off whenever another frame follows.
 * - `never`: bodies are nobody's business.
 */
export type TimeoutFrameRule = "auto" | "always" | "never";

const MOST_BYTES = 32;
const DECIMAL = /^-?\d+(\.\d*)?([eE][+-]?\d+)?$/;
const BRACE = 0x7b;

/**
 * The patience that stands before a request's body, in ms; 0 when the frame says that there is no limit (`None`, 0, less than 0), undefined
 * when no frame is to be taken off.
 *
 * @param frames The message.
 * @param at Where its body begins.
 * @param internal Whether the service is one of `mmi.*` and `titanic.*`, whose bodies are not Domogik's.
 */
export function timeoutFrameOf(
  frames: Frames,
  at: number,
  rule: TimeoutFrameRule,
  internal: boolean,
): number | undefined {
  if (rule === "never") return undefined;
  const frame = frames[at];
  const after = frames.length - at - 1;
  if (frame === undefined || after < 1 || frame.length === 0 || frame.length > MOST_BYTES) return undefined;
  if (rule === "auto" && !internal && (after < 2 || frames[at + 2]?.[0] !== BRACE)) return undefined;
  return millisecondsOf(frame);
}

function millisecondsOf(frame: Uint8Array): number | undefined {
  // Most first frames are the names of actions: nothing is made of them but one comparison.
  const first = frame[0] ?? 0;
  if (first === 0x4e) return frame.length === 4 && asciiOf(frame) === "None" ? 0 : undefined;
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return undefined;
  const text = asciiOf(frame);
  if (!DECIMAL.test(text)) return undefined;
  const seconds = Number(text);
  if (!Number.isFinite(seconds)) return undefined;
  return seconds > 0 ? seconds * 1000 : 0;
}

/** The text of a patience in seconds, for the frame before a request's body. Never the word None, which Domogik's broker cannot read. */
export function timeoutText(timeoutMs: number): string {
  return String(timeoutMs / 1000);
}

function asciiOf(frame: Uint8Array): string {
  let text = "";
  for (const byte of frame) text += String.fromCharCode(byte);
  return text;
}
