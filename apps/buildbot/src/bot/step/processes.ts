// What the system tells of processes. Only Linux does; elsewhere nothing is known.
import { readdirSync, readFileSync } from "node:fs";

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly startedAt: string;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before it may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", group: Number(fields[2]), startedAt: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

/** Tells a process from a later one of the same number. Empty: there is none, or the system does not say it. */
export function bornAt(pid: number): string {
  const startedAt = statOf(pid)?.startedAt ?? "";
  // It counts from the machine's start.
  return startedAt === "" ? "" : `${bootId()}:${startedAt}`;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** One that has ended is not, though nobody may have fetched it. */
export function isAlive(pid: number): boolean {
  try {
    return Number.isInteger(pid) && pid > 0 && process.kill(pid, 0) && !hasEnded(statOf(pid));
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function hasEnded(stat: Stat | undefined): boolean {
  return stat?.state === "Z" || stat?.state === "X";
}

/** Whether one of the group has not ended. In a container whose first process fetches no orphans, those that have stay in their group for ever. */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  return process.platform !== "linux" || livingOf(group).length > 0;
}

/** The processes of a group that have not ended. Linux alone. */
export function livingOf(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = statOf(pid);
      return stat?.group === group && !hasEnded(stat);
    });
}

/** What a process was started with; empty for one of another user. */
export function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}
