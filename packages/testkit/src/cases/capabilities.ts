import {
  bidiStream,
  clientStream,
  defineContract,
  event,
  Health,
  health,
  job,
  mergeRouters,
  notification,
  Reflection,
  reflection,
  RpcError,
  serverStream,
  unary,
} from "@rpc/core";
import { type Capabilities, type Capability, type Contract, gapOf } from "@rpc/core/transport";
import { check, equal, rejects, setAside } from "../assert.ts";
import { clientOf, proves, serveOne, type TransportCase } from "../transport-bench.ts";

/** A contract for each capability that a contract can need. */
const NEEDING: Readonly<Partial<Record<Capability, Contract>>> = {
  notify: defineContract("testkit.NeedsNotify", { go: notification() }),
  serverStream: defineContract("testkit.NeedsServerStream", { go: serverStream() }),
  clientStream: defineContract("testkit.NeedsClientStream", { go: clientStream() }),
  bidiStream: defineContract("testkit.NeedsBidiStream", { go: bidiStream() }),
  topics: defineContract("testkit.NeedsTopics", { go: event() }),
  queue: defineContract("testkit.NeedsQueue", { go: job() }),
};

/** The degrees of each capability, the best first. */
export const DEGREES: { readonly [Name in Capability]: readonly string[] } = {
  duplex: ["native"],
  notify: ["native", "emulated"],
  serverStream: ["native", "emulated"],
  clientStream: ["native", "emulated"],
  bidiStream: ["native", "emulated"],
  progress: ["native", "emulated"],
  cancel: ["propagated", "local"],
  deadline: ["propagated", "local"],
  metadata: ["native", "emulated"],
  ordering: ["per-peer"],
  heartbeat: ["native"],
  reconnect: ["native"],
  resume: ["native"],
  authentication: ["native"],
  compression: ["native"],
  batch: ["native"],
  replyCache: ["native"],
  topics: ["durable", "volatile"],
  queue: ["durable", "volatile"],
  broadcast: ["native", "emulated"],
  transactional: ["native"],
};

/** Every capability, in the order of core. */
export const capabilityNames: readonly Capability[] = Object.keys(DEGREES) as Capability[];

/** Everything that a transport can claim: worn by a transport with gaps while the suite looks whether they are gaps. */
export const EVERYTHING: Capabilities = {
  duplex: "native",
  notify: "native",
  serverStream: "native",
  clientStream: "native",
  bidiStream: "native",
  progress: "native",
  cancel: "propagated",
  deadline: "propagated",
  metadata: "native",
  ordering: "per-peer",
  heartbeat: "native",
  reconnect: "native",
  resume: "native",
  authentication: "native",
  compression: "native",
  batch: "native",
  replyCache: "native",
  topics: "durable",
  queue: "durable",
  broadcast: "native",
  transactional: "native",
};

/** C142, C55, C56: what a transport says about itself, and what a server says about its contracts. */
export const capabilityCases: readonly TransportCase[] = [
  proves("C142", "declares every capability by a word of degree or a sentence", async (bench) => {
    for (const name of capabilityNames) {
      const support: unknown = Reflect.get(bench.capabilities, name);
      if (typeof support === "string") {
        check(DEGREES[name].includes(support), `${name} is declared "${support}", which is no degree of it`);
        continue;
      }
      const sentence =
        typeof support === "object" && support !== null ? Reflect.get(support, "unsupported") : undefined;
      check(typeof sentence === "string", `${name} is not declared`);
      check(/\S+ \S+ \S+/.test(sentence), `the gap ${name} has no sentence: "${sentence}"`);
    }
  }),

  proves("C142", "refuses at bind time, with the declared sentence, what it does not carry", async (bench) => {
    const pair = await bench.connect(serveOne((input) => input));
    for (const name of capabilityNames) {
      const contract = NEEDING[name];
      if (contract === undefined) continue;
      const gap = gapOf(pair.transport.capabilities[name]);
      let refused: unknown;
      try {
        clientOf(bench, contract, pair.transport);
      } catch (caught) {
        refused = caught;
      }
      const support = pair.transport.capabilities[name];
      if (gap === undefined || (typeof support !== "string" && support.bindable === true)) {
        check(
          refused === undefined,
          `${name} is declared, and a contract that needs it is refused: ${String(refused)}`,
        );
      } else {
        check(refused instanceof RpcError, `${name} is a gap, and a contract that needs it is bound all the same`);
        equal(refused.code, "FAILED_PRECONDITION", `code of the refusal for ${name}`);
        check(refused.message.includes(gap), `the refusal for ${name} lacks the sentence: "${refused.message}"`);
      }
    }
  }),

  proves("C142", "declares the same on both ends", async (bench) => {
    const pair = await bench.connect(serveOne((input) => input));
    if (pair.listener === undefined) setAside("the factory gives no listener");
    equal(pair.listener.capabilities, pair.transport.capabilities, "capabilities of the listener");
    check(pair.transport.endpoint.length > 0 && pair.listener.endpoint.length > 0, "an end has no endpoint");
  }),

  proves("C55", "lists the served contracts and lets one be called from the listing alone", async (bench) => {
    const router = serveOne((input) => input);
    const pair = await bench.connect(mergeRouters(router, reflection(router)));
    const asked = clientOf(bench, Reflection, pair.transport);
    const names = await asked.listContracts();
    check(names.includes("testkit.One"), `the listing lacks the contract: ${names.join(", ")}`);
    const listing = await asked.describe("testkit.One");
    equal(
      listing.methods.map(({ name, kind }) => ({ name, kind })),
      [{ name: "run", kind: "unary" }],
      "methods",
    );
    const found = defineContract(listing.name, Object.fromEntries(listing.methods.map(({ name }) => [name, unary()])));
    const run = Reflect.get(clientOf(bench, found, pair.transport), "run");
    equal(await run?.(5), 5, "call from the listing");
    await rejects(asked.describe("testkit.Absent"), { code: "NOT_FOUND" }, "listing of an unknown contract");
  }),

  proves("C56", "tells serving, draining and unknown apart", async (bench) => {
    const router = serveOne((input) => input);
    const states = health(router);
    const pair = await bench.connect(mergeRouters(router, states));
    const asked = clientOf(bench, Health, pair.transport);
    equal(await asked.check("testkit.One"), "SERVING", "a served contract");
    equal(await asked.check("testkit.Absent"), "UNKNOWN", "an unknown contract");
    equal(await asked.check(), "SERVING", "the server as a whole");
    states.setDraining(true);
    equal(await asked.check("testkit.One"), "DRAINING", "a contract that drains");
  }),
];
