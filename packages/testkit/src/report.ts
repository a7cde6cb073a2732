import type { Capabilities } from "@rpc/core/transport";
import { requirements } from "./requirements.ts";

/** What became of one case on one transport. */
export interface CaseReport {
  readonly id: string;
  readonly title: string;
  /** `notApplicable`: the transport declares the gap, and the suite saw that it is one. `knownFailure`: listed, and it does fail. */
  readonly outcome: "passed" | "notApplicable" | "knownFailure" | "failed";
  /** Why it is not applicable, why it is known, or how it failed. */
  readonly sentence: string | undefined;
}

/** What a suite found; filled while it runs. */
export interface SuiteReport {
  readonly name: string;
  readonly level: "channel" | "transport" | "process";
  /** Known once a transport has been made. */
  capabilities: Capabilities | undefined;
  readonly cases: CaseReport[];
}

/** An empty report. */
export function createReport(name: string, level: SuiteReport["level"]): SuiteReport {
  return { name, level, capabilities: undefined, cases: [] };
}

/** One line for people: passed, not applicable with the sentences, failed with the ids. */
export function reportLine(report: SuiteReport): string {
  const of = (outcome: CaseReport["outcome"]): CaseReport[] => report.cases.filter((each) => each.outcome === outcome);
  const parts = [`${report.name} (${report.level}): ${of("passed").length} passed`];
  const notApplicable = of("notApplicable");
  const sentences = [...new Set(notApplicable.map((each) => each.sentence))];
  parts.push(`${notApplicable.length} not applicable${sentences.length === 0 ? "" : ` (${sentences.join("; ")})`}`);
  const known = of("knownFailure");
  if (known.length > 0) parts.push(`${known.length} known failures (${idsOf(known)})`);
  const failed = of("failed");
  parts.push(`${failed.length} failed${failed.length === 0 ? "" : ` (${idsOf(failed)})`}`);
  return parts.join(", ");
}

/** The same for machines. */
export function reportJson(report: SuiteReport): string {
  const later = requirements.filter((each) => each.later !== undefined);
  return JSON.stringify(
    { ...report, later: later.map(({ id, name, later: why }) => ({ id, name, why })) },
    undefined,
    2,
  );
}

function idsOf(cases: readonly CaseReport[]): string {
  return [...new Set(cases.map((each) => each.id))].join(", ");
}
