// The far end of the two-process run: serves the testkit's handler and says where, as one line of JSON.
import { serveTcp } from "@rpc/tcp";
import { createRemoteHandler } from "@rpc/testkit";

const name = `process ${process.pid}`;
const listener = await serveTcp(createRemoteHandler(name), { endpoint: process.argv[2] ?? "tcp://127.0.0.1:0" });
process.stdout.write(`${JSON.stringify({ name, endpoint: listener.endpoint })}\n`);
