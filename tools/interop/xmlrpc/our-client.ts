import { RpcError } from "@rpc/core";
import { xmlRpcProxy, type XmlRpcProxy } from "@rpc/xmlrpc";
import { type Case, serverCases, valueCases } from "./cases.ts";
import { type Relay, relayTo } from "./relay.ts";
import { difference, told, VALUES } from "./values.ts";

/** Runs our client through the cases of a foreign server: what it says of each. */
export async function runOurClient(url: string): Promise<Map<string, string>> {
  await using relay = await relayTo(url);
  const options = { maxReplyBytes: 32 * 1024 * 1024, timeoutMs: 20_000 };
  await using server = xmlRpcProxy(relay.url, options);
  const outcomes = new Map<string, string>();
  for (const { id } of valueCases) outcomes.set(id, await bothWays(server, id));
  for (const row of serverCases) outcomes.set(row.id, await tried(() => callCase(server, relay, row)));
  return outcomes;
}

/** What the extensions of Apache ws-xmlrpc become at our client. */
export async function readExtensions(url: string): Promise<Map<string, string>> {
  await using server = xmlRpcProxy(url);
  const outcomes = new Map<string, string>();
  for (const name of ["i1", "i2", "i8", "float", "bigdecimal", "biginteger", "nil", "serializable"]) {
    outcomes.set(name, await tried(async () => describe(await server.$call("matrix.give", name))));
  }
  return outcomes;
}

/** What is sent in Apache's spelling, as it stood in the document. */
export async function sentToApache(url: string, value: unknown): Promise<string> {
  await using server = xmlRpcProxy(url, { profile: "apache" });
  return String(await server.$call("matrix.document", value));
}

function describe(value: unknown): string {
  const own = typeof value === "object" && value !== null && "text" in value;
  return own ? `decimal ${String(value.text)}` : told(value);
}

async function bothWays(server: XmlRpcProxy, name: string): Promise<string> {
  const sent = await tried(async () => String(await server.$call("matrix.tell", name, VALUES.get(name))));
  const received = await tried(async () => difference(name, await server.$call("matrix.give", name)));
  const wrong = [sent === "ok" ? "" : `sent: ${sent}`, received === "ok" ? "" : `received: ${received}`];
  return wrong.filter((text) => text !== "").join("; ") || "ok";
}

async function callCase(server: XmlRpcProxy, relay: Relay, { id }: Case): Promise<string> {
  switch (id) {
    case "integral":
      return difference("integral", await server.$call("matrix.give", "integral"));
    case "positional":
      return same(await server.$call("matrix.add", 1, 2), 3);
    case "fault":
      return same(await faultOf(server.$call("matrix.fail", 17, "Ünïcode <&> ]]>")), [17, "Ünïcode <&> ]]>"]);
    case "unknown-method": {
      const fault = await faultOf(server.$call("matrix.nothing"));
      return Array.isArray(fault) && Number.isInteger(fault[0]) ? "" : told(fault);
    }
    case "multicall":
      return multicall(server);
    case "multicall-fault":
      return multicallWithFault(server);
    case "introspection": {
      const names = await server.$call("system.listMethods");
      if (!Array.isArray(names) || !names.includes("matrix.add")) return told(names);
      return same(await server.$call("system.methodHelp", "matrix.add"), "Adds two integers.");
    }
    case "keep-alive": {
      const before = relay.seen.connections;
      await server.$call("matrix.add", 1, 2);
      await server.$call("matrix.add", 1, 2);
      // One that the server had ended is replaced; another one for the second call would not be.
      return relay.seen.connections - before <= 1 ? "" : "a connection for each call";
    }
    default:
      return `there is no case ${id}`;
  }
}

async function multicall(server: XmlRpcProxy): Promise<string> {
  const calls = server.$batch((together) => [together.$call("matrix.add", 1, 2), together.$call("matrix.add", 3, 4)]);
  return same(await Promise.all(calls), [3, 7]);
}

async function multicallWithFault(server: XmlRpcProxy): Promise<string> {
  const calls = server.$batch((together) => [
    together.$call("matrix.add", 1, 2),
    together.$call("matrix.fail", 17, "no"),
    together.$call("matrix.add", 3, 4),
  ]);
  const [one, two, three] = await Promise.allSettled(calls);
  if (one?.status !== "fulfilled" || three?.status !== "fulfilled") {
    const failed = [one, three].find((result) => result?.status === "rejected");
    return `a call of the batch failed: ${String(failed?.reason)}`;
  }
  if (two?.status !== "rejected") return "the failing call did not fail";
  return same([one.value, codeAndText(two.reason), three.value], [3, [17, "no"], 7]);
}

function same(got: unknown, wanted: unknown): string {
  return told(got) === told(wanted) ? "" : `got ${told(got)}`.slice(0, 200);
}

async function faultOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return `no fault but ${told(await call)}`;
  } catch (error) {
    return codeAndText(error);
  }
}

function codeAndText(error: unknown): unknown {
  if (!(error instanceof RpcError)) return String(error);
  const details: unknown = error.details;
  const known = typeof details === "object" && details !== null && "faultCode" in details && "faultString" in details;
  return known ? [details.faultCode, details.faultString] : error.message;
}

async function tried(check: () => Promise<string>): Promise<string> {
  try {
    return (await check()) || "ok";
  } catch (error) {
    return error instanceof RpcError ? `${error.code}: ${error.message}` : String(error);
  }
}
