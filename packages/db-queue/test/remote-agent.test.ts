import { vi } from "vitest";

// The agent's own cases, each through a service: what is true of an agent with a login is true of one without.
vi.mock("./agent-rig.ts", async (original) => {
  const rigs = await original<typeof import("./agent-rig.ts")>();
  const { throughService } = await import("./remote-rig.ts");
  const openAgentRig: typeof rigs.openAgentRig = async (...options) =>
    throughService(await rigs.openAgentRig(...options));
  return { ...rigs, openAgentRig };
});

await import("./agent.test.ts");
