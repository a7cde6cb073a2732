import type { Peer, Peers } from "@rpc/core";

/** Nobody can be told or called through a broker: the set of peers is always empty. */
export const NO_PEERS: Peers = Object.freeze({
  size: 0,
  broadcast: () => ({ sent: 0, failed: [], accepted: Promise.resolve(0) }),
  // oxlint-disable-next-line require-yield -- there is nobody whose answer could be yielded
  async *callAll() {
    return;
  },
  random: () => undefined,
  leastBusy: () => undefined,
  [Symbol.iterator]: (): Iterator<Peer> => [][Symbol.iterator](),
});
