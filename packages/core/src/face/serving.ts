import { COPY, MADE_BY } from "../words/copy.ts";
import type { ServingHalf } from "../words/transport.ts";
import { IncomingCalls } from "../machines/incoming-calls.ts";
import { checkHandler } from "./check-served.ts";
import { guarded } from "./guarded.ts";
import type { ServingParts } from "./serving-half.ts";

export const SERVING_PARTS: ServingParts = {
  kind: "serving",
  [MADE_BY]: COPY,
  Incoming: IncomingCalls,
  check: checkHandler,
  guarded,
};

/**
 * What transports need in order to serve handlers that are written by hand at their calling end. Who refers to this brings along all that
 * serving takes.
 */
export const servingHalf: ServingHalf = SERVING_PARTS;
