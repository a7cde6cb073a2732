import type { MdpVersion } from "../frames/words.ts";
import type { MdpRule, MdpWorkerInfo, ServiceSettings } from "./settings.ts";
import type { Expiring } from "@rpc/core/transport";
import { WaitingRequests } from "./waiting.ts";

/** One socket of the broker, with whoever came in by it. Identities mean something at their own door alone. */
export class Door {
  readonly index: number;
  /** Whether workers are sent away here. */
  readonly clientsOnly: boolean;
  readonly rules: readonly MdpRule[] | undefined;
  readonly workers: Map<string, Worker> = new Map();
  /** Strangers that were told to go, since the last time this was emptied. */
  readonly told: Set<string> = new Set();

  constructor(index: number, clientsOnly: boolean, rules: readonly MdpRule[] | undefined) {
    this.index = index;
    this.clientsOnly = clientsOnly;
    this.rules = rules;
  }

  mayRegister(service: string): boolean {
    return !this.clientsOnly && (this.rules === undefined || (this.#ruleOf(service)?.mayRegister ?? false));
  }

  mayRequest(service: string): boolean {
    return this.rules === undefined || (this.#ruleOf(service)?.mayRequest ?? false);
  }

  /** What the broker itself answers is open to everybody, unless a rule names it. */
  mayAsk(question: string): boolean {
    if (this.rules === undefined) return true;
    const rule = this.#ruleOf(question);
    return rule === undefined || rule.service === "*" || (rule.mayRequest ?? false);
  }

  #ruleOf(service: string): MdpRule | undefined {
    return this.rules?.find(({ service: named }) =>
      named.endsWith("*") ? service.startsWith(named.slice(0, -1)) : service === named,
    );
  }
}

/** A request, from its arrival to its last reply. The frames are those that came: the body is never copied. */
export interface Request {
  readonly service: Service;
  readonly door: Door;
  readonly client: Buffer;
  readonly version: MdpVersion;
  readonly frames: readonly Buffer[];
  readonly envelopeAt: number;
  readonly envelopeCount: number;
  readonly bodyAt: number;
  readonly bytes: number;
  readonly arrivedAt: number;
  /** When the caller's patience ends; Infinity when it has not said. */
  readonly deadline: number;
  /** When a caller with patience is to hear that nobody came: a little before the deadline, or it would not listen any more. */
  readonly answerBy: number;
  /** When it has waited for too long. */
  expiresAt: number;
  readonly priority: number;
  /** Counts up: of two of the same priority the lower one came first. */
  readonly order: number;
  /** Whether a failure is answered. */
  wantsError: boolean;
  attempts: number;
  /** Something of the reply is with the caller: nobody else may answer any more. */
  begun: boolean;
  /** The caller has been told that it failed: whatever comes is nobody's. */
  failed: boolean;
  /** A part of the reply could not be handed over: what follows may only be an error. */
  isCut: boolean;
  /** Parts of a reply to somebody who takes it as a whole only. */
  collected: Buffer[] | undefined;
}

export class Worker {
  readonly door: Door;
  readonly identity: Buffer;
  readonly key: string;
  readonly service: Service;
  readonly version: MdpVersion;
  /** It can be told that nobody wants its answer any more. */
  takesCancel = false;
  /** The whole message of a sign of life: each is the same. */
  readonly heartbeat: readonly Uint8Array[];
  lastSeen: number;
  beatAt: number;
  request: Request | undefined = undefined;
  /** The message that its request went out with, to tell by whether it was this one that came back. */
  dispatched: readonly Uint8Array[] | undefined = undefined;
  busyUntil = 0;
  answered = 0;
  registered = true;
  /** Neighbours among the idle ones. */
  previous: Worker | undefined = undefined;
  next: Worker | undefined = undefined;

  constructor(
    door: Door,
    identity: Buffer,
    key: string,
    service: Service,
    version: MdpVersion,
    heartbeat: readonly Uint8Array[],
    now: number,
  ) {
    this.door = door;
    this.identity = identity;
    this.key = key;
    this.service = service;
    this.version = version;
    this.heartbeat = heartbeat;
    this.lastSeen = now;
    this.beatAt = now;
  }

  info(): MdpWorkerInfo {
    return {
      service: this.service.name,
      identity: this.identity.toString("hex"),
      door: this.door.index,
      version: this.version,
      busy: this.request !== undefined,
      answered: this.answered,
    };
  }
}

const EXPIRY_STEP_MS = 10;

export class Service implements Expiring {
  readonly name: string;
  readonly key: string;
  readonly frame: Buffer;
  readonly settings: ServiceSettings;
  /** What the broker answers itself, or a store-and-forward service: their bodies are not Domogik's. */
  readonly internal: boolean;
  readonly waiting: WaitingRequests = new WaitingRequests();
  /** Registered workers, busy ones included. */
  workers = 0;
  /** Somebody has offered it since it is known here. */
  offered = false;
  readonly #onExpire: (service: Service) => void;
  #first: Worker | undefined = undefined;
  #last: Worker | undefined = undefined;

  constructor(
    name: string,
    key: string,
    frame: Buffer,
    settings: ServiceSettings,
    onExpire: (service: Service) => void,
  ) {
    this.name = name;
    this.key = key;
    // A copy: the frame may be a piece of a large message.
    this.frame = Buffer.from(frame);
    this.settings = settings;
    this.internal = name.startsWith("titanic.");
    this.#onExpire = onExpire;
  }

  /** When to look whether a waiting request is due. In steps: many requests with instants of their own are not to be as many looks. */
  get deadline(): number {
    return Math.ceil(this.waiting.nextExpiry / EXPIRY_STEP_MS) * EXPIRY_STEP_MS;
  }

  expire(): void {
    this.#onExpire(this);
  }

  /** Who has been idle longest. */
  get firstIdle(): Worker | undefined {
    return this.#first;
  }

  idle(): Worker[] {
    const workers: Worker[] = [];
    for (let worker = this.#first; worker !== undefined; worker = worker.next) workers.push(worker);
    return workers;
  }

  addIdle(worker: Worker): void {
    worker.previous = this.#last;
    worker.next = undefined;
    if (this.#last === undefined) this.#first = worker;
    else this.#last.next = worker;
    this.#last = worker;
  }

  removeIdle(worker: Worker): void {
    if (worker.previous === undefined) this.#first = worker.next;
    else worker.previous.next = worker.next;
    if (worker.next === undefined) this.#last = worker.previous;
    else worker.next.previous = worker.previous;
    worker.previous = undefined;
    worker.next = undefined;
  }
}
