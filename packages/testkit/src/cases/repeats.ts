import { createClient, createRouter, defineContract, RpcError, unary, withRetry } from "@rpc/core";
import { check, equal, rejects } from "../assert.ts";
import { passing } from "../gate.ts";
import { clientOf, proves, type TransportCase } from "../transport-bench.ts";

const Bank = defineContract("testkit.Bank", { pay: unary(), look: unary({ idempotent: true }) });

/** C53, C54, H43: calls that are made again. */
export const repeatCases: readonly TransportCase[] = [
  proves(
    "C53",
    "runs a handler once for a key that comes twice, and gives both callers the same reply",
    async (bench) => {
      let runs = 0;
      const router = createRouter(Bank, { pay: () => ({ receipt: ++runs }), look: (input) => input });
      const client = clientOf(bench, Bank, (await bench.connect(router)).transport);
      const both = [client.pay(1, { idempotencyKey: "a" }), client.pay(1, { idempotencyKey: "a" })];
      equal(await Promise.all(both), [{ receipt: 1 }, { receipt: 1 }], "replies to the same key");
      equal(await client.pay(1, { idempotencyKey: "b" }), { receipt: 2 }, "reply to another key");
      equal(runs, 2, "runs");
    },
  ),

  proves(
    "H43",
    "gives the first reply again to the key of a call that has finished, and refuses another input",
    async (bench) => {
      let runs = 0;
      const router = createRouter(Bank, { pay: () => ({ receipt: ++runs }), look: (input) => input });
      const client = clientOf(bench, Bank, (await bench.connect(router)).transport);
      equal(await client.pay({ to: "ada" }, { idempotencyKey: "a" }), { receipt: 1 }, "first reply");
      equal(await client.pay({ to: "ada" }, { idempotencyKey: "a" }), { receipt: 1 }, "reply to the repeated call");
      const other = client.pay({ to: "eve" }, { idempotencyKey: "a" });
      await rejects(other, { code: "ALREADY_EXISTS" }, "the same key with another input");
      equal(runs, 1, "runs");
    },
  ),

  proves("C54", "repeats what is safe to repeat, later each time, and nothing that may have run", async (bench) => {
    const runs = { pay: 0, look: 0 };
    const fail = (method: "pay" | "look"): unknown => {
      runs[method] += 1;
      if (runs[method] < 3) throw new RpcError("UNAVAILABLE", "not now", { delivered: "unknown" });
      return runs[method];
    };
    const router = createRouter(Bank, { pay: () => fail("pay"), look: () => fail("look") });
    const { transport } = await bench.connect(router);
    const random = (): number => 0.5;
    const patient = withRetry(transport, { minMs: 100, factor: 2, clock: bench.clock, random });
    const client = createClient(Bank, patient, { clock: bench.clock });
    const began = bench.clock.now();
    equal(await passing(bench.clock, client.look(1), "the idempotent call"), 3, "output of the third try");
    check(bench.clock.now() - began >= 150, "the tries followed without a pause");
    await rejects(client.pay(1), { code: "UNAVAILABLE" }, "the call that may have run");
    equal(runs, { pay: 1, look: 3 }, "runs");
  }),
];
