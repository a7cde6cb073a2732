import type { ListenerCredentials } from "../words/credentials.ts";
import {
  Body,
  type ChallengeBody,
  type Envelope,
  type HelloBody,
  type ProofBody,
  type ResumeRefusal,
  type ResumeRequest,
} from "../words/envelope.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable } from "../words/transport.ts";
import { randomBytes } from "../tools/bytes.ts";
import { KeyRing, secretBytes } from "../tools/key-ring.ts";
import { allOf, chained } from "../tools/promise-like.ts";
import { type Key, sameProof, transcriptBytes } from "../tools/proof.ts";
import type { Session } from "./session.ts";
import {
  badNonce,
  FEATURE_ACK,
  FEATURE_RESUME,
  Handshake,
  type HandshakePort,
  type HandshakeSettings,
  INSTANCE_ID,
  isPrivate,
  MECHANISM,
  NO_BYTES,
  NONCE_BYTES,
  PROTOCOL_VERSION,
  unauthenticated,
} from "./handshake.ts";

const SESSION_ID_BYTES = 16;

/** One sentence for a wrong secret and for a name that nobody has: the difference would tell which names there are. */
const NOT_PROVED = "the proof is wrong: unknown identity, or another secret";

/** What a listener asks of those who dial, ready to be checked. One for all connections. */
export class Doorkeeper {
  readonly credentials: ListenerCredentials;
  readonly keys: KeyRing | undefined;

  /** Throws INVALID_ARGUMENT for a secret that is missing or empty. */
  constructor(credentials: ListenerCredentials, functions: ProofCrypto) {
    if ("authenticate" in credentials && typeof credentials.authenticate !== "function")
      throw new RpcError("INVALID_ARGUMENT", "option authenticate is no function; leave it out to ask nobody", {
        reason: "INVALID_ARGUMENT",
      });
    if ("secret" in credentials) secretBytes(credentials.secret, "secret");
    if ("secrets" in credentials && (credentials.secrets === undefined || isEmpty(credentials.secrets)))
      throw new RpcError("INVALID_ARGUMENT", "option secrets holds no secret; leave it out, or name one", {
        reason: "INVALID_ARGUMENT",
      });
    this.credentials = credentials;
    if (credentials.secret !== undefined || credentials.secrets !== undefined)
      this.keys = new KeyRing(credentials, functions);
  }

  /** Whether everybody who dials has to prove who it is. */
  get asksForProof(): boolean {
    return this.keys !== undefined || this.credentials.authenticate !== undefined;
  }

  /** The way of proving that is used; undefined: none of the offered ones will do. */
  mechanismAmong(offered: readonly string[], port: HandshakePort): string | undefined {
    const { authenticate } = this.credentials;
    const { certificateSubject } = port.security;
    if (this.keys !== undefined && offered.includes(MECHANISM.secret)) return MECHANISM.secret;
    // A token that somebody on the way could have read proves nothing.
    if (authenticate !== undefined && offered.includes(MECHANISM.token) && isPrivate(port)) return MECHANISM.token;
    const certificateCounts =
      certificateSubject !== undefined && (authenticate !== undefined || this.keys === undefined);
    if (certificateCounts && offered.includes(MECHANISM.certificate)) return MECHANISM.certificate;
    return !this.asksForProof && offered.includes(MECHANISM.none) ? MECHANISM.none : undefined;
  }
}

function isEmpty(secrets: NonNullable<ListenerCredentials["secrets"]>): boolean {
  return typeof secrets !== "function" && Object.keys(secrets).length === 0;
}

/** What becomes of a session that somebody asks to go on with: it goes on, or why it does not. */
export interface Claim {
  readonly session: Session | undefined;
  readonly refusal: ResumeRefusal;
  /** What was received in it; undefined: it is not known any more. */
  readonly received: number | undefined;
}

/** Sessions that wait for their peers. */
export interface ResumeDesk {
  /** Takes a session away from its old channel, so that it can go on over the new one. */
  claim(request: ResumeRequest, identity: string | undefined): Claim;
}

/** The serving end's half. `delayMs`: how long its answers are held back at the moment. */
export class AcceptorHandshake extends Handshake {
  readonly #doorkeeper: Doorkeeper;
  readonly #desk: ResumeDesk;
  readonly #delayMs: () => number;
  readonly #nonce = randomBytes(NONCE_BYTES);
  #hello: HelloBody | undefined = undefined;
  #helloBytes: Uint8Array = NO_BYTES;
  #challenge: ChallengeBody | undefined = undefined;
  #challengeBytes: Uint8Array = NO_BYTES;
  #proved = false;
  #hasWaited = false;

  constructor(
    settings: HandshakeSettings,
    port: HandshakePort,
    doorkeeper: Doorkeeper,
    desk: ResumeDesk,
    delayMs: () => number,
  ) {
    super(settings, port);
    this.#delayMs = delayMs;
    this.#doorkeeper = doorkeeper;
    this.#desk = desk;
  }

  receive(envelope: Envelope, bytes: Uint8Array): void {
    // A body that this version does not know may stand anywhere.
    if (envelope.body === 0) return;
    if (envelope.body === Body.Hello && this.#hello === undefined) {
      return this.run(() => chained(this.#wait(), () => this.#accept(envelope, bytes)));
    }
    const awaited = this.#challenge?.mechanism === MECHANISM.secret || this.#challenge?.mechanism === MECHANISM.token;
    if (envelope.body === Body.Proof && awaited && !this.#proved) {
      this.#proved = true;
      // Whoever has opened a hundred connections before the first guess waits as well.
      return this.run(() => chained(this.#wait(), () => this.#check(envelope)));
    }
    this.unexpected(envelope);
  }

  /** Lets somebody wait whose address has guessed too often; once for each connection. */
  #wait(): Awaitable<void> {
    const delayMs = this.#hasWaited ? 0 : this.#delayMs();
    if (delayMs === 0) return undefined;
    this.#hasWaited = true;
    return this.pause(delayMs);
  }

  #accept(hello: HelloBody, bytes: Uint8Array): void {
    const { security } = this.port;
    if (!hello.versions.includes(PROTOCOL_VERSION)) {
      const spoken = hello.versions.slice(0, 8).join(", ") || "none";
      const message = `protocol version ${PROTOCOL_VERSION} is served, the peer speaks ${spoken}`;
      return this.refuse(new RpcError("FAILED_PRECONDITION", message, { reason: "VERSION" }));
    }
    const mechanism = this.#doorkeeper.mechanismAmong(hello.mechanisms, this.port);
    if (mechanism === undefined) return this.refuse(unauthenticated(this.#askFor()));
    if (mechanism === MECHANISM.secret && badNonce(hello.nonce, undefined))
      return this.refuse(unauthenticated("the nonce of Hello is not fresh"));
    const { channelBinding } = this.#doorkeeper.credentials;
    const bound = hello.binding === "tls-exporter" && security.binding !== undefined && channelBinding !== "none";
    if (channelBinding === "require" && !bound)
      return this.refuse(unauthenticated("the handshake must be bound to a TLS 1.3 connection"));
    this.#hello = hello;
    this.#helloBytes = bytes;
    this.#challenge = {
      body: Body.Challenge,
      version: PROTOCOL_VERSION,
      nonce: this.#nonce,
      instanceId: INSTANCE_ID,
      mechanism,
      binding: bound ? "tls-exporter" : "none",
      limits: this.announcedLimits(),
      features: this.#commonFeatures(hello.features),
    };
    this.#challengeBytes = this.port.send(this.#challenge);
    if (mechanism === MECHANISM.none) return this.#welcome(undefined, NO_BYTES);
    if (mechanism === MECHANISM.certificate) this.run(() => this.#admit("tls-cert", ""));
  }

  #askFor(): string {
    if (this.#doorkeeper.keys !== undefined)
      return "this server asks for the proof of a secret; set the option secret at the dialing end";
    return this.#doorkeeper.asksForProof
      ? "this server asks for a token or a TLS client certificate; set the option token or tls at the dialing end"
      : "this server knows no secrets, so it cannot prove one; set secret or secrets there, or leave secret out here";
  }

  #commonFeatures(offered: readonly string[]): readonly string[] {
    const compression = this.compressionAmong(offered)?.name;
    return this.offeredFeatures().filter((feature) =>
      feature === FEATURE_ACK || feature === FEATURE_RESUME ? offered.includes(feature) : feature === compression,
    );
  }

  #check(proof: ProofBody): Awaitable<void> {
    if (this.#challenge?.mechanism === MECHANISM.token) return this.#admit("token", proof.token);
    const hello = this.#hello;
    if (hello === undefined || this.#challenge === undefined) return;
    const transcript = transcriptBytes(
      {
        initiatorNonce: hello.nonce,
        acceptorNonce: this.#nonce,
        hello: this.#helloBytes,
        challenge: this.#challengeBytes,
        binding: this.bindingData(this.#challenge.binding === "tls-exporter"),
      },
      this.settings.crypto,
    );
    return chained(transcript, (known) =>
      chained(this.#keysOf(hello.principal), (keys) => this.#compare(keys, known, proof)),
    );
  }

  #compare(keys: readonly Key[], transcript: Uint8Array, proof: ProofBody): Awaitable<void> {
    const expected = allOf(keys.map((key) => key.prove("initiator", transcript)));
    return chained(expected, (macs) => {
      // All of them are compared, whichever fits.
      const fits = macs.map((mac) => sameProof(mac, proof.mac));
      const proved = keys[fits.indexOf(true)];
      if (proved === undefined) return this.refuse(unauthenticated(NOT_PROVED));
      return chained(proved.prove("acceptor", transcript), (mac) => this.#welcome(proved.identity, mac));
    });
  }

  /** A lookup that fails looks like a wrong secret from outside: what went wrong is nobody's business there. */
  #keysOf(principal: string): Awaitable<readonly Key[]> {
    const failed = (thrown: unknown): readonly Key[] => {
      this.port.report(ownFault("secrets", thrown));
      return [];
    };
    try {
      const found = this.#doorkeeper.keys?.find(principal) ?? [];
      return found instanceof Promise ? found.catch(failed) : found;
    } catch (thrown) {
      return failed(thrown);
    }
  }

  async #admit(mechanism: "token" | "tls-cert", token: string): Promise<void> {
    const { authenticate } = this.#doorkeeper.credentials;
    const { certificateSubject } = this.port.security;
    const shownNow = { mechanism, token, certificateSubject, endpoint: this.port.remote };
    let identity: unknown;
    try {
      identity = authenticate === undefined ? certificateSubject : await authenticate(shownNow);
    } catch (thrown) {
      const { code, message } = RpcError.from(thrown);
      if (code === "UNAUTHENTICATED") return this.refuse(unauthenticated(message));
      this.port.report(ownFault("authenticate", thrown));
      return this.refuse(unauthenticated("the credentials were refused"));
    }
    if (typeof identity !== "string" || identity === "")
      return this.refuse(unauthenticated("the credentials were refused"));
    this.#welcome(identity, NO_BYTES);
  }

  #welcome(identity: string | undefined, mac: Uint8Array): void {
    const hello = this.#hello;
    const challenge = this.#challenge;
    if (this.over || hello === undefined || challenge === undefined) return;
    const resumes = challenge.features.includes(FEATURE_RESUME) && challenge.features.includes(FEATURE_ACK);
    const asked = hello.resume;
    let claim = NOT_ASKED;
    if (asked !== undefined) claim = resumes ? this.#desk.claim(asked, identity) : UNKNOWN;
    const { session } = claim;
    const resumed = asked !== undefined && session !== undefined;
    const sessionId = resumed ? asked.sessionId : randomBytes(SESSION_ID_BYTES);
    const resumeWindowMs = resumes ? this.settings.limits.resumeWindowMs : 0;
    const { received, refusal } = claim;
    this.port.send({ body: Body.Welcome, mac, sessionId, resumed, received, refusal, resumeWindowMs });
    this.done({
      sessionId,
      instanceId: hello.instanceId,
      identity,
      limits: hello.limits,
      counts: challenge.features.includes(FEATURE_ACK),
      resumeWindowMs,
      compression: this.compressionAmong(challenge.features),
      resumed,
      received: resumed ? asked.received : undefined,
      refusal,
      session,
    });
  }
}

function ownFault(option: string, thrown: unknown): RpcError {
  const message = `the function of the option ${option} failed, so a peer was refused: ${RpcError.from(thrown).message}`;
  return new RpcError("INTERNAL", message, { reason: "INTERNAL", cause: thrown });
}

const NOT_ASKED: Claim = { session: undefined, refusal: "not-asked", received: undefined };
const UNKNOWN: Claim = { session: undefined, refusal: "unknown-session", received: undefined };
