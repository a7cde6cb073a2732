// A page with everything that a contract can hold, at both ends: its size is measured.
import {
  bidiStream,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  serverStream,
  unary,
} from "@rpc/core";
import { createWsTransport } from "@rpc/ws";

const All = defineContract("demo.All", {
  one: unary(),
  out: serverStream(),
  in: clientStream(),
  both: bidiStream(),
  told: notification(),
  changed: event(),
  work: job(),
});
const serve = createRouter(All, {
  one: (input) => input,
  out: function* (input) {
    yield input;
  },
  in: () => undefined,
  both: (items) => items,
  told: () => undefined,
  work: { handle: (input) => input },
});
const all = createClient(All, createWsTransport("/rpc", { serve }));
await all.one();
