import { problemLine } from "../problems.ts";
import type { Session } from "../session.ts";

/** Does something to each command, all at once, and prints what it gives, in the order of the ids. False: not all could be done. */
export async function eachOf(
  { output, warn }: Session,
  ids: readonly number[],
  act: (id: number) => Promise<string>,
): Promise<boolean> {
  const outcomes = await Promise.allSettled(ids.map((id) => act(id)));
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") output.line(outcome.value);
    else warn(problemLine(outcome.reason, undefined));
  }
  return outcomes.every(({ status }) => status === "fulfilled");
}
