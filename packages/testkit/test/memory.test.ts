import { describe, it } from "vitest";
import { channelSuite, transportSuite } from "../src/index.ts";
import { memoryChannels, memoryPair, memoryWire } from "./memory-pair.ts";

channelSuite({ describe, it, name: "memory channel", factory: async () => memoryChannels() });
transportSuite({ describe, it, name: "session over memory", factory: memoryPair, wire: memoryWire });
