import type { Clock } from "../words/clock.ts";
import type { ChannelSecurity } from "../words/channel.ts";
import type { Compression } from "../words/compression.ts";
import type { AnnouncedLimits, Envelope, ResumeRefusal } from "../words/envelope.ts";
import type { SessionLimits } from "../words/limits.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable } from "../words/transport.ts";
import type { Session } from "./session.ts";
import { randomBytes } from "../tools/bytes.ts";
import { nextTurn } from "../tools/next-turn.ts";

/** Major version of the session protocol. */
export const PROTOCOL_VERSION = 1;

/** The abilities that both ends must name before one uses them; compressions come in by their own names. */
export const FEATURE_ACK = "ack";
export const FEATURE_RESUME = "resume";

/** How somebody proves who it is; which of them is used is the acceptor's choice. */
export const MECHANISM: Readonly<Record<"secret" | "token" | "certificate" | "none", string>> = Object.freeze({
  secret: "hmac-sha256",
  token: "token",
  certificate: "tls-cert",
  none: "none",
});

/** Messages of a handshake from one end, and a few that are behind it already. */
const HELD_MESSAGES = 4;

export const NONCE_BYTES = 32;
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Random per process: a restarted peer is told from the same one by it. */
export const INSTANCE_ID: Uint8Array = randomBytes(16);

/** What both ends agreed on. */
export interface Agreement {
  readonly sessionId: Uint8Array;
  /** The far end's process. */
  readonly instanceId: Uint8Array;
  /** Who the far end proved to be; undefined: it proved nothing, or nothing but that it knows the secret. */
  readonly identity: string | undefined;
  /** What the far end asks to keep to. */
  readonly limits: AnnouncedLimits | undefined;
  /** Both ends count what they receive. */
  readonly counts: boolean;
  /** How long the acceptor keeps the session without a channel; 0: it does not. */
  readonly resumeWindowMs: number;
  readonly compression: Compression | undefined;
  /** The session that was asked for goes on. */
  readonly resumed: boolean;
  /** Counted envelopes that the far end has received in the session that was asked for; undefined: it does not know. */
  readonly received: number | undefined;
  readonly refusal: ResumeRefusal;
  /** At an acceptor: the session that goes on. */
  readonly session: Session | undefined;
}

/** The connection as its handshake sees it. */
export interface HandshakePort {
  readonly remote: string;
  readonly security: ChannelSecurity;
  /** Sends, and gives the bytes as sent. */
  send(envelope: Envelope): Uint8Array;
  agreed(agreement: Agreement): void;
  /** The handshake has failed: the far end is told, or told something else; the connection ends. */
  refused(error: RpcError, told?: RpcError): void;
  /** What only the log of this end may know. */
  report(error: RpcError): void;
  /** A step that had to wait is done: what arrived meanwhile may be read. */
  continued(): void;
}

/** What a handshake is made of, beside what its role asks for. */
export interface HandshakeSettings {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** Compressions that this end can do, the best one first. */
  readonly compressions: readonly Compression[];
  readonly crypto: ProofCrypto;
}

/** The first exchange on a channel (docs/wire/envelope.md, Handshake). It has to be done within its time. */
export abstract class Handshake {
  protected readonly settings: HandshakeSettings;
  protected readonly port: HandshakePort;
  #timer: unknown = undefined;
  #over = false;
  #busySteps = 0;
  #pause: unknown = undefined;

  constructor(settings: HandshakeSettings, port: HandshakePort) {
    this.settings = settings;
    this.port = port;
  }

  /** A step is being computed: what arrives has to wait. */
  get busy(): boolean {
    return this.#busySteps > 0;
  }

  /** Bytes that the far end may send while a step is being computed, where the channel cannot be paused. */
  get maxHeldBytes(): number {
    return HELD_MESSAGES * this.settings.limits.maxUnauthenticatedBytes;
  }

  protected get over(): boolean {
    return this.#over;
  }

  start(): void {
    const { clock, limits } = this.settings;
    const timeoutMs = limits.unauthenticatedTimeoutMs;
    const message = `the handshake was not done within ${timeoutMs} ms; is the other end a server of this protocol?`;
    // One more turn: when it was this end that slept, the peer's messages are read right after the timer (hostile inputs H213).
    this.#timer = clock.setTimeout(() => {
      nextTurn(() => {
        if (!this.#over) this.refuse(new RpcError("UNAVAILABLE", message, { reason: "unauthenticatedTimeoutMs" }));
      });
    }, timeoutMs);
  }

  stop(): void {
    this.#over = true;
    if (this.#timer !== undefined) this.settings.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pause !== undefined) this.settings.clock.clearTimeout(this.#pause);
  }

  /** One envelope, and its bytes as they came. */
  abstract receive(envelope: Envelope, bytes: Uint8Array): void;

  /** Runs a step that may have to wait for something. Its failure is the handshake's, and nothing of it comes after the end. */
  protected run(step: () => Awaitable<void>): void {
    const failed = (thrown: unknown): void => {
      // What went wrong here is no business of somebody who has proved nothing yet.
      this.refuse(RpcError.from(thrown), unauthenticated("the handshake failed at the other end"));
    };
    let stepping: Awaitable<void>;
    try {
      stepping = step();
    } catch (thrown) {
      return failed(thrown);
    }
    if (stepping === undefined) return;
    this.#busySteps++;
    void Promise.resolve(stepping)
      .catch(failed)
      .finally(() => {
        this.#busySteps--;
        if (this.#busySteps === 0) this.port.continued();
      });
  }

  /** Lets time pass within a step. After the end of the handshake it never settles. */
  protected pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = this.settings.clock.setTimeout(resolve, delayMs);
    });
  }

  protected done(agreement: Agreement): void {
    if (this.#over) return;
    this.stop();
    this.port.agreed(agreement);
  }

  protected refuse(error: RpcError, told: RpcError = error): void {
    if (this.#over) return;
    this.stop();
    this.port.refused(error, told);
  }

  protected unexpected(envelope: Envelope): void {
    const message = `message ${envelope.body} arrived in the middle of the handshake`;
    this.refuse(new RpcError("INTERNAL", message, { reason: "PROTOCOL" }));
  }

  protected announcedLimits(): AnnouncedLimits {
    const { maxMessageBytes, maxCallsInFlight, heartbeatMs, aliveMs } = this.settings.limits;
    return { maxMessageBytes, maxCalls: maxCallsInFlight, heartbeatMs, aliveMs };
  }

  protected offeredFeatures(): readonly string[] {
    const features = [FEATURE_ACK];
    if (this.settings.limits.resumeWindowMs > 0) features.push(FEATURE_RESUME);
    for (const { name } of this.settings.compressions) features.push(name);
    return features;
  }

  protected compressionAmong(features: readonly string[]): Compression | undefined {
    return this.settings.compressions.find(({ name }) => features.includes(name));
  }

  /** What ties the proofs to the channel; empty where there is nothing. */
  protected bindingData(wanted: boolean): Uint8Array {
    return wanted ? (this.port.security.binding?.() ?? NO_BYTES) : NO_BYTES;
  }
}

export function unauthenticated(message: string): RpcError {
  return new RpcError("UNAUTHENTICATED", message, { reason: "UNAUTHENTICATED", delivered: "no" });
}

/** A nonce is worth something only when it is fresh: all zeros, or our own one sent back, are answered with a refusal. */
export function badNonce(theirs: Uint8Array, ours: Uint8Array | undefined): boolean {
  if (theirs.length !== NONCE_BYTES || theirs.every((byte) => byte === 0)) return true;
  return ours !== undefined && theirs.every((byte, i) => byte === ours[i]);
}

const LOOPBACK = /^[a-z+]+:\/\/(127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:127\.\d+\.\d+\.\d+\]|localhost)(:|\/|$)/;

/** Whether nobody on the way can read: TLS, a Unix socket, this machine. */
export function isPrivate({ security, remote }: HandshakePort): boolean {
  return security.kind !== "plain" || LOOPBACK.test(remote);
}
