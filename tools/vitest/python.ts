import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const protoc = process.env["PROTOC"] ?? "protoc";

/** A Python 3 that has protobuf. Debian's packages belong to /usr/bin/python3, which need not be the first python3 on the path. */
export const python: string | undefined = ["python3", "/usr/bin/python3"].find(
  (program) => spawnSync(program, ["-c", "import google.protobuf"]).status === 0,
);

/** What has to be installed before {@link generatePython} and {@link python} are of use; undefined: nothing. */
export const missingForPython: string | undefined =
  python !== undefined && spawnSync(protoc, ["--version"]).status === 0
    ? undefined
    : "protoc or python3-protobuf is missing (Debian: apt-get install protobuf-compiler python3-protobuf)";

/** Has protoc write the Python code of these files into a new temporary folder, which is the caller's to remove. */
export function generatePython(includes: readonly string[], files: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "rpc-python-"));
  const paths = includes.map((include) => `-I${include}`);
  execFileSync(protoc, [...paths, `--python_out=${folder}`, ...files], { stdio: ["ignore", "ignore", "pipe"] });
  return folder;
}
