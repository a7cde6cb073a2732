import { KIND_OF_CALL, transportSuite } from "@rpc/testkit";
import { describe, it, vi } from "vitest";
import { pairOf } from "./conformance-pair.ts";

// Ten thousand calls cross a proxy, so that connections can be cut: four hops in one process.
vi.setConfig({ testTimeout: 60_000 });

const NO_KIND = "a request without $meta does not say of what kind its caller takes it for";

transportSuite({
  describe,
  it,
  name: "mdp, calls that share a socket",
  patienceMs: 50_000,
  factory: pairOf({}, {}),
  losses: { [KIND_OF_CALL]: NO_KIND },
});
