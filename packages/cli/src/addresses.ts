import type { QueueStore } from "@rpc/db-queue";

/** A name that is written wrong is no empty list. Undefined stands for all addresses. */
export async function mustBeThere(store: QueueStore, address: string | undefined): Promise<void> {
  if (address === undefined || (await store.findAddress(address)) !== undefined) return;
  throw new Error(`no address "${address}": \`rpc-queue stats\` lists those there are`);
}
