// Both ends read this file, the page as it is: so there is nothing in it that is not JavaScript.
import { defineContract, serverStream, unary } from "@rpc/core";

/** What the server serves to the page. */
export const Weather = defineContract("demo.Weather", {
  today: unary(),
  forecast: serverStream(),
  fits: unary(),
  /** What the page shows, for the terminal; in the end an empty line. */
  shown: unary(),
});

/** What the page serves to the server. */
export const Screen = defineContract("demo.Screen", { size: unary() });
