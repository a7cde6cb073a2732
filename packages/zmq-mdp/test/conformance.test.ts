import { KIND_OF_CALL, REFUSAL_WHILE_DRAINING, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { pairOf } from "./conformance-pair.ts";

const NO_KIND = "a request without $meta does not say of what kind its caller takes it for";
const NO_REFUSAL =
  "a worker that drains gives its place up at once, so that the broker asks another one; a call waits for it";

transportSuite({
  describe,
  it,
  name: "mdp, calls that share a socket",
  patienceMs: 50_000,
  factory: pairOf({}, {}),
  losses: { [KIND_OF_CALL]: NO_KIND, [REFUSAL_WHILE_DRAINING]: NO_REFUSAL },
});
