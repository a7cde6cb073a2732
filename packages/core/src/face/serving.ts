import type { ServingHalf } from "../words/transport.ts";
import { IncomingCalls } from "../machines/incoming-calls.ts";
import { guarded } from "./guarded.ts";
import type { SessionServing } from "./serving-half.ts";

/** Who refers to this brings along all that serving takes. */
export const SERVING_HALF: SessionServing = { kind: "serving", Incoming: IncomingCalls, guarded };

/** For transports that serve handlers of any origin at their calling end, and need not be small. */
export const servingHalf: ServingHalf = SERVING_HALF;
