import type { ContractMethod, MethodDefinition, SentBy } from "@rpc/core";
import { RpcError } from "@rpc/core";
import type { StoreTransaction } from "../store/store.ts";
import type { AddressRow, CommandState, NewCommand } from "../store/store-words.ts";
import type { ByName, SendOptions } from "./options.ts";

/** Commands that are issued in a transaction of the caller's own: they are there, and wake somebody, when it commits; else they never were. */
export interface QueueTransaction {
  /** A command by its method's name; gives its id, for `queue.handle` after the commit. */
  readonly send: ByName<Promise<number>>;
  /** The same for a method of a contract. */
  issue<D extends MethodDefinition<"unary" | "notification" | "job">>(
    address: string,
    method: ContractMethod<D>,
    input: SentBy<D["input"]>,
    options?: SendOptions,
  ): Promise<number>;
  /** A command that nobody waits for: its row is deleted when it ends. */
  readonly notify: ByName<Promise<number>>;
  /** A command for each agent that is subscribed when it is issued. */
  readonly broadcast: ByName<Promise<number>>;
  /** What the command is then; see `CommandHandle.cancel`. */
  cancel(id: number, reason?: string): Promise<CommandState>;
  ensureAddress(name: string): Promise<AddressRow>;
  /** With its commands, whatever their state: for the hook that deletes the record whose mailbox it is. Whether there was one. */
  removeAddress(name: string): Promise<boolean>;
  /** Wakes whoever waits for this topic, at the commit. */
  publish(topic: string): Promise<void>;
}

/** Makes the commands; the same as for handles. */
export interface CommandMaker {
  byName(
    address: string,
    method: string,
    args: readonly unknown[] | undefined,
    kwargs: Readonly<Record<string, unknown>> | undefined,
    options: SendOptions | undefined,
    words?: { readonly broadcast?: boolean; readonly notification?: boolean },
  ): NewCommand;
  byContract(address: string, method: ContractMethod, input: unknown, options: SendOptions | undefined): NewCommand;
}

/** Runs `run`, and waits for all that it has issued, awaited or not, also when it throws: the caller commits or rolls back afterwards. */
export async function runInTransaction<T>(
  store: StoreTransaction,
  make: CommandMaker,
  run: (transaction: QueueTransaction) => T | Promise<T>,
): Promise<T> {
  const issued: Promise<unknown>[] = [];
  let ended = false;
  const kept = <V>(verb: () => Promise<V>): Promise<V> => {
    if (ended) return Promise.reject(afterTheEnd());
    // What the maker throws is the verb's own rejection.
    const promise = Promise.resolve().then(verb);
    promise.catch(() => undefined);
    issued.push(promise);
    return promise;
  };
  const insert = async (command: NewCommand): Promise<number> => {
    const [row] = await store.insert([command]);
    if (row instanceof RpcError) throw row;
    if (row === undefined) throw new RpcError("INTERNAL", "the store gave no answer to an insert");
    return row.id;
  };
  const transaction: QueueTransaction = {
    send: (address, method, args, kwargs, options) =>
      kept(() => insert(make.byName(address, method, args, kwargs, options))),
    issue: (address, method, input, options) => kept(() => insert(make.byContract(address, method, input, options))),
    notify: (address, method, args, kwargs, options) =>
      kept(() => insert(make.byName(address, method, args, kwargs, options, { notification: true }))),
    broadcast: (address, method, args, kwargs, options) =>
      kept(() => insert(make.byName(address, method, args, kwargs, options, { broadcast: true }))),
    cancel: (id, reason) =>
      kept(async () => {
        const [done] = await store.cancel([{ id, reason }]);
        if (done instanceof RpcError) throw done;
        return done?.state ?? "claimed";
      }),
    ensureAddress: (name) => kept(() => store.ensureAddress(name)),
    removeAddress: (name) => kept(() => store.removeAddress(name)),
    publish: (topic) => kept(() => store.publish([topic])),
  };
  try {
    const result = await run(transaction);
    await Promise.all(issued);
    return result;
  } finally {
    ended = true;
    // A verb that is still under way when the caller rolls back would be a transaction of its own.
    await Promise.allSettled(issued);
  }
}

function afterTheEnd(): RpcError {
  return new RpcError(
    "FAILED_PRECONDITION",
    "a command was issued in a transaction whose function had ended already: await it inside, or return its promise",
    { reason: "NO_TRANSACTION" },
  );
}
