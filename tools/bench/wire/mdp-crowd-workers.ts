/** `mdp-crowd-workers.ts <endpoint> <workers> <services> <offset>`: idle workers that beat, each with a socket of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer } from "zeromq";

const [endpoint = "", workers = "1", services = "1", offset = "0"] = process.argv.slice(2);
const HEARTBEAT_MS = 2_500;

async function work(service: string): Promise<void> {
  const socket = new Dealer({ linger: 0 });
  socket.connect(endpoint);
  await socket.send(["", "MDPW01", Uint8Array.of(1), service]);
  setInterval(() => void socket.send(["", "MDPW01", Uint8Array.of(4)]), HEARTBEAT_MS);
  for (;;) await socket.receive();
}

process.on("disconnect", () => process.exit(0));
for (let n = 0; n < Number(workers); n++) {
  void work(`service-${(n + Number(offset)) % Number(services)}`);
  // Spread over the time between two beats, as programs that were started at any time are.
  await sleep(HEARTBEAT_MS / Number(workers));
}
