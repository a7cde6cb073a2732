import { Header } from "../headers.ts";
import type { HttpExchange } from "../http/exchange.ts";

let lastId = 0;

/** The id by which a call stands in logs: the caller's, where it is a word, otherwise one of this process. */
export function callIdOf(exchange: HttpExchange): string {
  const given = exchange.header(Header.callId);
  if (given !== undefined && /^[!-~]{1,100}$/.test(given)) return given;
  lastId += 1;
  return `http/${lastId}`;
}
