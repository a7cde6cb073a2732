import { connect, type Socket } from "node:net";
import { bareServer } from "./rig.ts";

/** A line between a caller and a listener that the test can break. */
export interface Line {
  readonly endpoint: string;
  /** Whether the first connection carries nothing any more. */
  readonly dead: boolean;
  /** The first connection swallows everything after so many more bytes to the server, in both directions, its end too. */
  dieAfter(bytes: number): void;
  /** Ends all connections, at both ends at once. */
  cut(): void;
}

/** Ends with the test. */
export async function lineTo(endpoint: string): Promise<Line> {
  let leftBytes = Infinity;
  let connections = 0;
  const port = Number(new URL(endpoint).port);
  const nears = new Set<Socket>();
  const pipe = (near: Socket): void => {
    nears.add(near);
    const breaks = ++connections === 1;
    const far = connect({ port, host: "127.0.0.1" });
    const alive = (): boolean => !breaks || leftBytes > 0;
    near.on("data", (chunk: Buffer) => {
      if (!alive()) return;
      far.write(breaks ? chunk.subarray(0, leftBytes) : chunk);
      if (breaks) leftBytes -= chunk.length;
    });
    far.on("data", (chunk: Buffer) => {
      if (alive()) near.write(chunk);
    });
    far.on("error", () => undefined);
    far.on("close", () => {
      if (alive()) near.destroy();
    });
    near.on("close", () => far.destroy());
  };
  return {
    endpoint: await bareServer(pipe),
    get dead() {
      return leftBytes <= 0;
    },
    dieAfter: (bytes) => void (leftBytes = bytes),
    cut: () => {
      for (const near of nears) near.destroy();
    },
  };
}
