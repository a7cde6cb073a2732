import { describe, expect, it } from "vitest";
import { Configuration } from "../src/contracts/values.ts";
import {
  configurationHistory,
  parseConfiguration,
  previewConfiguration,
  readConfiguration,
  saveConfiguration,
} from "../src/server/config/index.ts";
import {
  beginBuild,
  claimRequests,
  getOrder,
  getRequest,
  insertRequest,
  listBuilders,
  listRepositories,
  type Store,
} from "../src/server/store/index.ts";
import { addBot, DATABASES, openRig } from "./store-rig.ts";

const HOUSE = `# The house.
repositories:
  house:
    url: https://example.org/house.git
    webhookSecret: sesame
builders:
  core:
    group: checks
    repository: house
    schedulers:
      - { kind: change, branches: [main, "topic/*"] }
      - { kind: nightly, cron: 0 3 * * * }
    steps:
      - name: install
        command: npm ci
      - name: test
        command: [npm, test]
        tests: junit
        report: out/junit.xml
  docs:
    repository: house
    schedulers:
      - { kind: dependent, upstream: core }
    steps:
      - { name: docs, command: make, env: { CI: "1", HOME: null } }
`;

const save = (store: Store, text: string, version: number, author = "ann") =>
  store.transaction((tx) => saveConfiguration(tx, { text, version, author, note: "why", at: 1000 + version }));

describe("what is wrong with a configuration", () => {
  const problems = (text: string) => parseConfiguration(text).problems;

  it("is nothing: with every word, with none, and with either part left out", () => {
    expect(parseConfiguration(HOUSE).configuration?.builders["core"]?.steps[0]?.noOutputTimeoutSeconds).toBe(1200);
    const empty = { configuration: { repositories: {}, builders: {} }, problems: [] };
    for (const text of ["", "# nothing yet\n", "repositories:\n", "builders: {}\n"]) {
      expect(parseConfiguration(text)).toEqual(empty);
    }
  });

  it("is said with its line", () => {
    const text = HOUSE.replace("command: npm ci", "comand: npm ci")
      .replace("0 3 * * *", "0 3 * * * *")
      .replace("upstream: core", "upstream: cores")
      .replace("tests: junit", "tests: unit");
    expect(problems(text).map(({ line, message }) => `${line}: ${message.slice(0, 60)}`)).toEqual([
      expect.stringMatching(/^14: builders › core › steps › 1 › command: Invalid input/),
      expect.stringMatching(/^15: builders › core › steps › 1 › comand: unknown word/),
      expect.stringMatching(/^18: builders › core › steps › 2 › tests: Invalid option/),
    ]);
    const meaning = HOUSE.replace("0 3 * * *", "0 3 * * * *").replace("upstream: core", "upstream: cores");
    expect(problems(meaning)).toMatchObject([
      { line: 12, message: expect.stringContaining("no cron expression of five fields") },
      { line: 23, message: 'builders › docs › schedulers › 1: there is no builder "cores"' },
    ]);
  });

  it("is said of texts that are no YAML, twice the same name, and aliases that multiply", () => {
    expect(problems("builders: [\n")).toMatchObject([{ line: expect.any(Number) }]);
    expect(problems("builders: {}\nbuilders: {}\n")).toMatchObject([
      { line: 2, message: expect.stringContaining("unique") },
    ]);
    const laughs = Array.from(
      { length: 9 },
      (_, index) => `  x${index + 1}: &x${index + 1} [${`*x${index},`.repeat(9)}]`,
    );
    const [problem] = problems(`builders:\n  x0: &x0 [ha]\n${laughs.join("\n")}\n`);
    expect(problem?.message).toMatch(/alias/i);
    expect(problems("just a text")).toHaveLength(1);
    expect(problems("- a\n- b\n")).toHaveLength(1);
    expect(problems("builders: {core: {<<: *nobody}}")).toHaveLength(1);
  });

  it("is said of what would do harm or never come", () => {
    const said = (from: string, to: string): string => problems(HOUSE.replace(from, to))[0]?.message ?? "";
    expect(said("https://example.org/house.git", "--upload-pack=evil")).toContain("option");
    expect(said("report: out/junit.xml", "report: ../../etc/passwd")).toContain("below the work tree");
    expect(said("report: out/junit.xml", "report: /etc/passwd")).toContain("below the work tree");
    expect(said("report: out/junit.xml", 'report: "C:\\\\x"')).toContain("below the work tree");
    expect(said("CI:", '"A=B":')).toContain("name of a variable");
    expect(said("repository: house", "repository: constructor")).toContain("no repository");
    expect(said("0 3 * * *", "0 3 31 2 *")).toContain("never comes");
    expect(said("  docs:", '  "../docs":')).toContain("a name begins");
    expect(said("  docs:", "  __proto__:")).toContain("cannot be a name");
    expect(said("kind: dependent, upstream: core", "kind: dependent, upstream: docs")).toContain("depends on itself");
    expect(said("kind: nightly", "kind: sometimes")).toMatch(/^builders › core › schedulers › 2/);
    const many = Array.from({ length: 1000 }, (_, at) => `      - { name: "${at}", command: "true" }\n`).join("");
    expect(said("    steps:\n      - name: install", `    steps:\n${many}      - name: install`)).toContain("steps");
    const alias = `      - { name: long, command: &long "${"x".repeat(60_000)}" }\n`;
    const aliases = Array.from({ length: 20 }, (_, at) => `      - { name: "${at}", command: *long }\n`).join("");
    expect(said("    steps:\n      - name: install", `    steps:\n${alias}${aliases}      - name: install`)).toContain(
      "larger than 1048576 bytes",
    );
  });
});

describe.each(DATABASES)("the configuration on %s", (kind) => {
  it("stands in tables that say the same as its text", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    expect(await readConfiguration(store.db)).toMatchObject({
      version: 0,
      text: expect.stringContaining("builders: {}"),
    });
    expect(await save(store, HOUSE, 0)).toMatchObject({ outcome: "saved", version: 1 });
    expect(await readConfiguration(store.db)).toEqual({ version: 1, text: HOUSE });
    expect((await listBuilders(store.db)).map(({ name }) => name)).toEqual(["core", "docs"]);
    expect(await listRepositories(store.db)).toMatchObject([
      { name: "house", webhookSecret: "sesame", pollSeconds: 60 },
    ]);

    // Somebody has changed a table by hand: the text says what is true.
    await store.db.updateTable("builders").set({ priority: 7 }).where("name", "=", "core").execute();
    const { text } = await readConfiguration(store.db);
    expect(text).not.toContain("# The house.");
    const { configuration } = parseConfiguration(text);
    expect(Configuration.parse(configuration).builders["core"]?.priority).toBe(7);
  });

  it("shows what would change, and saves nothing that is wrong", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await save(store, HOUSE, 0);
    expect(await previewConfiguration(store.db, HOUSE)).toEqual({ problems: [], diff: "" });
    const changed = HOUSE.replace("npm ci", "npm install");
    const { diff } = await previewConfiguration(store.db, changed);
    expect(diff).toContain("--- version 1\n+++ new\n");
    expect(diff).toContain("\n-        command: npm ci\n+        command: npm install\n");
    const wrong = HOUSE.replace("repository: house", "repository: hose");
    expect((await previewConfiguration(store.db, wrong)).problems).toMatchObject([{ line: 9 }]);
    expect(await save(store, wrong, 1)).toMatchObject({ outcome: "invalid", problems: [{ line: 9 }] });
    expect((await readConfiguration(store.db)).version).toBe(1);
  });

  it("is saved by one of those who began with the same version", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await save(store, HOUSE, 0);
    const authors = ["ann", "bob", "cid"];
    const saves = await Promise.all(authors.map((author) => save(store, `${HOUSE}# ${author}\n`, 1, author)));
    const winner = authors[saves.findIndex(({ outcome }) => outcome === "saved")];
    expect(saves.filter(({ outcome }) => outcome === "saved")).toHaveLength(1);
    expect(saves.filter(({ outcome }) => outcome === "stale")).toEqual(
      Array.from({ length: 2 }, () => ({ outcome: "stale", version: 2, author: winner })),
    );
    expect(await configurationHistory(store.db, 9)).toEqual([
      { version: 2, at: 1001, author: winner, note: "why" },
      { version: 1, at: 1000, author: "ann", note: "why" },
    ]);
    expect((await readConfiguration(store.db)).text).toContain(`# ${winner}`);
  });

  it("leaves running builds alone, and ends what waits for builders that are gone", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await save(store, HOUSE, 0);
    const bot = await addBot(store, "one", 1);
    const wish = (builder: string) => insertRequest(store.db, { builder, reason: "", by: "x", at: 1 });
    await wish("docs");
    const waiting = await wish("docs");
    await store.transaction((tx) => claimRequests(kind, tx, { bot: bot.id, incarnation: "first", max: 1, at: 2 }));
    const order = await getOrder(store.db, 1);
    const without = HOUSE.slice(0, HOUSE.indexOf("  docs:"));
    expect(await save(store, without, 1)).toMatchObject({ outcome: "saved", requests: [{ id: waiting?.id }] });
    expect(await getRequest(store.db, waiting?.id ?? 0)).toMatchObject({ state: "complete", results: "cancelled" });
    expect(await wish("docs")).toBeUndefined();
    expect((await listBuilders(store.db)).map(({ name }) => name)).toEqual(["core"]);
    expect(await getOrder(store.db, 1)).toEqual(order);
    expect(await beginBuild(store.db, 1, { revision: "a", subject: "", author: "" })).toMatchObject({
      builder: "docs",
    });
    // The name comes back: its builds are still its own.
    await save(store, HOUSE.replace("command: make", "command: ninja"), 2);
    const again = await wish("docs");
    expect(again?.id).toBeGreaterThan(waiting?.id ?? 0);
    const [, docs] = await listBuilders(store.db);
    expect(docs).toMatchObject({ name: "docs", pending: 1, recent: [{ id: 1 }] });
    expect((await getOrder(store.db, 1))?.steps[0]?.command).toBe("make");
  });
});
