import { bidiStream, clientStream, defineContract, event, serverStream, unary } from "@rpc/core";

/** What the server serves to the page. No schemas: they would be in the bundle. */
export const Desk = defineContract("page.Desk", {
  echo: unary(),
  who: unary(),
  /** Counts how often it has run. */
  once: unary(),
  callBack: unary(),
  count: serverStream(),
  sum: clientStream(),
  bounce: bidiStream(),
  news: event(),
});

/** What the page serves to the server. */
export const Page = defineContract("page.Page", {
  title: unary(),
});
