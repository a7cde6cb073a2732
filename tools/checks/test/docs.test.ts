import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { DEFAULT_LIMITS, STATUS_NUMBERS } from "@rpc/core/transport";
import { typescriptFromProto } from "@rpc/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { blocksOf, programsOf, runProgram, writeProgram } from "../../readme/programs.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const HERE = join(import.meta.dirname, "..");
const MANUAL = globSync(["README.md", "docs/**/*.md"], { cwd: ROOT }).toSorted();
const PAGES = globSync(["*.md", "docs/**/*.md", "examples/*.md", "apps/*.md", "packages/*/*.md", "tools/*/*.md"], {
  cwd: ROOT,
  exclude: (name) => name.includes("node_modules"),
}).toSorted();

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** The rows of the table under a heading, as cells without their backquotes. */
function tableUnder(file: string, heading: string): string[][] {
  const section =
    read(file)
      .split(/^#+ /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replace(/^`|`$/g, "")),
  );
}

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}

describe("programs in the manual", () => {
  const programs = MANUAL.flatMap((file) => programsOf(join(ROOT, file)));

  beforeAll(() => rmSync(join(HERE, ".results", "readme"), { recursive: true, force: true }));

  test("compile in strict TypeScript", { timeout: 60_000 }, () => {
    // Programs that import files of their own are compiled by their package.
    const whole = programs.filter(({ code }) => !/from "\.\.?\//.test(code));
    const files = whole.map((program) => writeProgram(program, HERE));
    const config = join(HERE, ".results", "readme", "tsconfig.json");
    writeFileSync(config, JSON.stringify({ extends: join(ROOT, "tools/tsconfig/test.json"), files }));
    const { stdout, stderr } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", config], { encoding: "utf8" });
    expect(`${stdout}${stderr}`).toBe("");
  });

  test.each(programs.filter(({ output }) => output !== undefined))("$place prints what the page says", (program) => {
    expect(runProgram(program, HERE)).toBe(program.output);
  });
});

describe("the quickstart", () => {
  const lines = (name: string): string[] => read(`examples/${name}/main.ts`).trimEnd().split("\n");
  const memory = lines("quickstart");
  const tcp = lines("quickstart-tcp");

  test("has at most twelve lines", () => {
    expect(memory.length).toBeLessThanOrEqual(12);
  });

  test.each(["README.md", "docs/getting-started.md", "packages/core/README.md"])(
    "stands in %s as it is run",
    (file) => {
      expect(programsOf(join(ROOT, file))[0]?.code.trimEnd().split("\n")).toEqual(memory);
    },
  );

  test("changes one line, imports aside, to go over TCP, and adds two for the server", () => {
    const apart = (from: string[], other: string[]): string[] =>
      from.filter((line) => !other.includes(line) && !line.startsWith("import "));
    expect(apart(memory, tcp)).toEqual(["const transport = createMemoryTransport(router);"]);
    expect(apart(tcp, memory)).toEqual([
      "const listener = await serveTcp(router);",
      "const transport = createTcpTransport(listener.endpoint);",
      "await listener.close();",
    ]);
  });

  test("has in the README the difference that is really there", () => {
    const shown = blocksOf(join(ROOT, "README.md")).find(({ language }) => language === "diff");
    const marked = (sign: string): string[] =>
      (shown?.text ?? "")
        .split("\n")
        .filter((line) => line.startsWith(sign))
        .map((line) => line.slice(1));
    expect(marked("-")).toEqual(memory.filter((line) => !tcp.includes(line)));
    expect(marked("+")).toEqual(tcp.filter((line) => !memory.includes(line)));
  });
});

test("the generated file of examples/protobuf is what its .proto says", () => {
  // Red? Run the command at the head of examples/protobuf/main.ts.
  const folder = join(ROOT, "examples", "protobuf");
  const written = readFileSync(join(folder, "generated", "weather.rpc.ts"), "utf8");
  expect(written).toBe(typescriptFromProto(join(folder, "weather.proto")));
});

test("the limits table of docs/security.md has every limit with its default", () => {
  const rows = tableUnder("docs/security.md", "Limits").map(([name, value]) => [
    name,
    Number(value?.replaceAll(",", "")),
  ]);
  expect(rows).toEqual(Object.entries(DEFAULT_LIMITS));
});

describe("docs/troubleshooting.md", () => {
  const page = read("docs/troubleshooting.md");
  const sources = globSync("packages/{core,protobuf,tcp,ws,xmlrpc,db-queue,zmq-mdp}/src/**/*.ts", { cwd: ROOT })
    .map(read)
    .join("\n");

  test("has a section for every status code", () => {
    const headings = [...page.matchAll(/^## ([A-Z_]+)$/gm)].map(([, code]) => code ?? "");
    expect(headings.toSorted()).toEqual(Object.keys(STATUS_NUMBERS).toSorted());
  });

  // Node's own messages stand in the first section.
  const toolkits = page.slice(page.indexOf("\n## INVALID_ARGUMENT"));
  const messages = [...toolkits.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) => cell?.split("`, `") ?? []);

  test.each(messages)("quotes what the source says: %s", (message) => {
    const fragments = message
      .replaceAll("`", "")
      .split("…")
      .filter((fragment) => fragment.length > 8);
    // `steps[2].command` stands for any path; what comes before it is put together from parts.
    const missing = fragments
      .map((text) => text.replace(/^: (input|output).*$/, ": $1"))
      .filter((text) => !sources.includes(text));
    expect(missing).toEqual([]);
  });
});

describe("links", () => {
  test.each(PAGES)("of %s lead to files and headings that exist", (file) => {
    const text = read(file).replaceAll(/^```[^]*?^```/gm, "");
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target));
    expect(broken).toEqual([]);
  });

  function leadsSomewhere(file: string, target: string): boolean {
    const [path = "", anchor] = target.split("#");
    const aim = path === "" ? file : relative(ROOT, join(ROOT, dirname(file), path));
    if (!existsSync(join(ROOT, aim))) return false;
    if (anchor === undefined || !aim.endsWith(".md")) return true;
    return [...read(aim).matchAll(/^#+ (.*)$/gm)].some(([, heading]) => anchorOf(heading ?? "") === anchor);
  }
});
