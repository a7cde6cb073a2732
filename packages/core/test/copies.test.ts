import { describe, expect, it, vi } from "vitest";
import {
  authorized,
  allowLists,
  createClient,
  createMemoryTransport,
  createRouter,
  defineContract,
  failover,
  forward,
  mergeRouters,
  unary,
} from "../src/index.ts";
import { type Handler, servingHalf } from "../src/transport.ts";
import { dialTo, listen, memory, thrownBy } from "./rig.ts";

// A package of contracts that has resolved a @rpc/core of its own, in a program that has another.
vi.resetModules();
const other = await import("../src/index.ts");

const One = defineContract("test.One", { one: unary() });
const Theirs = other.defineContract("test.Theirs", { one: other.unary() });
const implementation = { one: (input: unknown) => input };
const router = createRouter(One, implementation);
const theirRouter = other.createRouter(Theirs, implementation);
const theirTransport = other.createMemoryTransport(theirRouter);

function refusal(what: string): object {
  const message = `${what} was made by another copy of @rpc/core, of which two are installed; make it a peerDependency of all packages that use it, so that they share one`;
  return { code: "FAILED_PRECONDITION", message };
}

describe("what another copy of the package made", () => {
  it("is another", () => {
    expect(other.createClient).not.toBe(createClient);
    expect(other.unary().parts).not.toBe(unary().parts);
  });

  it.each<[string, string, () => unknown]>([
    ["a contract of a client", "test.Theirs.one", () => createClient(Theirs, memory(router))],
    ["a contract of a router", "test.Theirs.one", () => createRouter(Theirs, implementation)],
    ["a method of a contract", "test.Mixed.one", () => defineContract("test.Mixed", { one: other.unary() })],
    ["a transport under a client", "the transport to memory:", () => createClient(One, theirTransport)],
    ["a transport under another", "the transport to memory:", () => failover(theirTransport, theirTransport)],
    ["a transport behind a gateway", "the transport to memory:", () => forward(theirTransport)],
    [
      "a transport made of others",
      "the transport to memory: or memory:",
      () => createClient(One, other.failover(theirTransport, theirTransport)),
    ],
    ["a router of a listener", "the handler of test.Theirs", () => listen(theirRouter)],
    ["a gateway of a listener", "the handler of all contracts", () => listen(other.forward(theirTransport))],
    ["a router among others", "the handler of test.Theirs", () => mergeRouters(router, theirRouter)],
    ["a router under guard", "the handler of test.Theirs", () => listen(authorized(theirRouter, allowLists({})))],
    ["a router that a page serves", "what the option serve has", () => dialTo({ serve: theirRouter })],
    [
      "a router that a program serves",
      "the handler of test.Theirs",
      () => dialTo({ serve: theirRouter, serving: servingHalf }),
    ],
    ["a contract of a handler that is written by hand", "test.Theirs.one", () => listen(plain(theirRouter))],
  ])("is refused where it is bound, before any call: %s", (_what, made, bind) => {
    expect(thrownBy(bind)).toMatchObject(refusal(made));
  });

  it("works with its own", async () => {
    expect(await other.createClient(Theirs, theirTransport).one("in")).toBe("in");
    expect(await createClient(One, createMemoryTransport(router)).one("in")).toBe("in");
  });
});

/** A handler without what the package put there. */
function plain(handler: Handler): Handler {
  return {
    contracts: handler.contracts,
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => handler.call(input, context),
    stream: (input, context) => handler.stream(input, context),
  };
}
