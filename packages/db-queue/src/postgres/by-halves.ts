import { RpcError } from "@rpc/core";
import { isDataFault, postgresError } from "./status.ts";

/**
 * Does a list at once, and where the database refuses a value in it, by halves, down to the one: the others are not to suffer for it. Rejects
 * when nothing was kept; what a half meets when another one is there already is told of its own items.
 */
export async function byHalves<Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<readonly (Result | RpcError)[]>,
  endpoint: string,
): Promise<readonly (Result | RpcError)[]> {
  if (items.length === 0) return [];
  try {
    return await run(items);
  } catch (thrown) {
    if (!isDataFault(thrown instanceof RpcError ? thrown.cause : thrown)) throw thrown;
    if (items.length === 1) return [postgresError(thrown, endpoint)];
    const half = Math.ceil(items.length / 2);
    const answers = [...(await byHalves(items.slice(0, half), run, endpoint))];
    const rest = items.slice(half);
    try {
      return answers.concat(await byHalves(rest, run, endpoint));
    } catch (later) {
      if (answers.every((answer) => answer instanceof RpcError)) throw later;
      const error = postgresError(later, endpoint, "unknown");
      return answers.concat(rest.map(() => error));
    }
  }
}
