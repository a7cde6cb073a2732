import { createRouter, defineContract, type RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { withTarget } from "../src/agent/with-target.ts";
import { type AgentRig, openAgentRig, turns } from "./agent-rig.ts";

const Bot = defineContract("test.Bot", {
  trigger: unary({ output: z.number() }),
  poll: unary({ output: z.string() }),
});

interface Master {
  trigger(): Promise<number>;
}

let rig: AgentRig;
beforeEach(async () => {
  rig = await openAgentRig();
});
afterEach(() => rig.close());

describe("a handler with a target (Q25, Q26)", () => {
  it("gets the live one, and its real outcome is the command's", async () => {
    let master: Master | undefined = { trigger: async () => 3 };
    const target = { get: () => master, name: "Buildbot master" };
    await rig.serve(
      createRouter(Bot, {
        trigger: withTarget(target, (live) => live.trigger()),
        poll: withTarget(target, async (_live, _input, context) => context.id),
      }),
    );
    expect(await rig.ended(await rig.insert("trigger"))).toMatchObject({ state: "done", result: "3" });
    master = {
      trigger: async () => {
        throw new Error("the build has no steps");
      },
    };
    const failed = await rig.ended(await rig.insert("trigger"));
    expect(failed.state).toBe("failed");
    expect(failed.error).toContain("the build has no steps");
    master = undefined;
    const inactive = await rig.ended(await rig.insert("poll"));
    expect(JSON.parse(inactive.error ?? "")).toMatchObject({
      code: "COMMAND_FAILURE",
      failure: { title: "Error!", text: "Buildbot master is not active", code: 100 },
    });
  });

  it("asks for the restart of an inactive one 10 s later, once for all who have found none", async () => {
    const clock = createFakeClock();
    let live: string | undefined;
    let restarts = 0;
    const errors: RpcError[] = [];
    const target = {
      get: () => live,
      restart: async () => {
        restarts++;
        if (restarts === 1) throw new Error("port in use");
        live = "up";
      },
      clock,
      onError: (error: RpcError) => errors.push(error),
    };
    const one = withTarget(target, (found: string) => found);
    const two = withTarget(target, (found: string) => found.length);
    const call = (handler: typeof one | typeof two): unknown => handler(undefined, undefined as never);
    for (const handler of [one, two, one]) expect(() => call(handler)).toThrow("The target is not active");
    clock.advance(9999);
    expect(restarts).toBe(0);
    clock.advance(1);
    expect(restarts).toBe(1);
    await turns(2);
    expect(errors.map(({ message }) => message)).toEqual(["The target could not be restarted: port in use"]);
    expect(() => call(two)).toThrow("not active");
    clock.advance(10_000);
    await turns(2);
    expect(call(one)).toBe("up");
    expect(restarts).toBe(2);
  });

  it("does not restart one that has come back by itself", async () => {
    const clock = createFakeClock();
    const live: { name?: string } = {};
    let restarts = 0;
    const handler = withTarget(
      { get: () => live.name, restart: () => void restarts++, restartAfterMs: 500, clock },
      (found: string) => found,
    );
    expect(() => handler(undefined, undefined as never)).toThrow("not active");
    live.name = "up";
    clock.advance(500);
    await turns(1);
    expect(restarts).toBe(0);
    const bare = withTarget(
      () => null as string | null,
      (found: string) => found,
    );
    expect(() => bare(undefined, undefined as never)).toThrow("is not active");
    expect(clock.pendingCount).toBe(0);
  });
});
