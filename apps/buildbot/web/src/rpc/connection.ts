import { createClient } from "@rpc/core";
import { createWsTransport } from "@rpc/ws";
import { useSyncExternalStore } from "react";
import { Bots, Builds, House, Settings, Users } from "../../../src/contracts/page.ts";
import { ticket } from "./session.ts";

const transport = createWsTransport("/ws", { token: ticket });

export const builds = createClient(Builds, transport);
export const house = createClient(House, transport);
export const bots = createClient(Bots, transport);
export const settings = createClient(Settings, transport);
export const users = createClient(Users, transport);

/** What the head of the page says of the connection. `waiting`: it is being made, or made again. */
export type Connection = "open" | "waiting" | "lost";

let opened = false;

function connection(): Connection {
  if (transport.status === "open") {
    opened = true;
    return "open";
  }
  return opened ? "lost" : "waiting";
}

function watch(changed: () => void): () => void {
  const ends = (["connected", "suspended", "resumed", "disconnected"] as const).map((name) =>
    transport.on(name, changed),
  );
  return () => ends.forEach((end) => end());
}

export function useConnection(): Connection {
  return useSyncExternalStore(watch, connection);
}
