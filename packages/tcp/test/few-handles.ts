// A server for a process with a small `ulimit -n`: greets every channel. Prints its endpoint.
import { acceptTcp } from "../src/accept.ts";
import { listenSettings } from "../src/options.ts";

const silent = { message: (): void => undefined, drained: (): void => undefined, closed: (): void => undefined };

const { endpoint } = await acceptTcp({ scheme: "tcp", host: "127.0.0.1", port: 0 }, listenSettings({}), (channel) => {
  channel.open(silent);
  channel.send(Buffer.from("welcome"));
});
process.stdout.write(endpoint);
process.stdin.on("end", () => process.exit()).resume();
