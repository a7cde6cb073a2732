import { networkInterfaces } from "node:os";
import type { MdpBrokerOptions } from "../run-broker.ts";

/** What a user can mend: told in one line, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** What a file can say: everything that is data. */
export type FileOptions = { -readonly [Name in DataOption]?: MdpBrokerOptions[Name] };

type DataOption = Exclude<keyof MdpBrokerOptions, "clock" | "priority" | "selectWorker">;

/** What the value of each is; objects are looked at by the broker itself. */
const KINDS: Readonly<Record<DataOption, "string" | "number" | "boolean" | "object">> = {
  endpoint: "string",
  clientEndpoint: "string",
  dialect: "string",
  errorReplies: "string",
  timeoutFrame: "string",
  onWorkerLost: "string",
  partials: "string",
  heartbeatMs: "number",
  liveness: "number",
  maxAttempts: "number",
  maxBusyMs: "number",
  maxFrameBytes: "number",
  maxFrames: "number",
  maxMessageBytes: "number",
  maxQueue: "number",
  maxQueuedBytes: "number",
  maxServices: "number",
  maxUnsent: "number",
  maxWorkers: "number",
  requestTtlMs: "number",
  unknownServiceTtlMs: "number",
  allowInsecure: "boolean",
  clientsOnly: "boolean",
  mmiExtensions: "boolean",
  titanic: "boolean",
  auth: "object",
  doors: "object",
  rules: "object",
  services: "object",
};

/** Reads the options of a broker out of a file: one JSON object, or an INI file with Domogik's section `[mq]`. Throws UsageError. */
export function readConfig(text: string, name: string): FileOptions {
  return text.trimStart().startsWith("{") ? readJson(text, name) : readIni(text, name);
}

function readJson(text: string, name: string): FileOptions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new UsageError(`${name} is no JSON: ${String(thrown)}`);
  }
  for (const [key, given] of Object.entries(value as object)) {
    const kind = Object.hasOwn(KINDS, key) ? KINDS[key as DataOption] : undefined;
    if (kind === undefined) throw new UsageError(`${name}: there is no option ${JSON.stringify(key)}`);
    if (typeof given !== kind || given === null) throw new UsageError(`${name}: ${key} is to be a ${kind}`);
  }
  return value as FileOptions;
}

const SECTION = /^\[(?<name>[^\]]+)\]$/;
const ENTRY = /^(?<key>[^=:\s]+)\s*[=:]\s*(?<value>.*)$/;
const DEFAULT_PORT = "40410";

function readIni(text: string, name: string): FileOptions {
  const entries = new Map<string, string>();
  let section = "";
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const named = SECTION.exec(line)?.groups?.["name"];
    if (named !== undefined) section = named.trim();
    const entry = ENTRY.exec(line)?.groups;
    if (named === undefined && section === "mq" && entry !== undefined) {
      entries.set(entry["key"] ?? "", entry["value"] ?? "");
    }
  }
  if (entries.size === 0) throw new UsageError(`${name} has no section [mq]`);
  if (/^(?:false|no|0)$/i.test(entries.get("is_master") ?? "")) {
    throw new UsageError(`${name} says that the broker runs on another machine (is_master)`);
  }
  const port = entries.get("req_rep_port") ?? DEFAULT_PORT;
  if (!/^\d{1,5}$/.test(port)) throw new UsageError(`${name}: req_rep_port is a number, not ${JSON.stringify(port)}`);
  const ip = entries.get("ip") ?? "127.0.0.1";
  return { endpoint: `tcp://${ip === "*" ? firstAddress() : ip}:${port}` };
}

/** What `*` means to Domogik: the first address that others can reach. */
function firstAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    const found = addresses?.find(({ family, internal }) => family === "IPv4" && !internal);
    if (found !== undefined) return found.address;
  }
  return "127.0.0.1";
}
