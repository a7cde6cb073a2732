import { readdir } from "node:fs/promises";
import type { Clock } from "@rpc/core";
import type { Writer } from "../../contracts/bot.ts";
import type { PatientDesk } from "../desk/patient-desk.ts";
import { KeptBuild } from "./kept-build.ts";

export interface TellOptions {
  readonly desk: PatientDesk;
  readonly clock: Clock;
  readonly say: (message: string) => void;
  /** There is one less. `isHeard`: the server has ended it; otherwise it is given up here, and may run there still. */
  readonly onTold: (isHeard: boolean) => void;
}

/** What a life before this one has left to tell: builds that had ended when the bot did, and of which the server has not heard all. */
export class KeptBuilds {
  readonly #bot: string;
  /** To be told. */
  readonly #builds: Set<KeptBuild>;
  /** Of another bot, or for another server: they stay where they are. */
  readonly #others = new Set<KeptBuild>();

  private constructor(bot: string, builds: readonly KeptBuild[]) {
    this.#bot = bot;
    this.#builds = new Set(builds);
  }

  /** In a folder of a folder for each build; `bot`: who is to tell them. Rejects FAILED_PRECONDITION for one that cannot be read. */
  static async find(spool: string, bot: string): Promise<KeptBuilds> {
    const found: KeptBuild[] = [];
    // One after the other: there may be more than files may be open.
    for (const name of await readdir(spool)) {
      const build = await KeptBuild.open(spool, name);
      if (build !== undefined) found.push(build);
    }
    return new KeptBuilds(bot, found);
  }

  /** Lets be what is none of this bot's, or of this server's; undefined: one that is not known yet. Says what it has found of that. */
  letBe(server: string | undefined, say: (message: string) => void): void {
    for (const build of this.#builds) {
      if (build.isFor({ bot: this.#bot, server })) continue;
      this.#builds.delete(build);
      this.#others.add(build);
      const whose = build.isFor({ bot: this.#bot, server: undefined }) ? "another server" : `the bot ${build.bot}`;
      say(`${build.title} had ended as ${build.results}, which is for ${whose}: it stays where it is`);
    }
  }

  /** To be told, still. */
  get size(): number {
    return this.#builds.size;
  }

  /** For the server, which is not to give them to others. */
  get writers(): Writer[] {
    return [...this.#builds].map(({ writer }) => writer);
  }

  has(name: string): boolean {
    return [...this.#builds, ...this.#others].some((build) => build.name === name);
  }

  /** All of them at once. Settles when there are none any more, or the bot has ended before. Never rejects. */
  async tell({ desk, clock, say, onTold }: TellOptions): Promise<void> {
    const tell = async (build: KeptBuild): Promise<void> => {
      say(`${build.title} had ended as ${build.results}, which the server has not heard: tells it`);
      const fate = await build.tell({ desk, clock });
      if (fate === undefined) {
        say(`${build.title} has not been told: the next start in this folder tells it`);
        return;
      }
      this.#builds.delete(build);
      say(`${build.title}: ${fate}`);
      onTold(build.isHeard);
    };
    await Promise.all([...this.#builds].map(tell));
  }
}
