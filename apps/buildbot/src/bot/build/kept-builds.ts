import { readdir } from "node:fs/promises";
import type { Clock } from "@rpc/core";
import type { Writer } from "../../contracts/bot.ts";
import type { PatientDesk } from "../desk/patient-desk.ts";
import { KeptBuild } from "./kept-build.ts";

export interface TellOptions {
  readonly desk: PatientDesk;
  readonly clock: Clock;
  readonly say: (message: string) => void;
}

/** What a life before this one has left to tell: builds that had ended when the bot did, and of which the server has not heard all. */
export class KeptBuilds {
  readonly #builds: Set<KeptBuild>;

  private constructor(builds: readonly KeptBuild[]) {
    this.#builds = new Set(builds);
  }

  /** In a folder of a folder for each build. */
  static async find(spool: string): Promise<KeptBuilds> {
    const found = await Promise.all((await readdir(spool)).map((name) => KeptBuild.open(spool, name)));
    return new KeptBuilds(found.filter((build) => build !== undefined));
  }

  /** For the server, which is not to give them to others. */
  get writers(): Writer[] {
    return [...this.#builds].map(({ writer }) => writer);
  }

  has(name: string): boolean {
    return [...this.#builds].some((build) => build.name === name);
  }

  /** All of them at once. Settles when there are none any more, or the bot has ended before. Never rejects. */
  async tell({ desk, clock, say }: TellOptions): Promise<void> {
    const tell = async (build: KeptBuild): Promise<void> => {
      say(`${build.title} had ended as ${build.results}, which the server has not heard: tells it`);
      const fate = await build.tell({ desk, clock });
      if (fate === undefined) {
        say(`${build.title} has not been told: the next start in this folder tells it`);
        return;
      }
      this.#builds.delete(build);
      say(`${build.title}: ${fate}`);
    };
    await Promise.all([...this.#builds].map(tell));
  }
}
