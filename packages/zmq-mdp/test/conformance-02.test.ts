import { KIND_OF_CALL, REFUSAL_WHILE_DRAINING, STREAM_CREDITS, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { NO_KIND, NO_REFUSAL, pairOf } from "./conformance-pair.ts";

transportSuite({
  describe,
  it,
  name: "mdp 0.2, calls that have a socket each",
  patienceMs: 50_000,
  factory: pairOf({ dialect: "mdp02", maxSockets: 1_000 }, { version: "0.2" }),
  losses: {
    [KIND_OF_CALL]: NO_KIND,
    [REFUSAL_WHILE_DRAINING]: NO_REFUSAL,
    [STREAM_CREDITS]:
      "MDP 0.2 has no way back to a worker; a stream that is not read ends at maxUnreadItems or maxUnreadBytes",
  },
});
