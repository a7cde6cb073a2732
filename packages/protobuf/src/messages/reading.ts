import { parseError } from "../parse-error.ts";
import type { ProtoReader } from "../reader.ts";

/** Must be called after the fields of a message: a field that ran over the end of its message is a lie about a length. */
export function checkEnd(reader: ProtoReader, end: number): void {
  if (reader.pos !== end) throw parseError(`a field runs ${reader.pos - end} bytes over the end of its message`);
}
