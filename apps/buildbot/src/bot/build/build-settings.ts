import type { Clock } from "@rpc/core";
import type { PatientDesk } from "../desk/patient-desk.ts";
import type { Mirrors } from "../git/mirror.ts";
import type { ProcessGroups } from "../step/process-groups.ts";
import type { Environment } from "./interpolate.ts";

/** What builds have in common. */
export interface BuildSettings {
  readonly desk: PatientDesk;
  readonly mirrors: Mirrors;
  /** Each build has a folder in each of them. */
  readonly workFolder: string;
  readonly spoolFolder: string;
  readonly incarnation: string;
  /** The bot's name. */
  readonly bot: string;
  /** Of the server that gives the builds, as it has said; undefined: it has none. */
  readonly serverId: () => string | undefined;
  readonly env: Environment;
  /** What no log may show, beside what an order names. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  readonly groups: ProcessGroups;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** What of a step's log may wait for the server before the step has to. */
  readonly maxUnsentBytes: number;
  readonly onTrouble: (message: string) => void;
}
