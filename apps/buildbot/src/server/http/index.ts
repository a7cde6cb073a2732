export { type HttpParts, HttpServer } from "./http-server.ts";
