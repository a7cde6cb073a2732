import type { Clock } from "../words/clock.ts";
import { type AnnouncedLimits, Body, type ChallengeBody, type Envelope, type HelloBody } from "../words/envelope.ts";
import type { SessionLimits } from "../words/limits.ts";
import { RpcError } from "../words/rpc-error.ts";
import { randomBytes } from "../tools/bytes.ts";
import { nextTurn } from "../tools/next-turn.ts";

/** Major version of the session protocol. */
const PROTOCOL_VERSION = 1;

/** Extra abilities that both ends must name before one uses them. None yet: acknowledgement and resume will be the first. */
const FEATURES: readonly string[] = [];

/** The one mechanism of this version: the channel itself is trusted (loopback, Unix socket, TLS). It has no Proof. */
const MECHANISM_NONE = "none";

const NONCE_BYTES = 32;
const SESSION_ID_BYTES = 16;

/** Random per process: a restarted peer is told from the same one by it. */
const INSTANCE_ID: Uint8Array = randomBytes(16);

/** What both ends agreed on. */
export interface Agreement {
  readonly sessionId: Uint8Array;
  /** The far end's process. */
  readonly instanceId: Uint8Array;
  /** What the far end asks to keep to. */
  readonly limits: AnnouncedLimits | undefined;
}

/** The session as its handshake sees it. */
export interface HandshakePort {
  send(envelope: Envelope): void;
  agreed(agreement: Agreement): void;
  /** The handshake has failed: the far end is told, the session ends. */
  refused(error: RpcError): void;
}

export type Role = "initiator" | "acceptor";

/** The first exchange of a session: Hello, then Challenge and Welcome (docs/wire/envelope.md). It has to be done within its time. */
export class Handshake {
  readonly #role: Role;
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #port: HandshakePort;
  #timer: unknown = undefined;
  #challenge: ChallengeBody | undefined = undefined;

  constructor(role: Role, limits: SessionLimits, clock: Clock, port: HandshakePort) {
    this.#role = role;
    this.#limits = limits;
    this.#clock = clock;
    this.#port = port;
  }

  start(): void {
    const timeoutMs = this.#limits.unauthenticatedTimeoutMs;
    const giveUp = (): void => {
      this.#timer = undefined;
      const message = `the handshake was not done within ${timeoutMs} ms; is the other end a server of this protocol?`;
      this.#port.refused(new RpcError("UNAVAILABLE", message, { reason: "unauthenticatedTimeoutMs" }));
    };
    // One more turn: when it was this end that slept, the peer's messages are read right after the timer (hostile inputs H213).
    this.#timer = this.#clock.setTimeout(() => {
      nextTurn(() => {
        if (this.#timer !== undefined) giveUp();
      });
    }, timeoutMs);
    if (this.#role === "initiator") this.#port.send(this.#hello());
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  receive(envelope: Envelope): void {
    // A body that this version does not know may stand anywhere.
    if (envelope.body === 0) return;
    if (this.#role === "acceptor" && envelope.body === Body.Hello) return this.#accept(envelope);
    if (this.#role === "initiator") {
      if (envelope.body === Body.Challenge && this.#challenge === undefined) return this.#check(envelope);
      if (envelope.body === Body.Welcome && this.#challenge !== undefined) {
        const { instanceId, limits } = this.#challenge;
        return this.#done({ sessionId: envelope.sessionId, instanceId, limits });
      }
    }
    this.#port.refused(
      new RpcError("INTERNAL", `message ${envelope.body} arrived in the middle of the handshake`, {
        reason: "PROTOCOL",
      }),
    );
  }

  #hello(): HelloBody {
    return {
      body: Body.Hello,
      versions: [PROTOCOL_VERSION],
      nonce: randomBytes(NONCE_BYTES),
      instanceId: INSTANCE_ID,
      principal: "",
      mechanisms: [MECHANISM_NONE],
      binding: "none",
      limits: this.#announced(),
      features: FEATURES,
      resume: undefined,
      software: "@rpc/core",
    };
  }

  #accept(hello: HelloBody): void {
    if (!hello.versions.includes(PROTOCOL_VERSION)) {
      const spoken = hello.versions.slice(0, 8).join(", ") || "none";
      const message = `protocol version ${PROTOCOL_VERSION} is served, the peer speaks ${spoken}`;
      return this.#port.refused(new RpcError("FAILED_PRECONDITION", message, { reason: "VERSION" }));
    }
    if (!hello.mechanisms.includes(MECHANISM_NONE)) {
      const message = `authentication mechanism "${MECHANISM_NONE}" is served, the peer does not offer it`;
      return this.#port.refused(new RpcError("UNAUTHENTICATED", message, { reason: "UNAUTHENTICATED" }));
    }
    this.#port.send({
      body: Body.Challenge,
      version: PROTOCOL_VERSION,
      nonce: randomBytes(NONCE_BYTES),
      instanceId: INSTANCE_ID,
      mechanism: MECHANISM_NONE,
      binding: "none",
      limits: this.#announced(),
      features: FEATURES,
    });
    const sessionId = randomBytes(SESSION_ID_BYTES);
    this.#port.send({
      body: Body.Welcome,
      mac: NO_BYTES,
      sessionId,
      resumed: false,
      received: undefined,
      refusal: "not-asked",
      resumeWindowMs: 0,
    });
    this.#done({ sessionId, instanceId: hello.instanceId, limits: hello.limits });
  }

  #check(challenge: ChallengeBody): void {
    if (challenge.version !== PROTOCOL_VERSION) {
      const message = `the peer chose protocol version ${challenge.version}, this end speaks ${PROTOCOL_VERSION}`;
      return this.#port.refused(new RpcError("FAILED_PRECONDITION", message, { reason: "VERSION" }));
    }
    if (challenge.mechanism !== MECHANISM_NONE) {
      const message = "the peer chose an authentication mechanism that was not offered";
      return this.#port.refused(new RpcError("UNAUTHENTICATED", message, { reason: "UNAUTHENTICATED" }));
    }
    this.#challenge = challenge;
  }

  #done(agreement: Agreement): void {
    this.stop();
    this.#port.agreed(agreement);
  }

  #announced(): AnnouncedLimits {
    const { maxMessageBytes, maxCallsInFlight, heartbeatMs, aliveMs } = this.#limits;
    return { maxMessageBytes, maxCalls: maxCallsInFlight, heartbeatMs, aliveMs };
  }
}

const NO_BYTES = new Uint8Array(0);
