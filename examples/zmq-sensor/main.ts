// A house: a thermometer says what it measures to whoever listens, and answers when it is asked. Programs of Domogik could be any of the four.
import {
  createMdpClient,
  createMdpPublisher,
  createMdpSubscriber,
  MdpWorker,
  MqMessage,
  runForwarder,
  runMdpBroker,
} from "@rpc/zmq-mdp";

// What every house has once: a broker for requests, a forwarder for events. Port * is for this example; Domogik's are 40410, 40411 and 40412.
const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
const forwarder = await runForwarder({
  publishers: "tcp://127.0.0.1:*",
  subscribers: "tcp://127.0.0.1:*",
  lastValues: true,
});

// The plugin: a worker of its own service, and a publisher.
class Thermometer extends MdpWorker {
  readonly #events = createMdpPublisher(forwarder.publishers);
  #last = 0;

  measured(celsius: number): void {
    this.#last = celsius;
    this.#events.publish("client.sensor", { 210: celsius });
  }

  protected onRequest(message: MqMessage): MqMessage {
    if (message.action !== "helper.do") throw new Error(`a thermometer knows no ${message.action}`);
    return new MqMessage("helper.do.result", { command: message.data["command"], result: `${this.#last} °C` });
  }

  override async close(): Promise<void> {
    await this.#events.close();
    await super.close();
  }
}
const thermometer = new Thermometer("plugin-thermometer.darkstar", { broker: broker.endpoint });

// Somebody listens.
const display = createMdpSubscriber(forwarder.subscribers, { filters: ["client.sensor"], exact: true });
await display.ready;
for (const celsius of [19.5, 20.25]) {
  thermometer.measured(celsius);
  const { category, content } = await display.waitForEvent();
  console.log("display:", category, content);
}

// Who comes later is told the last value first, if it asks for it.
const late = createMdpSubscriber(forwarder.subscribers, { lastValues: true });
const { content, isLastValue } = await late.waitForEvent();
console.log("late:", content, isLastValue ? "(last value)" : "(new)");

// Somebody asks.
const client = createMdpClient(broker.endpoint);
const answer = await client.request("plugin-thermometer.darkstar", new MqMessage("helper.do", { command: "read" }), {
  timeoutMs: 10_000,
});
console.log("asked:", answer.action, answer.data);
const refused = await client.request("plugin-thermometer.darkstar", new MqMessage("window.open"));
console.log("asked:", refused.action, refused.data);
console.log("services:", await client.services());

for (const each of [client, late, display, thermometer, forwarder, broker]) await each.close();
