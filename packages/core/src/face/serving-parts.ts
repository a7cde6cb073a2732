import { COPY, MADE_BY } from "../words/copy.ts";
import { IncomingCalls } from "../machines/incoming-calls.ts";
import { checkHandler } from "./check-served.ts";
import { guarded } from "./guarded.ts";
import type { ServingParts } from "./serving-half.ts";

/** The half of a session that serves, with all that it takes. */
export const SERVING_PARTS: ServingParts = {
  kind: "serving",
  [MADE_BY]: COPY,
  Incoming: IncomingCalls,
  check: checkHandler,
  guarded,
};
