import { RpcError } from "@rpc/core";
import { describe, expect, it } from "vitest";
import type { Undertaking } from "@rpc/core/transport";
import { errorFromNode } from "../src/status.ts";

const ENDPOINT = "tcp://127.0.0.1:7000";

function nodeError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

describe("errorFromNode", () => {
  it.each<[string, Undertaking, string, RegExp]>([
    ["ECONNREFUSED", "dial", "UNAVAILABLE", /nobody listens on tcp:\/\/127\.0\.0\.1:7000; is the server started\?/],
    ["ENOTFOUND", "dial", "UNAVAILABLE", /does not resolve/],
    ["ENOENT", "dial", "UNAVAILABLE", /no socket file/],
    ["EACCES", "dial", "PERMISSION_DENIED", /may not connect/],
    ["EMFILE", "dial", "RESOURCE_EXHAUSTED", /file handle/],
    ["EADDRINUSE", "listen", "ALREADY_EXISTS", /somebody already listens on tcp:\/\/127\.0\.0\.1:7000/],
    ["EACCES", "listen", "PERMISSION_DENIED", /may not/],
    ["EADDRNOTAVAIL", "listen", "FAILED_PRECONDITION", /does not have the address/],
    ["ECONNRESET", "exchange", "UNAVAILABLE", /reset/],
    ["EPIPE", "exchange", "UNAVAILABLE", /while we were sending/],
    ["SELF_SIGNED_CERT_IN_CHAIN", "dial", "UNAUTHENTICATED", /not accepted/],
    ["CERT_HAS_EXPIRED", "dial", "UNAUTHENTICATED", /expired/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "dial", "UNAUTHENTICATED", /another host/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "exchange", "UNAUTHENTICATED", /refused our certificate/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "dial", "UNAVAILABLE", /does not speak TLS/],
    ["ESOMETHING", "dial", "UNAVAILABLE", /cannot be reached: ESOMETHING/],
    ["ESOMETHING", "exchange", "UNAVAILABLE", /broke: ESOMETHING/],
  ])("%s while we %s is %s", (code, doing, status, message) => {
    const error = errorFromNode(nodeError(code), doing, ENDPOINT);
    expect(error.code).toBe(status);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(ENDPOINT);
    expect(error.cause).toMatchObject({ code });
  });

  it("says that a failed dial delivered nothing, and nothing of the sort about a lost connection", () => {
    expect(errorFromNode(nodeError("ECONNREFUSED"), "dial", ENDPOINT).delivered).toBe("no");
    const lost = errorFromNode(nodeError("ECONNRESET"), "exchange", ENDPOINT);
    expect(lost).toMatchObject({ delivered: undefined, reason: "PEER_LOST", retryable: true });
  });

  it("does not retry what cannot succeed", () => {
    expect(errorFromNode(nodeError("CERT_HAS_EXPIRED"), "dial", ENDPOINT).retryable).toBe(false);
  });

  it("keeps an RpcError as it is", () => {
    const error = new RpcError("ABORTED", "as it was");
    expect(errorFromNode(error, "dial", ENDPOINT)).toBe(error);
  });

  it("puts what the system said into the sentence without interpreting it", () => {
    const error = errorFromNode(nodeError("ESOMETHING", "$& @ ~"), "dial", ENDPOINT);
    expect(error.message).toBe(`${ENDPOINT} cannot be reached: $& @ ~`);
  });
});
