import type { RpcError } from "@rpc/core";
import { systemErrors, type Undertaking } from "@rpc/core/transport";

/** An error of `node:net`, `node:tls` or `ws` as an RpcError. */
export const errorFromNode: (thrown: unknown, doing: Undertaking, endpoint: string) => RpcError = systemErrors({
  HPE_INVALID_CONSTANT: { dial: ["UNAVAILABLE", "@ does not speak HTTP; does something else listen there?"] },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    dial: ["UNAVAILABLE", "@ does not speak TLS; is its endpoint ws:// instead of wss://?"],
  },
});
