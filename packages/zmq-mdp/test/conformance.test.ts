import { KIND_OF_CALL, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { pairOf } from "./conformance-pair.ts";

const NO_KIND = "a request without $meta does not say of what kind its caller takes it for";

transportSuite({
  describe,
  it,
  name: "mdp, calls that share a socket",
  patienceMs: 50_000,
  factory: pairOf({}, {}),
  losses: { [KIND_OF_CALL]: NO_KIND },
});
