import { Alert } from "@mantine/core";
import { wordsOf } from "../data/notices.ts";
import { firstShown } from "./log-lines.tsx";
import { type LiveLog, useVersion } from "./use-log.ts";

/** What is to be said of a log beside its lines. */
export function LogNotes({ log }: { log: LiveLog }) {
  useVersion(log);
  const base = firstShown(log.windows.total);
  return (
    <>
      {log.error && <Alert color="red">{wordsOf(log.error)}</Alert>}
      {base > 0 && (
        <Alert color="yellow" p="xs">
          The first {base.toLocaleString("en")} lines are in the raw log only.
        </Alert>
      )}
    </>
  );
}
