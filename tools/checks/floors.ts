// Who may import whom: the floors inside core, and what each package may bring in. Runs in `lint`; alone with `node tools/checks/floors.ts`.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type ImportOf, importsOf } from "./imports.ts";

/** The floors of core, lowest first: a file imports its own floor and those before it. */
const CORE_FLOORS: readonly string[] = ["words", "tools", "machines", "face"];
/** Files at the root of core's sources that gather all floors for the outside. */
const CORE_DOORS: readonly string[] = ["index.ts", "transport.ts", "opentelemetry.ts"];
/** Machines of one kind of method, and those that serve: in a page only when its contracts and handlers bring them. */
const BROUGHT_ALONG =
  /^packages\/core\/src\/machines\/(incoming-|outgoing-(stream|sub|consumer)|start-(stream|pattern)|stream-)/;
/** What brings them. */
const BRINGING: readonly string[] = ["packages/core/src/face/kinds.ts", "packages/core/src/face/serving-parts.ts"];
const MOST_LINES = 400;

/** What the sources of a package may import from outside of it. A package that is not in this list may import nothing. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protobuf: ["@rpc/core", "protobufjs"],
  tcp: [
    "@rpc/core",
    "@rpc/protobuf",
    "node:net",
    "node:tls",
    "node:fs",
    "node:worker_threads",
    "node:zlib",
    "node:crypto",
  ],
  testkit: ["@rpc/core"],
  // What stands in src/ itself and in src/browser/ runs in browsers: its own test bundles it and looks for Node.
  ws: ["@rpc/core"],
  "db-queue": ["@rpc/core", "pg", "node:sqlite", "node:fs", "node:path", "node:crypto", "node:os"],
  cli: ["@rpc/core", "@rpc/db-queue", "commander", "cli-table3", "node:fs", "node:timers", "node:util"],
  xmlrpc: [
    "@rpc/core",
    "fast-xml-parser",
    "node:http",
    "node:https",
    "node:zlib",
    "node:crypto",
    "node:net",
    "node:stream",
  ],
  "zmq-mdp": [
    "@rpc/core",
    "zeromq",
    "commander",
    "node:crypto",
    "node:fs",
    "node:net",
    "node:os",
    "node:path",
    "node:timers",
    "node:util",
  ],
};
/** Programs and build-time parts that may use Node although their package may not. */
const ALLOWED_IN_FILES: Readonly<Record<string, readonly string[]>> = {
  "packages/protobuf/src/bin.ts": ["node:*"],
  "packages/protobuf/src/generator/": ["node:*"],
  // The door `@rpc/core/opentelemetry`; its peer dependency is optional.
  "packages/core/src/face/opentelemetry/": ["@opentelemetry/api"],
  "packages/ws/src/node/": ["ws", "node:*"],
  // The door `@rpc/testkit/node`: faults on real sockets.
  "packages/testkit/src/chaos/prox": ["node:net"],
  // Reads .proto files where there are files, and asks for Node's modules only then.
  "packages/protobuf/src/model/load-files.ts": ["node:fs", "node:path", "node:url"],
};

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Every violation in the packages, apps, examples and tools of a checkout. */
export function checkFloors(root: string): Violation[] {
  const found: Violation[] = [];
  const sources = globSync("packages/*/src/**/*.ts", { cwd: root });
  const others = globSync(["packages/*/test/**/*.ts", "apps/**/*.{ts,tsx}", "examples/**/*.ts", "tools/**/*.ts"], {
    cwd: root,
    exclude: (name) => name.includes("node_modules") || name.endsWith("dist"),
  });
  for (const file of sources.map(withSlashes).toSorted()) found.push(...checkSource(root, file));
  for (const file of others.map(withSlashes).toSorted()) {
    const text = readFileSync(join(root, file), "utf8");
    if (/^apps\/[^/]+\/(src|web)\//.test(file)) found.push(...checkLength(file, text));
    for (const found_ of importsOf(file, text)) found.push(...checkDoor(file, found_));
  }
  return found;
}

function checkSource(root: string, file: string): Violation[] {
  const text = readFileSync(join(root, file), "utf8");
  const found = checkLength(file, text);
  for (const item of importsOf(file, text)) {
    found.push(...checkDoor(file, item));
    found.push(...(item.name.startsWith(".") ? checkRelative(root, file, item) : checkOutside(file, item)));
  }
  return found;
}

function checkLength(file: string, text: string): Violation[] {
  const lines = text.split("\n").length - 1;
  if (lines <= MOST_LINES || file.includes("/generated/")) return [];
  const why = `the file has ${lines} lines, more than ${MOST_LINES}; split it by concept`;
  return [{ file, line: MOST_LINES + 1, text: why }];
}

/** Nobody reaches past the door of a package. */
function checkDoor(file: string, { name, line }: ImportOf): Violation[] {
  if (!/^@rpc\/[^/]+\/(src|dist)(\/|$)/.test(name)) return [];
  return [
    { file, line, text: `imports "${name}", the inside of a package; import from its door, "${packageOf(name)}"` },
  ];
}

function checkRelative(root: string, file: string, { name, line, typesOnly }: ImportOf): Violation[] {
  const target = withSlashes(relative(root, resolve(root, dirname(file), name)));
  const home = file.split("/").slice(0, 3).join("/");
  if (!target.startsWith(`${home}/`)) {
    return [{ file, line, text: `imports "${name}", a file outside ${home}; import the other package by its name` }];
  }
  if (!/\.(ts|json)$/.test(name) || !existsSync(join(root, target))) {
    return [{ file, line, text: `imports "${name}", which is no file; write the whole name with .ts` }];
  }
  if (!typesOnly && BROUGHT_ALONG.test(target) && !BROUGHT_ALONG.test(file) && !BRINGING.includes(file)) {
    const text = `imports "${name}", which every page would load then; take it from the parts of a method or a handler (docs/decisions/0025)`;
    return [{ file, line, text }];
  }
  return home === "packages/core/src" ? checkFloor(file, target, line, name) : [];
}

function checkFloor(file: string, target: string, line: number, name: string): Violation[] {
  const [from = "", to = ""] = [file, target].map((path) => path.split("/")[3]);
  if (CORE_DOORS.includes(from)) return [];
  const [fromFloor, toFloor] = [CORE_FLOORS.indexOf(from), CORE_FLOORS.indexOf(to)];
  const floors = CORE_FLOORS.join(" < ");
  if (fromFloor < 0) return [{ file, line, text: `stands on no floor of core; move it into one of ${floors}` }];
  if (toFloor >= 0 && toFloor <= fromFloor) return [];
  const what = toFloor < 0 ? "a door of core, which is for the outside" : `floor "${to}", which stands above "${from}"`;
  return [{ file, line, text: `imports "${name}" from ${what} (${floors}); move the shared part down or hand it in` }];
}

function checkOutside(file: string, { name, line }: ImportOf): Violation[] {
  const owner = file.split("/")[1] ?? "";
  const special = Object.entries(ALLOWED_IN_FILES).filter(([prefix]) => file.startsWith(prefix));
  const allowed = [...(ALLOWED[owner] ?? []), ...special.flatMap(([, names]) => names)];
  const wanted = packageOf(name);
  if (allowed.some((entry) => entry === wanted || (entry === "node:*" && wanted.startsWith("node:")))) return [];
  const may = allowed.length === 0 ? "nothing from outside" : `only ${allowed.join(", ")}`;
  return [
    {
      file,
      line,
      text: `imports "${name}", but packages/${owner} may import ${may}; see ARCHITECTURE.md, "Who may import whom"`,
    },
  ];
}

function packageOf(name: string): string {
  if (name.startsWith("node:")) return name.split("/")[0] ?? name;
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

function withSlashes(path: string): string {
  return path.split(sep).join("/");
}

if (import.meta.main) {
  const found = checkFloors(join(import.meta.dirname, "..", ".."));
  for (const { file, line, text } of found) console.error(`${file}:${line}: ${text}`);
  console.log(found.length === 0 ? "floors: every import stays on its floor" : `floors: ${found.length} violations`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
