import { existsSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Handler } from "@rpc/core";
import { type Browser, type CDPSession, chromium, type Page } from "playwright-core";
import { serveWs, type WsListenerOptions } from "../src/index.ts";
import { bundleForBrowser } from "./bundle.ts";
import type { Scenarios } from "./browser/page.ts";

/** A browser of Chromium's kind: the one that `CHROMIUM` names, or Debian's. */
const executablePath: string | undefined = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

/** What has to be installed before {@link launch} is of use; undefined: nothing. */
export const missingBrowser: string | undefined =
  executablePath === undefined
    ? "no Chromium was found (Debian: apt-get install chromium), and the variable CHROMIUM names none"
    : undefined;

export async function launch(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(missingBrowser);
  // A container has no user namespaces for the sandbox; these pages are ours.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A site with one page, and the listener at its path `/rpc`. */
export interface Site {
  readonly origin: string;
  readonly listener: Awaited<ReturnType<typeof serveWs>>;
  /** Cuts every connection from beneath, as a network does. */
  cut(): void;
  close(): Promise<void>;
}

let bundle: Promise<string> | undefined;

export async function openSite(handler: Handler, options: WsListenerOptions = {}): Promise<Site> {
  bundle ??= bundleForBrowser("page.ts", "page");
  const script = await bundle;
  const server: Server = createServer((request, response) => {
    if (request.url === "/page.js") response.setHeader("content-type", "text/javascript").end(script);
    else response.setHeader("content-type", "text/html").end(PAGE);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const listener = await serveWs(handler, { ...options, server, path: "/rpc" });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    origin: `http://127.0.0.1:${address.port}`,
    listener,
    cut,
    close: async () => {
      await listener.close();
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

const PAGE = "<!doctype html><meta charset=utf-8><title>the page</title><script src=/page.js></script>";

/** A page of a site, and its scenarios by name. */
export class Visit {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async to(browser: Browser, origin: string): Promise<Visit> {
    const page = await browser.newPage();
    await page.goto(origin);
    return new Visit(page);
  }

  /** Runs one scenario in the page. */
  run<Name extends keyof Scenarios>(
    name: Name,
    ...values: Parameters<Scenarios[Name]>
  ): Promise<Awaited<ReturnType<Scenarios[Name]>>> {
    return this.page.evaluate(
      ([which, all]) => {
        const { scenarios } = globalThis as unknown as { scenarios: Record<string, (...inputs: unknown[]) => unknown> };
        return scenarios[which as string]?.(...(all as unknown[]));
      },
      [name, values] as const,
    ) as Promise<Awaited<ReturnType<Scenarios[Name]>>>;
  }

  /** What the browser's tools speak, for what a page cannot do to itself. */
  tools(): Promise<CDPSession> {
    return this.page.context().newCDPSession(this.page);
  }
}
