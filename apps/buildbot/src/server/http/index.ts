export { BOTS_PATH, type HttpParts, HttpServer, PAGE_PATH } from "./http-server.ts";
