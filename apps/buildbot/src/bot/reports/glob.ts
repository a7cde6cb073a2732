import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

const MOST_ENTRIES = 200_000;

/**
 * The files below a folder that fit one of the patterns, by their names from there, sorted. `*` and `?` stay within a name, `**` goes over
 * folders, `{a,b}` is either; a folder's own name means all that is in it. Links are not followed, and `.git` is not looked at.
 */
export async function filesBelow(root: string, patterns: readonly string[]): Promise<string[]> {
  const wanted = patterns
    .flatMap(alternatives)
    .map(cleaned)
    .filter((pattern) => pattern !== undefined);
  const tests = wanted.map(regexOf);
  const found = new Set<string>();
  const seen = new Set<string>();
  const walk = async (folder: string): Promise<void> => {
    if (seen.has(folder)) return;
    seen.add(folder);
    for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (name === ".git") continue;
      if (seen.size + found.size > MOST_ENTRIES) return;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile() && tests.some((test) => test.test(name))) found.add(name);
    }
  };
  // The shortest first: what is below another one has been seen then.
  for (const base of wanted.map(baseOf).toSorted((one, other) => one.length - other.length)) {
    if (await isReal(root, base)) await walk(base);
  }
  return [...found].toSorted();
}

/** Whether all the way to a folder is of folders, none of them a link. */
async function isReal(root: string, folder: string): Promise<boolean> {
  const parts = folder === "" ? [] : folder.split("/");
  if (parts[0] === ".git") return false;
  for (const at of parts.keys()) {
    const found = await lstat(join(root, ...parts.slice(0, at + 1))).catch(() => undefined);
    if (found?.isDirectory() !== true) return false;
  }
  return true;
}

/** One pattern for each choice of its braces. */
function alternatives(pattern: string): string[] {
  const [all, choices = ""] = /\{([^{}]*)\}/.exec(pattern) ?? [];
  if (all === undefined) return [pattern];
  return choices.split(",").flatMap((choice) => alternatives(pattern.replace(all, () => choice)));
}

function cleaned(pattern: string): string | undefined {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 || parts.includes("..") || pattern.startsWith("/") ? undefined : parts.join("/");
}

/** The folder that it looks in: what stands before the first star. */
function baseOf(pattern: string): string {
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?]/.test(part));
  return parts.slice(0, wild < 0 ? -1 : wild).join("/");
}

function regexOf(pattern: string): RegExp {
  const parts = pattern.split("/");
  const last = parts.at(-1) ?? "";
  const source = parts
    .map((part, at) => {
      const isLast = at === parts.length - 1;
      if (part === "**") return isLast ? ".+" : "(?:[^/]+/)*";
      const name = part
        .replaceAll(/[\\^$.+()[\]{}|]/g, "\\$&")
        .replaceAll(/\*+/g, "[^/]*")
        .replaceAll("?", "[^/]");
      return isLast ? name : `${name}/`;
    })
    .join("");
  return new RegExp(`^${source}${/[*?]/.test(last) ? "" : "(?:/.*)?"}$`, "s");
}
