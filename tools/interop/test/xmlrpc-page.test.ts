import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientPrograms } from "../xmlrpc/programs.ts";
import { serveSuites, type Suites } from "../xmlrpc/suites-server.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../../docs/wire/xmlrpc.md"), "utf8");
/** Where the page says that its server is. */
const URL_ON_PAGE = "http://ada:secret@127.0.0.1:8069/RPC2/demo";

const LANGUAGES: readonly (readonly [language: string, id: string, program: string, ...args: string[]])[] = [
  ["python", "python", "python3", "-c"],
  ["ruby", "ruby", "ruby", "-e"],
  ["perl", "perl", "perl", "-e"],
  ["php", "php", "php", "-r"],
  ["sh", "curl", "bash", "-c"],
];

const programs = clientPrograms();
let served: Suites | undefined;
beforeAll(async () => {
  served = await serveSuites();
});
afterAll(() => served?.[Symbol.asyncDispose]());

describe.each(LANGUAGES)("X35 the %s of docs/wire/xmlrpc.md", (language, id, program, ...args) => {
  const missing = programs.find((candidate) => candidate.id === id)?.missing;
  // In CI the tests of the foreign clients fail when one is missing.
  it.skipIf(missing !== undefined)(
    `prints what the page says${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      const [, code = ""] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(PAGE) ?? [];
      expect(code).toContain(URL_ON_PAGE);
      const url = new URL(`${served?.legacy}/RPC2/demo`);
      url.username = "ada";
      url.password = "secret";
      const text = code.replace(URL_ON_PAGE, url.href).replace(/^<\?php\n/, "");
      const { stdout } = await promisify(execFile)(program, [...args, text]);
      expect(stdout).toBe("Azure GmbH\n");
    },
  );
});
