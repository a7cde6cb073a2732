/** `mdp-forwarder.ts bare|ours`: what publishers send goes to subscribers. Says where both are. */
import { runForwarder } from "@rpc/zmq-mdp";
import { XPublisher, XSubscriber } from "zeromq";

const ANYWHERE = "tcp://127.0.0.1:*";

/** Both sides of a forwarder, where peers connect to. */
export interface ForwarderSides {
  readonly publishers: string;
  readonly subscribers: string;
}

process.on("disconnect", () => process.exit(0));
const { publishers, subscribers } = process.argv[2] === "ours" ? await ours() : await bare();
process.send?.({ publishers, subscribers } satisfies ForwarderSides);

function ours(): Promise<ForwarderSides> {
  return runForwarder({ publishers: ANYWHERE, subscribers: ANYWHERE });
}

/** As zeromq.js's own example of a proxy has it. */
async function bare(): Promise<ForwarderSides> {
  const near = new XSubscriber({ receiveHighWaterMark: 0, linger: 0 });
  const far = new XPublisher({ sendHighWaterMark: 0, linger: 0 });
  await near.bind(ANYWHERE);
  await far.bind(ANYWHERE);
  void (async () => {
    for await (const frames of near) await far.send(frames);
  })();
  void (async () => {
    for await (const frames of far) await near.send(frames);
  })();
  return { publishers: near.lastEndpoint ?? "", subscribers: far.lastEndpoint ?? "" };
}
