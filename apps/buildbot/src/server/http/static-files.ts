import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { answerHead, type Headers, say } from "./answers.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

/** Styles are made by the page's library while it runs; scripts come from here and nowhere else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const NOT_BUILT =
  "The server runs, but its page has not been built: run `vite build` in apps/buildbot, and start it again. Programs are served all the same.";

/** The page's built files. A path is looked up among those that are there, and never made a file's name of. */
export class StaticFiles {
  readonly #folder: string;
  #files = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async begin(): Promise<void> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(() => []);
    this.#files = new Map(
      entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((file) => [`/${relative(this.#folder, file).split(sep).join("/")}`, file]),
    );
  }

  /** The page for every path that is none of a file: it has addresses of its own. */
  async serve(path: string, response: ServerResponse): Promise<void> {
    const asset = this.#files.get(path);
    const isNavigation = !path.startsWith("/assets/") && (response.req.headers.accept ?? "").includes("text/html");
    const file = asset ?? (isNavigation || extname(path) === "" ? this.#files.get("/index.html") : undefined);
    if (file === undefined) {
      const isBuilt = this.#files.has("/index.html");
      return isBuilt ? say(response, 404, "there is nothing at this address") : say(response, 503, NOT_BUILT);
    }
    const isPage = file.endsWith(".html");
    // Vite puts a digest into the names of what it makes of sources.
    const isForever = path.startsWith("/assets/");
    const headers: Headers = {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": String((await stat(file)).size),
      "cache-control": isForever ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": isPage ? POLICY : "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    };
    answerHead(response, 200, headers);
    if (response.req.method === "HEAD") response.end();
    else await pipeline(createReadStream(file), response);
  }
}
