import type { Handler } from "../words/transport.ts";
import { notServed } from "../machines/unserved-calls.ts";

/** What an end serves that serves nothing. */
export const NO_HANDLER: Handler = {
  contracts: [],
  method: () => undefined,
  call: (_input, { method }) => {
    throw notServed(method.name);
  },
  stream: (_input, { method }) => {
    throw notServed(method.name);
  },
};
