/** What stands first in a published message: `category.seconds.version`, with the seconds' own dot replaced. */
export interface EventId {
  readonly category: string;
  /** When it was published, in milliseconds since 1970, as its publisher's clock has it. */
  readonly time: number;
}

/** Longer ones are no ids: they are kept and compared. */
export const MAX_EVENT_ID_BYTES = 4_096;

const VERSION = "0_1";
const ID = /^(.+)\.(\d{1,12})(?:_(\d{1,9}))?\.0_1$/s;

/** `plugin.status.1371476851_54.0_1`. */
export function writeEventId(category: string, time: number): string {
  const seconds = Math.floor(time / 1_000);
  const rest = String(Math.floor(time) - seconds * 1_000).padStart(3, "0");
  return `${category}.${seconds}_${rest}.${VERSION}`;
}

/** Undefined for what is no id of this version. */
export function parseEventId(text: string): EventId | undefined {
  if (text.length > MAX_EVENT_ID_BYTES) return undefined;
  const [, category, seconds, fraction = "0"] = ID.exec(text) ?? [];
  if (category === undefined) return undefined;
  return { category, time: Number(`${seconds}.${fraction}`) * 1_000 };
}
