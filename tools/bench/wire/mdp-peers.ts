/** A client and a worker of MDP 0.1 on bare zeromq.js, the same for each broker that is measured between them. */
import type { ChildProcess } from "node:child_process";
import { Dealer } from "zeromq";
import type { EchoMessage, EntrantClient } from "../harness/entrant.ts";
import { ECHO_TEXT } from "../harness/message.ts";
import { startBeside } from "./beside.ts";
import { SendQueue } from "./send-queue.ts";

export const EMPTY: Buffer = Buffer.alloc(0);
export const CLIENT: Buffer = Buffer.from("MDPC01");
export const WORKER: Buffer = Buffer.from("MDPW01");
const SERVICE: Buffer = Buffer.from("echo");
export const READY: Buffer = Buffer.of(1);
export const REQUEST: Buffer = Buffer.of(2);
export const REPLY: Buffer = Buffer.of(3);
const HEARTBEAT: Buffer = Buffer.of(4);
/** No high-water mark: with 64 calls in flight it only costs. */
export const UNBOUNDED = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 0 } as const;

const OPAQUE_PAYLOAD = Buffer.alloc(104, 0x61);
const OPAQUE_MESSAGE: EchoMessage = { id: 0, text: ECHO_TEXT };
const ASKED: readonly Buffer[] = [EMPTY, CLIENT, SERVICE, OPAQUE_PAYLOAD];
const HEARTBEAT_MS = 1000;

/** Pipelines its requests on one socket. All of them are alike, so that any reply is the oldest one's. */
export async function connectClient(endpoint: string): Promise<EntrantClient> {
  const dealer = new Dealer(UNBOUNDED);
  dealer.connect(endpoint);
  const outgoing = new SendQueue<readonly Buffer[]>((frames) => dealer.send([...frames]));
  const waiting: ((message: EchoMessage) => void)[] = [];
  let head = 0;
  void (async () => {
    for await (const frames of dealer) {
      if (frames.at(-1)?.length !== OPAQUE_PAYLOAD.length) throw new Error("the broker gives back something else");
      waiting[head++]?.(OPAQUE_MESSAGE);
      if (head < 1024) continue;
      waiting.splice(0, head);
      head = 0;
    }
  })();
  return {
    echo: () => {
      outgoing.push(ASKED);
      return new Promise((resolve) => waiting.push(resolve));
    },
    close: async () => dealer.close(),
  };
}

/** Answers with what it was asked. One request at a time, as the protocol has it: several are several registrations. */
export function work(endpoint: string): void {
  const dealer = new Dealer(UNBOUNDED);
  dealer.connect(endpoint);
  const outgoing = new SendQueue<Buffer[]>((frames) => dealer.send(frames));
  outgoing.push([EMPTY, WORKER, READY, SERVICE]);
  setInterval(() => outgoing.push([EMPTY, WORKER, HEARTBEAT]), HEARTBEAT_MS);
  void (async () => {
    for await (const frames of dealer) {
      if (frames[2]?.[0] !== REQUEST[0]) continue;
      frames[2] = REPLY;
      outgoing.push(frames);
    }
  })();
}

/** Registrations of the one worker process: so many requests are at work at a time. */
const REGISTRATIONS = 16;

export function startWorkers(endpoint: string): Promise<ChildProcess> {
  return startBeside("mdp-worker.ts", endpoint, String(REGISTRATIONS)).then(({ child }) => child);
}
