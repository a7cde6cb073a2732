import type { BuildRequest, BuildSummary, CommandSummary, Commit } from "../contracts/values.ts";

/** What has changed, told after the commit to whoever in this process wants to know. */
export interface BusEvents {
  readonly buildChanged: BuildSummary;
  readonly queueChanged: BuildRequest;
  /** Its name: it came, went, began or ended something, was made or removed. */
  readonly botChanged: string;
  readonly commandChanged: CommandSummary;
  /** The identity of whoever has been removed. */
  readonly callerGone: string;
  /** A bot has begun or ceased to listen: `Commands.present` says which. */
  readonly presenceChanged: undefined;
  readonly configChanged: { readonly version: number };
  /** New ones, the oldest first. */
  readonly commitsAdded: readonly Commit[];
  readonly logGrew: { readonly build: number; readonly step: number; readonly bytes: number; readonly lines: number };
}

export interface Bus {
  emit<Name extends keyof BusEvents>(name: Name, value: BusEvents[Name]): void;
  /** Returns the function that takes the listener away again. */
  on<Name extends keyof BusEvents>(name: Name, listen: (value: BusEvents[Name]) => void): () => void;
}

/** `failed` hears what a listener has thrown: the others are told all the same. */
export function createBus(failed: (error: unknown) => void = () => undefined): Bus {
  const listeners = new Map<string, Set<(value: never) => void>>();
  return {
    emit: (name, value) => {
      for (const listen of listeners.get(name) ?? []) {
        try {
          listen(value as never);
        } catch (error) {
          failed(error);
        }
      }
    },
    on: (name, listen) => {
      const those = listeners.get(name) ?? new Set();
      listeners.set(name, those);
      those.add(listen);
      return () => void those.delete(listen);
    },
  };
}
