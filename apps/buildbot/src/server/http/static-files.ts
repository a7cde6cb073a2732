import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
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

/** What of these is worth it; the rest is packed already. */
const TEXTS = new Set([".html", ".js", ".css", ".json", ".svg", ".webmanifest"]);
const packed = promisify(gzip);

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
  /** By file: gzipped once, when it is first asked for. What was built does not change while the server runs. */
  readonly #packed = new Map<string, Promise<Buffer>>();

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
    const isText = TEXTS.has(extname(file));
    const small = isText && takesGzip(response) ? await this.#pack(file) : undefined;
    const headers: Headers = {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": String(small?.length ?? (await stat(file)).size),
      ...(isText && { vary: "accept-encoding" }),
      ...(small !== undefined && { "content-encoding": "gzip" }),
      "cache-control": isForever ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": isPage ? POLICY : "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    };
    answerHead(response, 200, headers);
    if (response.req.method === "HEAD") response.end();
    else if (small !== undefined) response.end(small);
    else await pipeline(createReadStream(file), response);
  }

  #pack(file: string): Promise<Buffer> {
    let bytes = this.#packed.get(file);
    if (bytes === undefined) {
      bytes = readFile(file).then((whole) => packed(whole, { level: constants.Z_BEST_COMPRESSION }));
      bytes.catch(() => this.#packed.delete(file));
      this.#packed.set(file, bytes);
    }
    return bytes;
  }
}

function takesGzip({ req }: ServerResponse): boolean {
  return /(?:^|,)\s*gzip\s*(?:,|$)/i.test(req.headers["accept-encoding"] ?? "");
}
