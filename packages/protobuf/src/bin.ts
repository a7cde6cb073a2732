import { parseArgs } from "node:util";
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { typescriptFromProto } from "./gen/typescript.ts";

const USAGE = `rpc-proto-gen [--root folder]... file.proto [-o file.ts] [--check]

Writes the TypeScript of a .proto file: types, codecs and a contract for each service.
  --root   folder in which imports are looked up; may be repeated (default: the file's own folder)
  -o       where to write (default: file.rpc.ts beside the .proto)
  --check  writes nothing; fails when the written file is not what would be written now`;

process.exitCode = run(process.argv.slice(2));

function run(args: readonly string[]): number {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        root: { type: "string", multiple: true },
        output: { type: "string", short: "o" },
        check: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const [file, ...more] = positionals;
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (file === undefined || more.length > 0) {
      console.error(USAGE);
      return 2;
    }
    return generate(
      file,
      values.root,
      resolve(values.output ?? join(dirname(file), `${basename(file, ".proto")}.rpc.ts`)),
      values.check,
    );
  } catch (caught) {
    console.error(`rpc-proto-gen: ${caught instanceof Error ? caught.message : String(caught)}`);
    return 1;
  }
}

function generate(file: string, roots: readonly string[] | undefined, output: string, check: boolean): number {
  const text = typescriptFromProto(file, { roots });
  if (check) {
    if (existsSync(output) && readFileSync(output, "utf8") === text) return 0;
    console.error(`rpc-proto-gen: ${output} is not what ${file} says now; generate it again`);
    return 1;
  }
  if (!output.endsWith(".ts")) throw new Error(`${output} must end with .ts`);
  // A link would lead the write out of the output folder.
  if (existsSync(output) && !lstatSync(output).isFile()) throw new Error(`${output} is no plain file`);
  mkdirSync(dirname(output), { recursive: true });
  // In one step, so that nobody compiles half a file.
  const draft = `${output}.${process.pid}.tmp`;
  writeFileSync(draft, text, { flag: "wx" });
  renameSync(draft, output);
  return 0;
}
