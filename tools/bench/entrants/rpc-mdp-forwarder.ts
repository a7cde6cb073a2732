import type { FanoutEntrant } from "../harness/entrant.ts";
import { through } from "../wire/mdp-events.ts";

export const fanout: FanoutEntrant = through("ours");
