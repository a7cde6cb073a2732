import { readFileSync } from "node:fs";
import { UsageError } from "./problems.ts";

/** Of a file that the command line names. Throws UsageError. */
export function pem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new UsageError(`${file} cannot be read: ${(thrown as Error).message}`);
  }
}
