import { RpcError } from "../words/rpc-error.ts";

/** What is said, where things are bound, of what another copy of this package made. */
export function otherCopy(what: string): RpcError {
  const message = `${what} was made by another copy of @rpc/core, of which two are installed; make it a peerDependency of all packages that use it, so that they share one`;
  return new RpcError("FAILED_PRECONDITION", message, { reason: "FAILED_PRECONDITION" });
}
