import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";

export interface VisitOptions {
  /** Of a user; without it nobody is logged in. */
  readonly token?: string;
  readonly phone?: boolean;
  readonly dark?: boolean;
}

const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  isMobile: true,
  hasTouch: true,
  deviceScaleFactor: 2,
};

/** What a server that is away makes the browser itself say. */
const AWAY = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket connection to|status of 503/;

/** One person with a browser of his own. Whatever his pages have to complain of is kept. */
export class Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly origin: string;
  readonly #complaints: string[] = [];

  private constructor(context: BrowserContext, page: Page, origin: string) {
    this.context = context;
    this.page = page;
    this.origin = origin;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.#complain(message.text());
    });
    page.on("pageerror", (error) => this.#complain(error.stack ?? error.message));
    page.on("dialog", (dialog) => {
      this.#complain(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      const { origin: asked, protocol } = new URL(request.url());
      if (asked !== origin && protocol !== "data:" && protocol !== "blob:") this.#complain(`asked ${request.url()}`);
    });
  }

  static async to(browser: Browser, origin: string, options: VisitOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({
      ...(options.phone ? PHONE : DESKTOP),
      colorScheme: options.dark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    await context.addInitScript(
      `addEventListener("securitypolicyviolation", (event) => console.error("policy: " + [event.violatedDirective, event.blockedURI, event.sourceFile, event.lineNumber, event.columnNumber].join(" ")));`,
    );
    if (options.token !== undefined) {
      const answer = await context.request.post(`${origin}/login`, { data: { token: options.token } });
      if (!answer.ok()) throw new Error(`the server does not take the token: ${await answer.text()}`);
    }
    return new Visitor(context, await context.newPage(), origin);
  }

  async go(path: string): Promise<Page> {
    await this.page.goto(`${this.origin}${path}`);
    await this.live();
    return this.page;
  }

  /** Within the page, as its links lead. */
  async follow(path: string): Promise<void> {
    await this.page.evaluate(`history.pushState(null, "", ${JSON.stringify(path)})`);
    await this.page.waitForURL(`${this.origin}${path}`);
  }

  /** The connection is there. */
  async live(): Promise<void> {
    await this.page.locator('[data-connection="open"]').waitFor();
  }

  /** What was complained of since the last time; that the server was away is left out where it was. */
  complaints({ wasAway = false } = {}): string[] {
    const all = this.#complaints.splice(0);
    return wasAway ? all.filter((text) => !AWAY.test(text)) : all;
  }

  /** How far the page is wider than its window. */
  overflow(): Promise<number> {
    return this.page.evaluate("document.scrollingElement.scrollWidth - innerWidth");
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  #complain(text: string): void {
    this.#complaints.push(text);
  }
}
