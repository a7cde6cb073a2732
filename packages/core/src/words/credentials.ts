import type { Awaitable } from "./transport.ts";

/** A secret that two ends share: bytes, or text that counts as UTF-8. Fewer than 16 bytes can be guessed from a recorded handshake. */
export type Secret = string | Uint8Array;

/**
 * Whether the proof of a secret is tied to the TLS connection it travels on, so that nobody can stand in between and pass it on.
 * `prefer`: where both ends can · `require`: refuse without · `none`: never, for a TLS terminator in front of the server.
 */
export type ChannelBinding = "prefer" | "require" | "none";

/** How a dialing end proves who it is. Without any of these it offers no proof. */
export interface CallerCredentials {
  /** Proved to the server, which has to prove it as well. It is never sent. */
  readonly secret?: Secret;
  /** Names the key to the server. Without it the server looks for the key that fits among its first 64; where it looks secrets up by a function, it needs the name. */
  readonly identity?: string;
  /** Sent as the first message, therefore only over TLS, a Unix socket or to this machine. A function is asked at each connection. */
  readonly token?: string | (() => Awaitable<string>);
  /** Default: `prefer`. */
  readonly channelBinding?: ChannelBinding;
}

/** Keys by identity: `{ bot: botSecret, ui: [newSecret, oldSecret] }`. Several secrets for one identity let it change its secret. */
export type Secrets = Readonly<Record<string, Secret | readonly Secret[]>>;

/** Finds the secrets of an identity; undefined: nobody of that name. */
export type SecretLookup = (identity: string) => Awaitable<Secret | readonly Secret[] | undefined>;

/** What a serving end asks of those who dial. Without any of these it takes everybody, and needs a channel that may be trusted. */
export interface ListenerCredentials {
  /** One secret for everybody. The peers' identity is `peer`, whatever they call themselves. */
  readonly secret?: Secret;
  readonly secrets?: Secrets | SecretLookup;
  /**
   * Says who somebody is who shows a token or a TLS client certificate; undefined, or an error, refuses. Without it a verified client
   * certificate counts, with its subject as identity.
   */
  readonly authenticate?: (shown: ShownCredentials) => Awaitable<string | undefined>;
  /** Default: `prefer`. */
  readonly channelBinding?: ChannelBinding;
}

/** What somebody shows who does not prove a shared secret. */
export interface ShownCredentials {
  readonly mechanism: "token" | "tls-cert";
  /** Empty for `tls-cert`. */
  readonly token: string;
  /** Subject of the verified client certificate, when the channel has one. */
  readonly certificateSubject: string | undefined;
  /** Where it is, for logs; not proved. */
  readonly endpoint: string;
}
