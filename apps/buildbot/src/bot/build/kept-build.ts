import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@rpc/core";
import type { Writer } from "../../contracts/bot.ts";
import type { Results } from "../../contracts/values.ts";
import { Delivery } from "../desk/delivery.ts";
import {
  DAMAGED,
  type Entry,
  forgetOutcome,
  type Outcome,
  readJournal,
  readOutcome,
  spoolName,
  writerOf,
} from "../desk/journal.ts";
import type { PatientDesk } from "../desk/patient-desk.ts";
import { removeTree } from "../disk.ts";
import { LogPump } from "../log/log-pump.ts";
import { deliverLog, logPath } from "./step-log.ts";
import { deliverArtefact } from "./upload.ts";

/** Of its journal, in memory. */
const AT_ONCE = 50;

/** A build that had ended when its bot did, before the server had heard all of it. It is told as the incarnation that has built it. */
export class KeptBuild {
  /** Of its folder. */
  readonly name: string;
  readonly writer: Writer;
  readonly title: string;
  readonly results: Results;
  readonly #folder: string;
  readonly #outcome: Outcome;
  #isHeard = false;

  private constructor(spool: string, name: string, outcome: Outcome) {
    this.name = name;
    this.writer = writerOf(outcome);
    this.title = outcome.title;
    this.results = outcome.results;
    this.#folder = join(spool, name);
    this.#outcome = outcome;
  }

  /** Undefined: there is none that had ended, or the server has heard of its end. */
  static async open(spool: string, name: string): Promise<KeptBuild | undefined> {
    const outcome = await readOutcome(join(spool, name));
    return outcome === undefined || spoolName(outcome.build, outcome.server) !== name
      ? undefined
      : new KeptBuild(spool, name, outcome);
  }

  /** Whether this bot is to tell it to this server; undefined: one that is not known yet. */
  isFor({ bot, server }: { readonly bot: string; readonly server: string | undefined }): boolean {
    const own = this.#outcome;
    if (own.bot !== undefined && own.bot !== bot) return false;
    return own.server === undefined || server === undefined || own.server === server;
  }

  /** When it has been told: whether the server has ended it. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Who is to tell it, for people. */
  get bot(): string {
    return this.#outcome.bot ?? "";
  }

  /**
   * Tells all of it, from the start: what the server has heard changes nothing. Gives what came of it, in words; undefined: the bot has ended
   * before, and it stays. Never rejects.
   */
  async tell({ desk, clock }: { readonly desk: PatientDesk; readonly clock: Clock }): Promise<string | undefined> {
    let fate = "the server has refused its end";
    const delivery = new Delivery({
      desk,
      writer: this.writer,
      onLost: (why) => {
        fate = `it is given up, for the server does not take its end any more: ${why}`;
      },
    });
    try {
      await this.#postJournal(delivery, clock);
      delivery.end(this.#outcome, () => {
        this.#isHeard = true;
        fate = "the server has heard of its end";
      });
      await delivery.done();
      if (delivery.isCut) return undefined;
      await forgetOutcome(this.#folder);
      await removeTree(this.#folder);
    } catch (error) {
      return `its folder cannot be removed: ${error instanceof Error ? error.message : String(error)}`;
    }
    return fate;
  }

  async #postJournal(delivery: Delivery, clock: Clock): Promise<void> {
    let posted = 0;
    try {
      for await (const entry of readJournal(this.#folder)) {
        this.#post(entry, delivery, clock);
        posted += 1;
        if (posted % AT_ONCE === 0) await delivery.done();
      }
    } catch {
      // How it has ended is known all the same.
      delivery.wasRefused(DAMAGED);
    }
  }

  #post(entry: Entry, delivery: Delivery, clock: Clock): void {
    if ("refused" in entry) delivery.wasRefused(entry.refused);
    else if ("told" in entry) delivery.post(entry.what, entry.told);
    else if ("log" in entry) this.#postLog(entry.log, entry.what, delivery, clock);
    else this.#postArtefact(entry.artefact, entry.what, delivery);
  }

  #postLog(seq: number, what: string, delivery: Delivery, clock: Clock): void {
    delivery.run(what, async (ask) => {
      const path = logPath(this.#folder, seq);
      const pump = await LogPump.left(path, clock);
      // The server has all of it.
      if (pump === undefined) return;
      try {
        const where = { ...this.writer, seq, offset: 0, pieces: [] };
        const { size } = await ask(what, (desk, call) => desk.appendLog(where, call));
        pump.skipTo(size);
        await deliverLog(ask, pump, { delivery, seq, what });
      } finally {
        await pump.close();
      }
      await rm(path, { force: true });
    });
  }

  #postArtefact(
    { name, file }: { readonly name: string; readonly file: string },
    what: string,
    delivery: Delivery,
  ): void {
    delivery.run(what, async (ask) => {
      const path = join(this.#folder, file);
      if (existsSync(path)) await deliverArtefact(ask, { name, path }, delivery);
    });
  }
}
