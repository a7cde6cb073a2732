import { RpcError } from "../words/rpc-error.ts";
import type { StatusCode } from "../words/status.ts";

/** What was being done when the system said no: connecting, listening, or exchanging messages. */
export type Undertaking = "dial" | "listen" | "exchange";

/** A status code and its sentence, in which `@` stands for the endpoint and `~` for what the system said. */
export type SystemMeaning = readonly [StatusCode, string];

/** The system's words for errors, such as `ECONNREFUSED`, by what was being done. */
export type SystemMeanings = Readonly<Record<string, Partial<Record<Undertaking, SystemMeaning>>>>;

/**
 * Makes what turns an error of Node's sockets and of TLS into an RpcError, with a sentence that names the endpoint and, where there is one, the
 * cure. `own`: what errors mean on this wire alone, or in other words. What is in no table is told in the system's own words.
 */
export function systemErrors(own: SystemMeanings): (thrown: unknown, doing: Undertaking, endpoint: string) => RpcError {
  return (thrown, doing, endpoint) => {
    if (thrown instanceof RpcError) return thrown;
    const word = systemErrorCode(thrown);
    const [code, sentence] = own[word]?.[doing] ?? meaningOf(word, doing) ?? PRESETS[doing];
    const said = thrown instanceof Error ? thrown.message : String(thrown);
    return new RpcError(
      code,
      sentence.replace("@", () => endpoint).replace("~", () => said),
      {
        reason: code === "UNAVAILABLE" && doing === "exchange" ? "PEER_LOST" : code,
        delivered: doing === "dial" ? "no" : undefined,
        cause: thrown,
      },
    );
  };
}

/** The system's word for an error; empty when it has none. */
export function systemErrorCode(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return "";
  return typeof thrown.code === "string" ? thrown.code : "";
}

const PRESETS: Readonly<Record<Undertaking, SystemMeaning>> = {
  dial: ["UNAVAILABLE", "@ cannot be reached: ~"],
  listen: ["FAILED_PRECONDITION", "cannot listen on @: ~"],
  exchange: ["UNAVAILABLE", "the connection to @ broke: ~"],
};

const UNTRUSTED: SystemMeaning = ["UNAUTHENTICATED", "the certificate of @ is not accepted: ~"];
const REFUSED_US: SystemMeaning = ["UNAUTHENTICATED", "@ refused our certificate, or that we have none: ~"];
const NO_HANDLES: SystemMeaning = [
  "RESOURCE_EXHAUSTED",
  "@: this process or machine has no file handle or memory left for a connection: ~",
];
const RESET: SystemMeaning = ["UNAVAILABLE", "@ reset the connection"];
const NO_ANSWER: SystemMeaning = ["UNAVAILABLE", "@ does not answer"];
const NO_ROUTE: SystemMeaning = ["UNAVAILABLE", "there is no way through the network to @"];

const TABLE: SystemMeanings = {
  ECONNREFUSED: { dial: ["UNAVAILABLE", "nobody listens on @; is the server started?"] },
  ENOTFOUND: {
    dial: ["UNAVAILABLE", "the name in @ does not resolve to an address"],
    listen: ["FAILED_PRECONDITION", "the name in @ does not resolve to an address"],
  },
  EAI_AGAIN: {
    dial: ["UNAVAILABLE", "no name server answers for the name in @"],
    listen: ["UNAVAILABLE", "no name server answers for the name in @"],
  },
  ETIMEDOUT: { dial: NO_ANSWER, exchange: ["UNAVAILABLE", "@ does not answer any more"] },
  EHOSTUNREACH: { dial: NO_ROUTE, exchange: NO_ROUTE },
  ENETUNREACH: { dial: NO_ROUTE, exchange: NO_ROUTE },
  EHOSTDOWN: { dial: NO_ROUTE, exchange: NO_ROUTE },
  ECONNRESET: { dial: ["UNAVAILABLE", "@ closed the connection while it was being made"], exchange: RESET },
  ECONNABORTED: { exchange: RESET },
  EPIPE: { exchange: ["UNAVAILABLE", "@ closed the connection while we were sending"] },
  EACCES: {
    dial: ["PERMISSION_DENIED", "this user may not connect to @"],
    listen: ["PERMISSION_DENIED", "this user may not listen on @; ports below 1024 are root's"],
  },
  EPERM: {
    dial: ["PERMISSION_DENIED", "this user may not connect to @"],
    listen: ["PERMISSION_DENIED", "this user may not listen on @"],
  },
  EADDRINUSE: {
    listen: ["ALREADY_EXISTS", "somebody already listens on @; stop that program or choose another endpoint"],
  },
  EADDRNOTAVAIL: {
    dial: ["UNAVAILABLE", "this machine has no free address to reach @ from"],
    listen: ["FAILED_PRECONDITION", "this machine does not have the address of @"],
  },
  EAFNOSUPPORT: {
    dial: ["UNAVAILABLE", "this machine does not speak the address family of @"],
    listen: ["FAILED_PRECONDITION", "this machine does not speak the address family of @"],
  },
  EMFILE: { dial: NO_HANDLES, listen: NO_HANDLES },
  ENFILE: { dial: NO_HANDLES, listen: NO_HANDLES },
  ENOBUFS: { dial: NO_HANDLES, listen: NO_HANDLES },
  ERR_SSL_WRONG_VERSION_NUMBER: { listen: ["UNAVAILABLE", "a connection to @ does not speak TLS"] },
  ERR_TLS_CERT_ALTNAME_INVALID: { dial: ["UNAUTHENTICATED", "the certificate of @ is for another host: ~"] },
  CERT_HAS_EXPIRED: { dial: ["UNAUTHENTICATED", "the certificate of @ has expired"] },
  CERT_NOT_YET_VALID: { dial: ["UNAUTHENTICATED", "the certificate of @ is not valid yet; is the clock right?"] },
};

// How X509_verify_cert's results are named in Node, and the alerts of a TLS peer that did not like our certificate.
const VERIFY_ERROR =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;
const CERTIFICATE_ALERT = /_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)$/;

// What Node says of keys and certificates of our own that it cannot read, and of values that are none.
const UNUSABLE = /^ERR_(OSSL_(PEM|ASN1|X509|DECODER|EVP|PKCS12)_|OSSL_UNSUPPORTED|CRYPTO_|INVALID_ARG_|TLS_INVALID_)/;

function meaningOf(code: string, doing: Undertaking): SystemMeaning | undefined {
  const meaning = TABLE[code]?.[doing];
  if (meaning !== undefined) return meaning;
  if (doing === "dial" && UNUSABLE.test(code)) return ["INVALID_ARGUMENT", "the option tls for @ is not usable: ~"];
  if (VERIFY_ERROR.test(code)) return UNTRUSTED;
  return CERTIFICATE_ALERT.test(code) ? REFUSED_US : undefined;
}
