import { vi } from "vitest";

// The issuer's own cases, each through a service: queues and agents have no login.
vi.mock("./agent-rig.ts", async (original) => {
  const rigs = await original<typeof import("./agent-rig.ts")>();
  const { throughService } = await import("./remote-rig.ts");
  const openAgentRig: typeof rigs.openAgentRig = async (...options) => {
    const rig = throughService(await rigs.openAgentRig(...options));
    return { ...rig, store: rig.remote };
  };
  return { ...rigs, openAgentRig };
});

await import("./handle.test.ts");
await import("./transport.test.ts");
