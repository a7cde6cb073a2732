import { isDeepStrictEqual } from "node:util";
import { createTwoFilesPatch } from "diff";
import { stringify } from "yaml";
import type { BuildRequest } from "../../contracts/values.ts";
import type { Db, Tx } from "../store/open-store.ts";
import { parseConfiguration } from "./parse.ts";
import type { Problem } from "./problems.ts";
import { readTables, writeTables } from "./tables.ts";

const EMPTY = `# What is built, from where, and when.
repositories: {}
builders: {}
`;
const MOST_EDITS = 20_000;

export interface Saved {
  readonly version: number;
  /** With its comments, as it was saved; made from the tables when those have been changed by hand since. */
  readonly text: string;
}

/** Version 0: nothing has been saved yet. */
export async function readConfiguration(db: Db): Promise<Saved> {
  const row = await db
    .selectFrom("configurations")
    .select(["version", "text"])
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  const { version, text } = row ?? { version: 0, text: EMPTY };
  const inTables = await readTables(db);
  if (isDeepStrictEqual(parseConfiguration(text).configuration, inTables)) return { version, text };
  return { version, text: stringify(inTables) };
}

export interface Preview {
  /** Empty: it can be saved. */
  readonly problems: readonly Problem[];
  /** A unified diff against what is saved; empty: nothing would change. */
  readonly diff: string;
}

export async function previewConfiguration(db: Db, text: string): Promise<Preview> {
  const { version, text: saved } = await readConfiguration(db);
  return { problems: parseConfiguration(text).problems, diff: diffOf(saved, text, `version ${version}`) };
}

function diffOf(saved: string, text: string, name: string): string {
  if (saved === text) return "";
  const diff = createTwoFilesPatch(name, "new", saved, text, "", "", { context: 3, maxEditLength: MOST_EDITS });
  return diff ?? `--- ${name}\n+++ new\n(the texts have too little in common to be compared)\n`;
}

export type Save =
  | {
      readonly outcome: "saved";
      readonly version: number;
      /** Pending ones of builders that are gone: cancelled. */
      readonly requests: readonly BuildRequest[];
    }
  /** Somebody else has saved since: who, and what version it is now. */
  | { readonly outcome: "stale"; readonly version: number; readonly author: string }
  | { readonly outcome: "invalid"; readonly problems: readonly Problem[] };

/** Call in a transaction; `version` is the one that the text was made from. Nothing is changed unless it is saved. */
export async function saveConfiguration(
  tx: Tx,
  save: {
    readonly text: string;
    readonly version: number;
    readonly author: string;
    readonly note: string;
    readonly at: number;
  },
): Promise<Save> {
  const { text, author, note, at } = save;
  const { configuration, problems } = parseConfiguration(text);
  if (configuration === undefined) return { outcome: "invalid", problems };
  const before = await newest(tx.db);
  if (before.version !== save.version) return { outcome: "stale", ...before };
  const version = before.version + 1;
  // Of two at the same time the second waits here for the first one's commit.
  const { numInsertedOrUpdatedRows: isFirst } = await tx.db
    .insertInto("configurations")
    .values({ version, at, author, note, text })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (isFirst !== 1n) return { outcome: "stale", ...(await newest(tx.db)) };
  return { outcome: "saved", version, requests: await writeTables(tx, configuration, at) };
}

async function newest(db: Db): Promise<{ version: number; author: string }> {
  const row = await db
    .selectFrom("configurations")
    .select(["version", "author"])
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  return row ?? { version: 0, author: "" };
}

export interface Edition {
  readonly version: number;
  readonly at: number;
  readonly author: string;
  readonly note: string;
}

/** Newest first. */
export async function configurationHistory(db: Db, limit: number): Promise<Edition[]> {
  return db
    .selectFrom("configurations")
    .select(["version", "at", "author", "note"])
    .orderBy("version", "desc")
    .limit(limit)
    .execute();
}
