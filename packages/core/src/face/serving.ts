import type { ServingHalf } from "../words/transport.ts";
import { IncomingCalls } from "../machines/incoming-calls.ts";
import { guarded } from "./guarded.ts";
import type { SessionServing } from "./serving-half.ts";

const WHOLE: SessionServing = { kind: "serving", Incoming: IncomingCalls, guarded };

/**
 * What transports need in order to serve handlers that are written by hand at their calling end. Who refers to this brings along all that
 * serving takes.
 */
export const servingHalf: ServingHalf = WHOLE;
