import { KIND_OF_CALL, REFUSAL_WHILE_DRAINING, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { NO_KIND, NO_REFUSAL, pairOf } from "./conformance-pair.ts";

transportSuite({
  describe,
  it,
  name: "mdp, calls that share a socket",
  patienceMs: 50_000,
  factory: pairOf({}, {}),
  losses: { [KIND_OF_CALL]: NO_KIND, [REFUSAL_WHILE_DRAINING]: NO_REFUSAL },
});
