import { channelSuite, createFakeClock, transportSuite } from "@rpc/testkit";
import { afterAll, describe, it } from "vitest";
import {
  addressesOf,
  channelsOf,
  framingOf,
  pairOf,
  removeFolders,
  tcp,
  tls,
  unix,
  wireOf,
  withOptions,
} from "./conformance-wire.ts";

const KINDS = { tcp, tls, unix };
const WRONG_ENDPOINTS = [
  "udp://127.0.0.1:7000",
  "ws://127.0.0.1:7000",
  "127.0.0.1:7000",
  "tcp://127.0.0.1",
  "tcp://127.0.0.1:7000?color=red",
  "tcp://127.0.0.1:7000#top",
  "tcp://127.0.0.1:99999",
  "unix:/tmp/a?mode=7",
];

afterAll(removeFolders);

for (const [name, kind] of Object.entries(KINDS)) {
  channelSuite({
    describe,
    it,
    name: `${name} channel`,
    factory: (options) => channelsOf(kind, options),
    addresses: addressesOf(kind, WRONG_ENDPOINTS, createFakeClock()),
    // Beneath TLS there is nothing that a bare socket could say.
    framing: kind === tls ? undefined : framingOf(kind),
  });
  transportSuite({ describe, it, name: `${name} transport`, factory: pairOf(kind), wire: wireOf(kind) });
}

const secret = "correct horse battery staple";
const VARIANTS = {
  "tcp with a secret": withOptions(tcp, { credentials: { listener: { secret }, caller: { secret } } }),
  "tcp without resume": withOptions(tcp, { resumeWindowMs: 0 }),
  "tcp with compression": withOptions(tcp, { compression: true }),
};

// Without their wires: cases on a wire bring sessions of their own, and were run above.
for (const [name, kind] of Object.entries(VARIANTS)) transportSuite({ describe, it, name, factory: pairOf(kind) });

// What is different about it is the proof alone, which is bound to the TLS connection.
transportSuite({
  describe,
  it,
  name: "tls with a secret",
  only: ["C19", "C21", "C37", "C38", "C44", "C71", "C90", "C135", "C137", "C138", "H25", "H29"],
  factory: pairOf(withOptions(tls, { credentials: { listener: { secret }, caller: { secret } } })),
});

const compressed = VARIANTS["tcp with compression"];
transportSuite({
  describe,
  it,
  name: "tcp with compression, on its wire",
  only: ["C48", "H12", "H13"],
  factory: pairOf(compressed),
  wire: wireOf(compressed),
});
