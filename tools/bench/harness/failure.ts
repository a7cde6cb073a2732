/** Tells the whole failure on the terminal, and returns the one line for the report, without the file names of this machine. */
export function reasonOf(subject: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  console.error(`${subject} failed: ${text}`);
  const errorLine = text.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? text.split("\n", 1)[0] ?? "";
  return errorLine.replace(/^\w*Error(?: \[\w+\])?: /, "").replace(/ imported from .*/, "");
}
