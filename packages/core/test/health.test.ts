import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, Health, health, mergeRouters, unary } from "../src/index.ts";
import { failure, memory } from "./rig.ts";

const Bot = defineContract("test.Bot", { ping: unary() });
const bot = createRouter(Bot, { ping: () => "pong" });

function rig() {
  const handler = health(bot);
  return { handler, client: createClient(Health, memory(mergeRouters(bot, handler))) };
}

describe("health", () => {
  it("C56 says SERVING for the server as a whole and for what it serves", async () => {
    const { client } = rig();
    expect(await client.check()).toBe("SERVING");
    expect(await client.check("")).toBe("SERVING");
    expect(await client.check("test.Bot")).toBe("SERVING");
  });

  it.each(["test.Absent", "__proto__"])("C56 says UNKNOWN for %s", async (name) => {
    expect(await rig().client.check(name)).toBe("UNKNOWN");
  });

  it("C56 says DRAINING while the application goes away", async () => {
    const { client, handler } = rig();
    handler.setDraining(true);
    expect(await client.check()).toBe("DRAINING");
    expect(await client.check("test.Bot")).toBe("DRAINING");
    expect(await client.check("test.Absent")).toBe("UNKNOWN");
    handler.setDraining(false);
    expect(await client.check()).toBe("SERVING");
  });

  it("H76 refuses a name that is no text", async () => {
    expect(await failure(rig().client.check(5 as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
