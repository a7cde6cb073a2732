import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "@rpc/core";
import { bornAt, environmentOf, isGroupAlive, livingOf } from "./processes.ts";

/** Which bot a process belongs to, by its folder. */
const MARK = "BUILDBOT_FOLDER";
const LOOK_MS = 20;
const MOST_LOOKS = 250;

/**
 * The process groups that a bot has started, each as a file that is called as its leader and holds when that one was born: what a bot that was
 * killed has left is found by the next one in its folder. One bot at a time.
 */
export class ProcessGroups {
  /** For the environment of all that is started. */
  readonly marks: Readonly<Record<string, string>>;
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.marks = { [MARK]: dirname(realpathSync(folder)) };
  }

  began(leader: number): void {
    this.#try(() => writeFileSync(join(this.#folder, String(leader)), bornAt(leader), { mode: 0o600 }));
  }

  ended(leader: number): void {
    this.#try(() => rmSync(join(this.#folder, String(leader)), { force: true }));
  }

  /**
   * Kills what is left of the life before, and gives the leaders. A group is its own when its leader is still the one that was started, or, that one
   * having ended, when one of the group has the mark: a number that was given to somebody else since is left alone.
   */
  async endFormer(clock: Clock): Promise<number[]> {
    const found: number[] = [];
    for (const name of readdirSync(this.#folder)) {
      const leader = Number(name);
      const born = this.#read(name);
      if (leader > 1 && born !== "" && this.#isOwn(leader, born)) {
        found.push(leader);
        await killGroup(leader, clock);
      }
      this.#try(() => rmSync(join(this.#folder, name), { force: true, recursive: true }));
    }
    return found;
  }

  #isOwn(leader: number, born: string): boolean {
    const now = bornAt(leader);
    if (now !== "") return now === born && isGroupAlive(leader);
    const mark = `${MARK}=${this.marks[MARK] ?? ""}`;
    return livingOf(leader).some((pid) => environmentOf(pid).includes(mark));
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.#folder, name), "utf8");
    } catch {
      return "";
    }
  }

  /** A disk that takes nothing keeps no step from running. */
  #try(run: () => void): void {
    try {
      run();
    } catch {
      // The next start knows less.
    }
  }
}

async function killGroup(group: number, clock: Clock): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS && isGroupAlive(group); looks += 1) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      return;
    }
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, LOOK_MS));
  }
}
