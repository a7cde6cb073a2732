/** Where a server listens unless it is told otherwise: the page, and bots and commands. */
export const DEFAULT_HTTP = "http://127.0.0.1:8010";
export const DEFAULT_TCP = "tcp://127.0.0.1:9989";
