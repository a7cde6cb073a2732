import type { RpcError } from "@rpc/core";
import { systemErrors, type Undertaking } from "@rpc/core/transport";

/** An error of `node:net` or `node:tls` as an RpcError. */
export const errorFromNode: (thrown: unknown, doing: Undertaking, endpoint: string) => RpcError = systemErrors({
  ENOENT: {
    dial: ["UNAVAILABLE", "there is no socket file for @; is the server started?"],
    listen: ["FAILED_PRECONDITION", "the folder of @ does not exist"],
  },
  ENOTSOCK: { dial: ["FAILED_PRECONDITION", "@ is a file and no socket"] },
  EPROTOTYPE: { dial: ["FAILED_PRECONDITION", "@ is a socket of another kind"] },
  EACCES: {
    listen: ["PERMISSION_DENIED", "cannot listen on @: this user may not, or the folder of the socket does not exist"],
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    dial: ["UNAVAILABLE", "@ does not speak TLS; is its endpoint tcp:// instead of tcps://?"],
  },
});
