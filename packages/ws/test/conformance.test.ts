import { channelSuite, createFakeClock, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import {
  addressesOf,
  browser,
  browserProtobuf,
  channelsOf,
  json,
  pairOf,
  protobuf,
  tls,
  wireOf,
  withOptions,
} from "./conformance-wire.ts";

const KINDS = {
  "ws with JSON": json,
  "ws with protobuf": protobuf,
  wss: tls,
  "the browser's class with JSON": browser,
  "the browser's class with protobuf": browserProtobuf,
};
const WRONG_ENDPOINTS = [
  "udp://127.0.0.1:7000",
  "tcp://127.0.0.1:7000",
  "http://127.0.0.1:7000",
  "127.0.0.1:7000",
  "ws:127.0.0.1:7000",
  "ws://user:secret@127.0.0.1:7000",
  "ws://127.0.0.1:7000?color=red",
  "ws://127.0.0.1:7000/rpc#top",
  "ws://127.0.0.1:99999",
];

const TEXT = "a channel that carries text cannot carry any bytes; channel.test.ts and hostile.test.ts have it for text";

for (const [name, kind] of Object.entries(KINDS)) {
  const isText = kind.codec.name === "json";
  channelSuite({
    describe,
    it,
    name: `${name}, channel`,
    factory: (options) => channelsOf(kind, options),
    addresses: addressesOf(kind, WRONG_ENDPOINTS, createFakeClock()),
    leaveOut: isText ? { C02: TEXT, C03: TEXT, C04: TEXT } : {},
  });
}

// The two others have a channel or a codec that one of these has as well.
for (const [name, kind] of Object.entries({ json, protobuf, browser })) {
  transportSuite({
    describe,
    it,
    name: `${name}, transport`,
    factory: pairOf(kind),
    wire: wireOf(kind),
    patienceMs: 50_000,
    leaveOut: kind === json ? { H11: TEXT } : kind === browser ? { H11: TEXT, H23: TEXT } : {},
  });
}

const secret = "correct horse battery staple";

// Without its wire: cases on a wire bring sessions of their own, and were run above.
transportSuite({
  describe,
  it,
  name: "ws with permessage-deflate",
  factory: pairOf(withOptions(json, { compression: true })),
});

// What is different about these is the proof alone, which is bound to the TLS connection where there is one.
const proved = { credentials: { listener: { secret }, caller: { secret } } };
const PROOFS = ["C19", "C21", "C37", "C38", "C44", "C71", "C90", "C135", "C137", "C138", "H25", "H29"];
transportSuite({ describe, it, name: "ws with a secret", only: PROOFS, factory: pairOf(withOptions(json, proved)) });
transportSuite({ describe, it, name: "wss with a secret", only: PROOFS, factory: pairOf(withOptions(tls, proved)) });
transportSuite({
  describe,
  it,
  name: "the browser's class with a secret",
  only: PROOFS,
  factory: pairOf(withOptions(browser, proved)),
});
