import { RpcError } from "@rpc/core";
import type { Frames } from "../frames/words.ts";
import type { TitanicRequest, TitanicStore } from "./titanic-store.ts";

/** A row of a command queue, as far as it is read here. */
export interface TitanicQueueRow {
  readonly id: number;
  readonly address: string;
  readonly method: string;
  /** A JSON list. */
  readonly args: string;
}

/** The verbs of a command queue's store that are needed: the stores of `@rpc/db-queue` have them. */
export interface TitanicQueue {
  ensureAddress(name: string): Promise<unknown>;
  /** With its commands. */
  removeAddress(name: string): Promise<boolean>;
  insert(
    commands: readonly { readonly address: string; readonly method: string; readonly args: string }[],
  ): Promise<readonly unknown[]>;
  /** Newest first. */
  list(filter: {
    readonly address?: string;
    readonly method?: string;
    readonly beforeId?: number;
    readonly limit?: number;
  }): Promise<readonly TitanicQueueRow[]>;
}

export interface TitanicQueueStoreOptions {
  /** What the names of its addresses begin with: of two Titanics at one database each has its own. Default: `titanic.`. */
  readonly prefix?: string | undefined;
}

const REQUEST = "titanic.request";
const REPLY = "titanic.reply";
const PAGE = 1_000;

/**
 * Keeps requests and replies in a command queue: each request is an address of its own with a command that no agent takes, its reply a second one.
 * Removing the address removes both at once, and a reply that comes later finds no address. The queue's tables are migrated already; a table
 * prefix of its own keeps these addresses out of sight of whoever looks at the queue.
 */
export function createTitanicQueueStore(queue: TitanicQueue, options: TitanicQueueStoreOptions = {}): TitanicStore {
  const { prefix = "titanic." } = options;
  const addressOf = (id: string): string => prefix + id;
  const insert = async (id: string, method: string, frames: Frames): Promise<Error | undefined> => {
    const texts = frames.map((frame) => Buffer.from(frame).toString("base64"));
    const [inserted] = await queue.insert([{ address: addressOf(id), method, args: JSON.stringify(texts) }]);
    // In a list's place stands the error of what could not be done.
    return inserted instanceof Error ? inserted : undefined;
  };
  async function* rows(method: string): AsyncGenerator<TitanicQueueRow> {
    let beforeId: number | undefined;
    for (;;) {
      const page = await queue.list({ method, limit: PAGE, ...(beforeId === undefined ? {} : { beforeId }) });
      for (const row of page) if (row.address.startsWith(prefix)) yield row;
      beforeId = page.at(-1)?.id;
      if (page.length < PAGE || beforeId === undefined) return;
    }
  }
  return {
    async put({ id, service, body }) {
      await queue.ensureAddress(addressOf(id));
      const error = await insert(id, REQUEST, [Buffer.from(service), ...body]);
      if (error !== undefined) throw error;
    },
    async answer(id, reply) {
      const error = await insert(id, REPLY, reply);
      if (error !== undefined && RpcError.from(error).reason !== "NO_ADDRESS") throw error;
    },
    async get(id) {
      const found = await queue.list({ address: addressOf(id) });
      const reply = found.find(({ method }) => method === REPLY);
      if (reply !== undefined) return { kind: "answered", reply: framesOf(reply) };
      return { kind: found.some(({ method }) => method === REQUEST) ? "pending" : "unknown" };
    },
    async remove(id) {
      await queue.removeAddress(addressOf(id));
    },
    async pending() {
      const answered = new Set<string>();
      for await (const { address } of rows(REPLY)) answered.add(address);
      const found: TitanicRequest[] = [];
      for await (const row of rows(REQUEST)) {
        if (answered.has(row.address)) continue;
        const [service, ...body] = framesOf(row);
        found.push({ id: row.address.slice(prefix.length), service: String(service), body });
      }
      // The oldest first: they have waited longest.
      return found.toReversed();
    },
  };
}

function framesOf({ args }: TitanicQueueRow): Buffer[] {
  return (JSON.parse(args) as readonly string[]).map((text) => Buffer.from(text, "base64"));
}
