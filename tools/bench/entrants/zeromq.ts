/** zeromq.js without any RPC on top: DEALER to ROUTER, opaque bytes, replies matched in order (both sockets keep it). */
import { Context, Dealer, Router } from "zeromq";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { ECHO_TEXT } from "../harness/message.ts";
import { SendQueue } from "../wire/send-queue.ts";

const OPAQUE_PAYLOAD = Buffer.alloc(104, 0x61);
const OPAQUE_MESSAGE: EchoMessage = { id: 0, text: ECHO_TEXT };
const ITEMS_REQUEST_BYTES = 4;
/** No high-water mark: with 64 calls in flight it only costs. */
const UNBOUNDED = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
const MAX_SOCKETS = 20_000;

export const entrant: Entrant = {
  opaque: true,
  serve: async () => {
    const router = new Router(UNBOUNDED);
    await router.bind("tcp://127.0.0.1:*");
    void echoForever(router);
    return { endpoint: router.lastEndpoint ?? "", close: async () => router.close() };
  },
  connect: async (endpoint) => {
    const dealer = new Dealer({ ...UNBOUNDED, context: sharedContext() });
    dealer.connect(endpoint);
    const outgoing = new SendQueue<Uint8Array>((payload) => dealer.send(payload));
    const waiting: ((payload: Buffer) => void)[] = [];
    let head = 0;
    void receiveForever(dealer, (payload) => {
      waiting[head++]?.(payload);
      if (head < 1024) return;
      waiting.splice(0, head);
      head = 0;
    });
    const call = (payload: Uint8Array): Promise<Buffer> => {
      outgoing.push(payload);
      return new Promise((resolve) => waiting.push(resolve));
    };
    return {
      echo: async () => {
        await call(OPAQUE_PAYLOAD);
        return OPAQUE_MESSAGE;
      },
      countItems: (itemCount) => {
        const request = Buffer.alloc(ITEMS_REQUEST_BYTES);
        request.writeUInt32BE(itemCount);
        outgoing.push(request);
        return new Promise((resolve) => {
          for (let i = 1; i < itemCount; i++) waiting.push(ignoreItem);
          waiting.push(() => resolve(itemCount));
        });
      },
      echoBytes: call,
      close: async () => dealer.close(),
    };
  },
};

let context: Context | undefined;

/** One I/O thread and room for 10 000 sockets; the default is 1023. */
function sharedContext(): Context {
  context ??= new Context({ maxSockets: MAX_SOCKETS });
  return context;
}

async function echoForever(router: Router): Promise<void> {
  const outgoing = new SendQueue<Buffer[]>((frames) => router.send(frames));
  for await (const [identity, payload] of router) {
    if (identity === undefined || payload === undefined) continue;
    if (payload.length !== ITEMS_REQUEST_BYTES) {
      outgoing.push([identity, payload]);
      continue;
    }
    const itemCount = payload.readUInt32BE(0);
    for (let i = 0; i < itemCount; i++) outgoing.push([identity, OPAQUE_PAYLOAD]);
  }
}

async function receiveForever(dealer: Dealer, receive: (payload: Buffer) => void): Promise<void> {
  for await (const [payload] of dealer) if (payload !== undefined) receive(payload);
}

function ignoreItem(): void {}
