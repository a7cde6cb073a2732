import { BlockList, isIP } from "node:net";
import { RpcError } from "@rpc/core";
import { refused } from "../calls/errors.ts";
import type { MdpAuth } from "./auth.ts";
import type { MdpRule } from "./settings.ts";

/** A socket that a broker listens at. Who comes in by it has the rights of the door: no peer's word says who it is. */
export interface MdpDoor {
  /** `tcp://host:port`, `ipc://path` or `inproc://name`; port `*` takes a free one. */
  readonly endpoint: string;
  /** Default: everybody who reaches the endpoint. */
  readonly auth?: MdpAuth | null;
  /** Default: everything is allowed. With rules, what none of them allows is refused. */
  readonly rules?: readonly MdpRule[];
  /** Whether workers are sent away. Default: false. */
  readonly clientsOnly?: boolean;
  /** Lets everybody who can reach a public address in, or passwords be read on the way to one. Default: false. */
  readonly allowInsecure?: boolean;
}

const TCP = /^tcp:\/\/(?:\[(?<ipv6>[^\][]+)\]|(?<host>[^:[\]/]+)):(?:\d{1,5}|\*)$/;
const LOCAL = /^(?:ipc|inproc):\/\/./;
const KEY = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Throws for a door that cannot be, and for one that lets the whole network in without anybody having said so. */
export function checkDoor({ endpoint, auth, allowInsecure, rules }: MdpDoor): void {
  const parts = TCP.exec(endpoint)?.groups;
  if (rules !== undefined) checkRules(endpoint, rules);
  if (parts === undefined && !LOCAL.test(endpoint)) {
    throw refused(
      `a broker cannot listen at ${JSON.stringify(endpoint)}: write tcp://host:port, ipc://path or inproc://name`,
    );
  }
  if (auth !== undefined && auth !== null && auth.mechanism !== "curve" && auth.mechanism !== "plain") {
    throw refused(`auth of ${endpoint}: mechanism is curve or plain`);
  }
  if (auth?.mechanism === "curve") {
    const keys = [auth.secretKey, ...(typeof auth.admit === "function" ? [] : auth.admit)];
    if (!keys.every((key) => KEY.test(key))) throw refused(`auth of ${endpoint}: a key is Z85 text of 40 characters`);
    return;
  }
  if (parts === undefined || allowInsecure === true) return;
  const host = parts["ipv6"] ?? parts["host"] ?? "";
  const family = isIP(host);
  if (host.toLowerCase() === "localhost" || (family !== 0 && LOOPBACK.check(host, family === 6 ? "ipv6" : "ipv4")))
    return;
  const what =
    auth === undefined || auth === null
      ? "let everybody who can reach it in"
      : "take passwords that can be read on the way";
  throw new RpcError(
    "FAILED_PRECONDITION",
    `listening on ${endpoint} would ${what}; set auth with mechanism curve, listen on 127.0.0.1, or say allowInsecure: true`,
    { reason: "FAILED_PRECONDITION" },
  );
}

const RULE_MEMBERS: ReadonlySet<string> = new Set(["service", "mayRegister", "mayRequest"]);

/** Rules often come out of a file: one that is misspelled is to allow nothing by accident, and forbid nothing in silence. */
function checkRules(endpoint: string, rules: readonly MdpRule[]): void {
  if (!Array.isArray(rules)) throw refused(`rules of ${endpoint} are a list`);
  for (const rule of rules as readonly unknown[]) {
    const text = JSON.stringify(rule);
    if (typeof rule !== "object" || rule === null) throw refused(`rules of ${endpoint}: ${text} is no rule`);
    for (const [key, value] of Object.entries(rule)) {
      const wanted = key === "service" ? "string" : "boolean";
      if (!RULE_MEMBERS.has(key) || (value !== undefined && typeof value !== wanted))
        throw refused(
          `rules of ${endpoint}: ${text}: a rule is { service: text, mayRegister, mayRequest: true or false }`,
        );
    }
    if (!Object.hasOwn(rule, "service")) throw refused(`rules of ${endpoint}: ${text} names no service`);
  }
}
