import type { CallerCredentials } from "../words/credentials.ts";
import { Body, type ChallengeBody, type Envelope, type ResumeRequest, type WelcomeBody } from "../words/envelope.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable } from "../words/transport.ts";
import { randomBytes, shown } from "../tools/bytes.ts";
import { keyOf, secretBytes } from "../tools/key-ring.ts";
import { type Key, sameProof, transcriptBytes } from "../tools/proof.ts";
import { chained } from "../tools/promise-like.ts";
import { utf8Length } from "../tools/utf8.ts";
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

/** Credentials that were proved to be usable. */
export class CallerIdentity {
  readonly credentials: CallerCredentials;
  readonly key: Key | undefined;

  /** Throws INVALID_ARGUMENT for an empty secret or token. */
  constructor(credentials: CallerCredentials, functions: ProofCrypto) {
    this.credentials = credentials;
    if ("secret" in credentials) this.key = keyOf("", credentials.secret, "secret", functions);
    if ("token" in credentials && typeof credentials.token !== "function") secretBytes(credentials.token, "token");
    if (this.key !== undefined && credentials.token !== undefined)
      throw new RpcError("INVALID_ARGUMENT", "set one of the options secret and token, not both", {
        reason: "INVALID_ARGUMENT",
      });
  }
}

/** The dialing end's half. */
export class InitiatorHandshake extends Handshake {
  readonly #identity: CallerIdentity;
  readonly #resume: ResumeRequest | undefined;
  readonly #nonce = randomBytes(NONCE_BYTES);
  #hello: Uint8Array = NO_BYTES;
  #challenge: ChallengeBody | undefined = undefined;
  /** What the acceptor signs, once it has to prove something. */
  #transcript: Uint8Array | undefined = undefined;

  constructor(
    settings: HandshakeSettings,
    port: HandshakePort,
    identity: CallerIdentity,
    resume: ResumeRequest | undefined,
  ) {
    super(settings, port);
    this.#identity = identity;
    this.#resume = resume;
  }

  override start(): void {
    super.start();
    const { credentials, key } = this.#identity;
    const offersBinding = this.#offersBinding;
    if (credentials.channelBinding === "require" && !offersBinding) {
      const message = `${this.port.remote}: the option channelBinding asks for TLS 1.3, which this connection does not have`;
      return this.refuse(unauthenticated(message));
    }
    if (credentials.token !== undefined && !isPrivate(this.port)) {
      const message = `${this.port.remote} is not encrypted, and a token would be readable on the way; use tcps://, or a secret, which is never sent`;
      return this.refuse(unauthenticated(message));
    }
    const mechanisms: string[] = [];
    if (key !== undefined) mechanisms.push(MECHANISM.secret);
    else if (credentials.token !== undefined) mechanisms.push(MECHANISM.token);
    else {
      if (this.port.security.kind === "encrypted") mechanisms.push(MECHANISM.certificate);
      mechanisms.push(MECHANISM.none);
    }
    this.#hello = this.port.send({
      body: Body.Hello,
      versions: [PROTOCOL_VERSION],
      nonce: this.#nonce,
      instanceId: INSTANCE_ID,
      principal: credentials.identity ?? "",
      mechanisms,
      binding: offersBinding ? "tls-exporter" : "none",
      limits: this.announcedLimits(),
      features: this.offeredFeatures(),
      resume: this.#resume,
      software: "@rpc/core",
    });
  }

  /** An acceptor goes on at once behind its Welcome, with all that it kept for this end. */
  override get maxHeldBytes(): number {
    return super.maxHeldBytes + this.settings.limits.maxReplayBytes + this.settings.limits.maxMessageBytes;
  }

  get #offersBinding(): boolean {
    return this.#identity.credentials.channelBinding !== "none" && this.port.security.binding !== undefined;
  }

  receive(envelope: Envelope, bytes: Uint8Array): void {
    // A body that this version does not know may stand anywhere.
    if (envelope.body === 0) return;
    if (envelope.body === Body.Challenge && this.#challenge === undefined) return this.#answer(envelope, bytes);
    if (envelope.body === Body.Welcome && this.#challenge !== undefined)
      return this.#welcome(envelope, this.#challenge);
    this.unexpected(envelope);
  }

  #answer(challenge: ChallengeBody, bytes: Uint8Array): void {
    const { credentials, key } = this.#identity;
    const { mechanism } = challenge;
    if (challenge.version !== PROTOCOL_VERSION) {
      const message = `the peer chose protocol version ${challenge.version}, this end speaks ${PROTOCOL_VERSION}`;
      return this.refuse(new RpcError("FAILED_PRECONDITION", message, { reason: "VERSION" }));
    }
    if (mechanism === MECHANISM.secret && badNonce(challenge.nonce, this.#nonce))
      return this.refuse(unauthenticated("the peer's challenge is not fresh"));
    const bound = challenge.binding === "tls-exporter";
    if (bound && !this.#offersBinding)
      return this.refuse(unauthenticated("the peer chose a channel binding that was not offered"));
    if (!bound && credentials.channelBinding === "require")
      return this.refuse(
        unauthenticated(
          `${this.port.remote} does not bind the handshake to the TLS connection, which channelBinding asks for`,
        ),
      );
    this.#challenge = challenge;
    if (mechanism === MECHANISM.secret && key !== undefined) return this.run(() => this.#prove(key, challenge, bytes));
    if (mechanism === MECHANISM.token && credentials.token !== undefined) return this.run(() => this.#showToken());
    const certified = mechanism === MECHANISM.certificate && this.port.security.kind === "encrypted";
    const proofless = mechanism === MECHANISM.none || certified;
    if (proofless && key === undefined && credentials.token === undefined) return;
    this.refuse(
      unauthenticated(`the peer chose the authentication mechanism "${shown(mechanism)}", which was not offered`),
    );
  }

  #prove(key: Key, challenge: ChallengeBody, bytes: Uint8Array): Awaitable<void> {
    const transcript = transcriptBytes(
      {
        initiatorNonce: this.#nonce,
        acceptorNonce: challenge.nonce,
        hello: this.#hello,
        challenge: bytes,
        binding: this.bindingData(challenge.binding === "tls-exporter"),
      },
      this.settings.crypto,
    );
    const proof = chained(transcript, (known) => {
      this.#transcript = known;
      return key.prove("initiator", known);
    });
    return chained(proof, (mac) => {
      if (!this.over) this.port.send({ body: Body.Proof, mac, token: "" });
    });
  }

  async #showToken(): Promise<void> {
    const { token } = this.#identity.credentials;
    const text = (typeof token === "function" ? await token() : token) ?? "";
    const { maxUnauthenticatedBytes } = this.settings.limits;
    if (utf8Length(text) + PROOF_BYTES > maxUnauthenticatedBytes) {
      const message = `the token has ${utf8Length(text)} bytes, too many for messages of ${maxUnauthenticatedBytes}; raise maxUnauthenticatedBytes at both ends`;
      return this.refuse(unauthenticated(message));
    }
    if (!this.over) this.port.send({ body: Body.Proof, mac: NO_BYTES, token: text });
  }

  #welcome(welcome: WelcomeBody, challenge: ChallengeBody): void {
    const { key } = this.#identity;
    if (key === undefined) return this.#agree(welcome, challenge);
    this.run(() => {
      // A welcome that comes before our own proof was even sent finds no transcript, and proves nothing.
      const expected = this.#transcript === undefined ? NO_BYTES : key.prove("acceptor", this.#transcript);
      return chained(expected, (mac) => {
        if (mac.length > 0 && sameProof(mac, welcome.mac)) return this.#agree(welcome, challenge);
        const message = `${this.port.remote} does not know the secret; is it the server that you meant?`;
        this.refuse(unauthenticated(message));
      });
    });
  }

  #agree(welcome: WelcomeBody, challenge: ChallengeBody): void {
    const { features } = challenge;
    const asked = this.#resume;
    const counts = features.includes(FEATURE_ACK);
    const resumes = counts && features.includes(FEATURE_RESUME);
    if (welcome.resumed && (asked === undefined || !resumes || !sameBytes(asked.sessionId, welcome.sessionId)))
      return this.refuse(new RpcError("INTERNAL", "a session goes on that was not asked for", { reason: "PROTOCOL" }));
    this.done({
      sessionId: welcome.sessionId,
      instanceId: challenge.instanceId,
      identity: undefined,
      limits: challenge.limits,
      counts,
      resumeWindowMs: resumes ? Math.min(welcome.resumeWindowMs, this.settings.limits.resumeWindowMs) : 0,
      compression: this.compressionAmong(features),
      resumed: welcome.resumed,
      received: welcome.received,
      refusal: welcome.refusal,
      session: undefined,
    });
  }
}

/** What a Proof takes beside its token, in either codec. */
const PROOF_BYTES = 32;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
