// A page calls its server and is called back, without a bundler: `node examples/browser/main.ts --stay` serves it for your own browser.
// Without that word a Chromium without a window opens the page, and what it shows is printed; then both end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { createRouter } from "@rpc/core";
import { serveWs } from "@rpc/ws";
import { Screen, Weather } from "./contract.ts";

const HERE = import.meta.dirname;
const PACKAGES = join(HERE, "..", "..", "packages");

// ---- what the page may call

const done = Promise.withResolvers<void>();
const router = createRouter(Weather, {
  today: (place) => `today in ${place as string}: sun`,
  forecast: async function* (days) {
    for (let day = 1; day <= (days as number); day++) yield `in ${day} days: rain`;
  },
  shown: (line) => {
    if (line === "") done.resolve();
    else console.log(`page: ${line as string}`);
  },
  // Calls the page that is asking.
  fits: async (_input, { peer }) =>
    `the server asked, and the page has ${(await peer?.client(Screen).size(undefined)) as string}`,
});

// ---- the page, its modules, and the calls on one port

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = normalize(new URL(request.url ?? "/", "http://here").pathname);
  const file = /^\/modules\/(core|ws)\/dist\/[\w.-]+\.js$/.test(path)
    ? join(PACKAGES, path.slice("/modules/".length))
    : join(HERE, path === "/contract.js" ? "contract.ts" : "page.html");
  response.setHeader("content-type", file.endsWith(".html") ? "text/html" : "text/javascript");
  response.end(await readFile(file));
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.writeHead(404).end());
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const listener = await serveWs(router, { server, path: "/rpc" });
const page = listener.endpoint.replace("ws:", "http:").replace("/rpc", "/");

if (process.argv.includes("--stay")) {
  console.log(`open ${page}`);
} else {
  const candidates = [
    process.env["CHROMIUM"],
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
  ];
  const chromium = candidates.find((path) => path !== undefined && existsSync(path));
  if (chromium === undefined) {
    console.error(
      "skipped: there is no Chromium (Debian: apt-get install chromium), and the variable CHROMIUM names none",
    );
    process.exit(77);
  }
  const profile = await mkdtemp(join(tmpdir(), "rpc-example-"));
  const options = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", `--user-data-dir=${profile}`];
  const browser = spawn(chromium, [...options, "--remote-debugging-port=0", page], { stdio: "ignore" });
  await done.promise;
  const gone = once(browser, "exit");
  browser.kill();
  await gone;
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  await listener.close();
  server.close();
  server.closeAllConnections();
}
