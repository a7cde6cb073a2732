import { type Peer, RpcError } from "@rpc/core";
import { shown } from "@rpc/core/transport";
import type { CommandRow } from "../store/store-words.ts";
import { ANY_TOPIC } from "./wake-hub.ts";

/**
 * What one caller may do. Each list has names, or beginnings that end in `*`: `["software_dev.buildbot:*"]`; `["*"]` is everything. What is
 * left out is nothing, but for `agents`.
 */
export interface CallerRights {
  /** Addresses whose commands it may take, run and answer. */
  readonly serve?: readonly string[] | undefined;
  /** As which agents. Of two agents of one name the later fences the earlier, so give each caller its own. Default: any. */
  readonly agents?: readonly string[] | undefined;
  /** Addresses it may send commands to. It sees and cancels those that it has sent, and no others. */
  readonly issue?: readonly string[] | undefined;
  /** Addresses it may look after: make, pause and remove them, see and cancel all commands there. */
  readonly manage?: readonly string[] | undefined;
  /** Topics of the application that it may wait for. */
  readonly wait?: readonly string[] | undefined;
  /** Topics of the application that it may publish. */
  readonly publish?: readonly string[] | undefined;
}

/** By identity, or by whatever else a peer has. Who is not listed, and who has not proved an identity, may do nothing. */
export type RightsLookup = Readonly<Record<string, CallerRights>> | ((peer: Peer) => CallerRights | undefined);

const ADDRESS_TOPIC = "command on: ";
/** They say that a command of this number has changed, and nothing more: no secret to who has to do with any. */
const COMMAND_TOPIC = /^(?:result|events|cancel) of: \d{1,16}$/;

/** Somebody who calls, and what it may do. */
export class Caller {
  /** Undefined: nobody asks for rights, so that it may do everything. */
  readonly #rights: CallerRights | undefined;
  readonly #identity: string | undefined;
  /** For counting: who it is, or where. */
  readonly key: string;

  constructor(peer: Peer, rights: RightsLookup | undefined) {
    this.#identity = peer.identity;
    this.key = peer.identity ?? peer.endpoint;
    if (rights !== undefined) this.#rights = rightsOf(peer, rights) ?? {};
  }

  /** Written into the rows that it issues, whatever it says itself; undefined: it may say what it likes. */
  get issuer(): string | undefined {
    return this.#identity;
  }

  get mayAll(): boolean {
    return this.#rights === undefined;
  }

  /** Anything at all. */
  get mayCall(): boolean {
    const rights = this.#rights;
    return rights === undefined || Object.values<readonly string[] | undefined>({ ...rights }).some(hasAny);
  }

  /** Commands that it was given. */
  get mayAnswer(): boolean {
    return this.#rights === undefined || hasAny(this.#rights.serve);
  }

  mayServe(address: string, agent: string): boolean {
    const rights = this.#rights;
    return rights === undefined || (allows(rights.serve, address) && isAgentOf(rights, agent));
  }

  mayIssue(address: string): boolean {
    return this.#rights === undefined || allows(this.#rights.issue, address);
  }

  mayManage(address: string): boolean {
    return this.#rights === undefined || allows(this.#rights.manage, address);
  }

  /** That there is such an address, its agents and its figures are no secret to who has to do with it. */
  knows(address: string): boolean {
    const rights = this.#rights;
    return (
      rights === undefined ||
      allows(rights.serve, address) ||
      allows(rights.issue, address) ||
      allows(rights.manage, address)
    );
  }

  /** Its own command, or one that it looks after. */
  mayEnd(row: Pick<CommandRow, "address" | "createdBy">): boolean {
    const rights = this.#rights;
    if (rights === undefined || allows(rights.manage, row.address)) return true;
    // A row that nobody has signed belongs to nobody.
    return this.#identity !== undefined && row.createdBy === this.#identity && allows(rights.issue, row.address);
  }

  maySee(row: Pick<CommandRow, "address" | "createdBy" | "agent">): boolean {
    return this.mayEnd(row) || (row.agent !== undefined && this.mayServe(row.address, row.agent));
  }

  mayWaitFor(topic: string): boolean {
    const rights = this.#rights;
    if (rights === undefined) return true;
    if (topic.startsWith(ADDRESS_TOPIC)) {
      const address = topic.slice(ADDRESS_TOPIC.length);
      return allows(rights.serve, address) || allows(rights.manage, address);
    }
    if (COMMAND_TOPIC.test(topic)) return hasAny(rights.serve) || hasAny(rights.issue) || hasAny(rights.manage);
    if (topic === ANY_TOPIC) return rights.manage?.includes("*") === true && rights.wait?.includes("*") === true;
    return allows(rights.wait, topic);
  }

  mayPublish(topic: string): boolean {
    const rights = this.#rights;
    if (rights === undefined) return true;
    if (topic.startsWith(ADDRESS_TOPIC)) return allows(rights.manage, topic.slice(ADDRESS_TOPIC.length));
    return !COMMAND_TOPIC.test(topic) && allows(rights.publish, topic);
  }

  /** `what`: "take commands of software_dev.buildbot:7 as agent bot". */
  denied(what: string): RpcError {
    const who = this.#identity === undefined ? "a caller without identity" : shown(this.#identity, 200);
    return new RpcError(
      "PERMISSION_DENIED",
      `${who} is not allowed to ${shown(what, 500)}: see the rights of the queue's service`,
      {
        reason: "FORBIDDEN",
        delivered: "no",
      },
    );
  }
}

function rightsOf(peer: Peer, rights: RightsLookup): CallerRights | undefined {
  if (typeof rights === "function") return rights(peer);
  const { identity } = peer;
  return identity !== undefined && Object.hasOwn(rights, identity) ? rights[identity] : undefined;
}

function isAgentOf(rights: CallerRights, agent: string): boolean {
  return rights.agents === undefined || allows(rights.agents, agent);
}

function allows(patterns: readonly string[] | undefined, text: string): boolean {
  if (patterns === undefined) return false;
  for (const pattern of patterns) {
    if (pattern === text) return true;
    if (pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1))) return true;
  }
  return false;
}

function hasAny(patterns: readonly string[] | undefined): boolean {
  return patterns !== undefined && patterns.length > 0;
}

/** Throws INVALID_ARGUMENT for a list that means something else than it looks like. */
export function checkRights(rights: RightsLookup | undefined): void {
  if (rights === undefined || typeof rights === "function") return;
  for (const [identity, each] of Object.entries(rights)) {
    for (const [name, patterns] of Object.entries<readonly string[] | undefined>({ ...each })) {
      if (!RIGHTS.has(name))
        throw invalid(identity, `there is no right "${name}"; there are ${[...RIGHTS].join(", ")}`);
      if (patterns !== undefined && !Array.isArray(patterns)) throw invalid(identity, `"${name}" must be a list`);
      for (const pattern of patterns ?? []) {
        const star = pattern.indexOf("*");
        if (star >= 0 && star < pattern.length - 1)
          throw invalid(identity, `"*" stands at the end, got ${JSON.stringify(pattern)}`);
      }
    }
  }
}

const RIGHTS: ReadonlySet<string> = new Set<keyof CallerRights>([
  "serve",
  "agents",
  "issue",
  "manage",
  "wait",
  "publish",
]);

function invalid(identity: string, what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `rights of ${identity}: ${what}`, { reason: "INVALID_ARGUMENT" });
}
