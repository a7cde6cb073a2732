export { BOTS_CALLS_PATH, BOTS_PATH, type HttpParts, HttpServer, PAGE_PATH } from "./http-server.ts";
