import type { Capability } from "@rpc/core/transport";
import { HOSTILE_ROWS } from "./hostile-rows.ts";
import { REQUIREMENT_ROWS } from "./requirement-rows.ts";

/** Where a requirement is proved: on a bare channel, on a transport, or with both ends as separate processes. */
export type RequirementLevel =
  | "channel"
  | "call"
  | "stream"
  | "topics"
  | "queue"
  | "broadcast"
  | "lifecycle"
  | "hostile"
  | "process";

/** A capability that a requirement rests on, and the degree of it when not every degree will do. */
export interface Need {
  readonly capability: Capability;
  readonly degree: string | undefined;
}

/** One line of what every transport is asked for. */
export interface Requirement {
  /** `C…` for requirements, `H…` for hostile inputs. Given once, never reused. */
  readonly id: string;
  /** The name in reports. */
  readonly name: string;
  readonly sentence: string;
  readonly level: RequirementLevel;
  readonly needs: readonly Need[];
  /** Why no case stands behind it yet; undefined: it is implemented. */
  readonly later: string | undefined;
  /** The requirement that sums up this hostile input. */
  readonly under: string | undefined;
}

function cells(line: string): readonly string[] {
  return line.split(" | ").map((cell) => cell.trim());
}

function needsFrom(text: string): readonly Need[] {
  if (text === "-") return [];
  return text.split(",").map((part) => {
    const [capability = "", degree] = part.trim().split(" ");
    // The one border between the table and the type; a test holds the table to the capabilities of core.
    return { capability: capability as Capability, degree };
  });
}

function laterFrom(status: string): string | undefined {
  return status.startsWith("later: ") ? status.slice("later: ".length) : undefined;
}

function requirementsFrom(rows: string, nameOf: (second: string) => string, under: boolean): Requirement[] {
  return rows
    .trim()
    .split("\n")
    .map((line) => {
      const [id = "", second = "", sentence = "", level = "", needs = "-", status = "now"] = cells(line);
      return {
        id,
        name: nameOf(second),
        sentence,
        level: level as RequirementLevel,
        needs: needsFrom(needs),
        later: laterFrom(status),
        under: under ? second : undefined,
      };
    });
}

const numbered = requirementsFrom(REQUIREMENT_ROWS, (name) => name, false);
const names = new Map(numbered.map((requirement) => [requirement.id, requirement.name]));

/** Everything that the suites ask for, and everything that they will. */
export const requirements: readonly Requirement[] = Object.freeze([
  ...numbered,
  ...requirementsFrom(HOSTILE_ROWS, (under) => names.get(under) ?? under, true),
]);

const byId: ReadonlyMap<string, Requirement> = new Map(requirements.map((each) => [each.id, each]));

/** The requirement with this id. Throws for an id that is not in the table: a case must not cite what nobody asked for. */
export function requirementOf(id: string): Requirement {
  const found = byId.get(id);
  if (found === undefined) throw new Error(`no requirement ${id}: add it to the table before citing it`);
  return found;
}
