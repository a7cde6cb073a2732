import type { ServingHalf } from "../words/transport.ts";
import { SERVING_PARTS } from "./serving-parts.ts";

/**
 * What transports need in order to serve handlers that are written by hand at their calling end. Who refers to this brings along all that
 * serving takes.
 */
export const servingHalf: ServingHalf = SERVING_PARTS;
