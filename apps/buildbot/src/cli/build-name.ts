import type { BuildDetail } from "../contracts/values.ts";
import type { Connection } from "./connection.ts";
import { UsageError } from "./problems.ts";

/** `12` is a build's id, `tests#3` or `tests/3` the third build of a builder, `tests` its newest. */
export async function findBuild({ builds }: Connection, name: string): Promise<BuildDetail> {
  if (/^\d{1,15}$/.test(name)) return builds.get({ id: Number(name) });
  const { builder, number } = /^(?<builder>.+)[#/](?<number>\d{1,15})$/.exec(name)?.groups ?? {};
  if (builder !== undefined) return builds.byNumber({ builder, number: Number(number) });
  const [newest] = await builds.list({ builder: name, limit: 1 });
  if (newest === undefined) throw new UsageError(`there is no build of ${name}`);
  return builds.get({ id: newest.id });
}
