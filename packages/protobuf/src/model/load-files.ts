import type protobuf from "protobufjs";
import { scanDeclarations } from "./declaration-lines.ts";
import type { Place } from "./definitions.ts";
import { protoError } from "./proto-error.ts";
import type { ProtobufRoot } from "./reflection.ts";

/** Where imports may come from, and how much may be read. */
export interface LoadOptions {
  /** Folders in which imports are looked up, in order; nothing outside them is read. Default: the file's own folder. */
  readonly roots?: readonly string[] | undefined;
}

/** What was read from files. */
export interface LoadedFiles {
  readonly root: ProtobufRoot;
  readonly lines: ReadonlyMap<string, Place>;
  /** The package of the first file, whose names keep their short form in generated code. */
  readonly packageName: string;
  /** The first file, as its places call it. */
  readonly fileName: string;
}

const MAX_FILE_BYTES = 1 << 20;
const MAX_FILES = 1_000;
/** Imports that describe options only: known here, never read. */
const OPTION_FILES = new Set(["rpc/v1/options.proto", "google/protobuf/descriptor.proto"]);

interface OpenFile {
  readonly path: string;
  readonly imports: { readonly path: string; readonly line: number | undefined }[];
}

/**
 * Reads a `.proto` and everything it imports, from this machine's files only. protobufjs and Node's modules are asked for at the
 * first call, so that this module loads in a browser, where the call fails with a sentence.
 */
export function loadProtoFile(file: string | URL, options: LoadOptions = {}): LoadedFiles {
  const node = nodeModules();
  const { fs, path } = node;
  const main = fs.realpathSync(typeof file === "string" ? file : node.url.fileURLToPath(file));
  const roots = (options.roots ?? [path.dirname(main)]).map((folder) => fs.realpathSync(folder));
  const home = roots.find((folder) => isInside(path, folder, main));
  if (home === undefined) throw protoError({ file: main }, `the file is outside the roots (${roots.join(", ")})`);

  const root = new node.protobuf.Root();
  const lines = new Map<string, Place>();
  const seen = new Set<string>();
  const first = path.relative(home, main).split(path.sep).join("/");
  let packageName = "";
  const parse = (importPath: string, location: string | undefined): OpenFile => {
    seen.add(importPath);
    if (seen.size > MAX_FILES) throw protoError({ file: first }, `more than ${MAX_FILES} files are imported`);
    if (location === undefined) {
      root.addJSON(node.protobuf.common.get(importPath)?.nested ?? {});
      return { path: importPath, imports: [] };
    }
    if (fs.statSync(location).size > MAX_FILE_BYTES)
      throw protoError({ file: importPath }, `the file is larger than ${MAX_FILE_BYTES} bytes`);
    const parsed = parseSource(node.protobuf, root, importPath, fs.readFileSync(location, "utf8"));
    for (const [name, place] of parsed.places) lines.set(name, place);
    if (importPath === first) packageName = parsed.packageName;
    return { path: importPath, imports: parsed.imports };
  };

  const open: OpenFile[] = [parse(first, main)];
  for (let current = open.at(-1); current !== undefined; current = open.at(-1)) {
    const wanted = current.imports.shift();
    if (wanted === undefined) {
      open.pop();
      continue;
    }
    const place = { file: current.path, line: wanted.line };
    if (open.some((one) => one.path === wanted.path)) {
      throw protoError(
        place,
        `${wanted.path} imports itself: ${[...open.map((one) => one.path), wanted.path].join(" -> ")}`,
      );
    }
    if (seen.has(wanted.path) || OPTION_FILES.has(wanted.path)) continue;
    open.push(parse(wanted.path, locate(node, wanted.path, roots, place)));
  }
  return { root, lines, packageName, fileName: first };
}

/** The file that an import means; undefined for one of Google's own that protobufjs carries along. */
function locate(node: NodeModules, wanted: string, roots: readonly string[], place: Place): string | undefined {
  if (!/^[\w.+-]+(\/[\w.+-]+)*$/.test(wanted) || wanted.split("/").some((part) => part === ".." || part === ".")) {
    throw protoError(
      place,
      `${JSON.stringify(wanted)} cannot be imported: an import is a path below a root, with "/" between its parts`,
    );
  }
  for (const folder of roots) {
    const candidate = node.path.join(folder, wanted);
    if (!node.fs.existsSync(candidate)) continue;
    const real = node.fs.realpathSync(candidate);
    // A link inside a root may still lead out of it.
    if (!roots.some((one) => isInside(node.path, one, real)))
      throw protoError(place, `${wanted} leads outside the roots (${roots.join(", ")})`);
    return real;
  }
  if (Object.hasOwn(node.protobuf.common, wanted)) return undefined;
  throw protoError(place, `${wanted} is not found below ${roots.join(", ")}`);
}

interface ParsedSource {
  readonly places: ReadonlyMap<string, Place>;
  readonly imports: OpenFile["imports"];
  readonly packageName: string;
}

/** Parses one source into a Root. Everything that protobufjs throws comes out with file and line in front. */
function parseSource(library: typeof protobuf, root: protobuf.Root, file: string, source: string): ParsedSource {
  // Left out of protobufjs' declarations: where the parser takes the name of the file from.
  const parser = library.parse as typeof library.parse & { filename: string | null };
  try {
    const places = scanDeclarations(file, library.tokenize(source, true));
    parser.filename = file;
    const parsed = parser(source, root, { keepCase: true, alternateCommentMode: true });
    const imports = [...(parsed.imports ?? []), ...(parsed.weakImports ?? [])].map((path) => ({
      path,
      line: lineOf(source, path),
    }));
    return { places, imports, packageName: parsed.package ?? "" };
  } catch (caught) {
    if (caught instanceof Error && "reason" in caught && caught.reason === "PROTO") throw caught;
    const message = caught instanceof Error ? caught.message : String(caught);
    const [, before = message, line] = /^(.*?) \((?:.*, )?line (\d+)\)$/s.exec(message) ?? [];
    throw protoError({ file, line: line === undefined ? undefined : Number(line) }, clip(before));
  } finally {
    parser.filename = null;
  }
}

function lineOf(source: string, importPath: string): number | undefined {
  const lines = source.split("\n");
  const index = lines.findIndex((line) => line.trimStart().startsWith("import") && line.includes(importPath));
  return index < 0 ? undefined : index + 1;
}

// A hostile token can be a megabyte long.
function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function isInside(path: typeof import("node:path"), folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
}

interface NodeModules {
  readonly fs: typeof import("node:fs");
  readonly path: typeof import("node:path");
  readonly url: typeof import("node:url");
  readonly protobuf: typeof protobuf;
}

/** Node's modules and protobufjs, found at run time: a static import would break the package in a browser. */
function nodeModules(): NodeModules {
  const { process } = globalThis as { readonly process?: NodeJS.Process };
  if (process?.getBuiltinModule === undefined) {
    throw protoError(
      undefined,
      "a .proto file can be read in Node only; elsewhere pass a protobufjs Root, or generate code with rpc-proto-gen",
    );
  }
  const load: NodeJS.Process["getBuiltinModule"] = (id: string) => process.getBuiltinModule(id);
  const require = load("node:module").createRequire(import.meta.url);
  return {
    fs: load("node:fs"),
    path: load("node:path"),
    url: load("node:url"),
    protobuf: require("protobufjs") as typeof protobuf,
  };
}
