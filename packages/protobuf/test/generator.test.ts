import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { contractFromProto, typescriptFromProto } from "../src/index.ts";
import { OPTIONS_PROTO_NUMBERS } from "./options-numbers.ts";
import { BOT_PROTO, library } from "./protobufjs-values.ts";

const folder = mkdtempSync(join(tmpdir(), "rpc-proto-gen-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const GOLDEN = fileURLToPath(new URL("generated/bot.rpc.ts", import.meta.url));
const BIN = fileURLToPath(new URL("../src/bin.ts", import.meta.url));

let count = 0;
/** Writes files into a folder of their own and gives the path of the first. */
function files(contents: Readonly<Record<string, string>>): string {
  const home = join(folder, String(count++));
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), text);
  }
  return join(home, Object.keys(contents)[0] ?? "");
}
const proto = (body: string): string => files({ "a.proto": `syntax = "proto3";\npackage a;\n${body}` });
const problemOf = (file: string): string => {
  try {
    typescriptFromProto(file);
  } catch (caught) {
    return (caught as Error).message;
  }
  return "nothing was thrown";
};

describe("the generator", () => {
  it("writes what stands in test/generated, which the type check compiles", () => {
    expect(typescriptFromProto(BOT_PROTO)).toBe(readFileSync(GOLDEN, "utf8"));
  });

  it("gives names of another package their package where they clash, and escapes names that TypeScript needs", () => {
    const file = files({
      "a.proto":
        'syntax = "proto3"; package a; import "b.proto"; message Item { b.Item other = 1; Date date = 2; } message Date { int32 delete = 1; } message pb {}',
      "b.proto": 'syntax = "proto3"; package b; message Item { string text = 1; }',
    });
    const text = typescriptFromProto(file);
    expect(text).toContain("readonly other?: b_Item | undefined;");
    expect(text).toContain("export interface Date_ {\n  readonly delete: number;");
    expect(text).toContain("export type pb_ = pb.Empty;");
  });

  it.for([
    ['syntax = "proto2"; message A {}', /a\.proto:1: only proto3 can be read, and this file says "proto2"/],
    ["message A {}", /a\.proto:1: only proto3 can be read, and this file has no line/],
    ['edition = "2023"; message A {}', /a\.proto:1: only proto3 can be read/],
    ['syntax = "proto3";\nmessage A {\n  Nothing a = 1;\n}', /a\.proto:3: A\.a: there is no message or enum "Nothing"/],
    ['syntax = "proto3";\nmessage A {\n  int32 a = 0;\n}', /a\.proto:3: A\.a: a field's number must be from 1/],
    [
      'syntax = "proto3";\nmessage A {\n  int32 a = 19000;\n}',
      /a\.proto:3: A\.a: numbers 19000 to 19999 belong to protobuf/,
    ],
    [
      'syntax = "proto3";\nmessage A {\n  int32 a_b = 1;\n  int32 aB = 2;\n}',
      /a\.proto:4: A: two fields are aB in TypeScript/,
    ],
    ['syntax = "proto3";\nmessage A {\n  int32 = 1;\n}', /a\.proto:3: /],
    ['syntax = "proto3";\nenum E {\n  X = 1;\n}', /a\.proto:2: the first value of enum E must have number 0/],
    [
      'syntax = "proto3";\nmessage M {}\nservice S {\n  rpc Then(M) returns (M);\n}',
      /a\.proto:4: S\.Then: a contract cannot have a method called then/,
    ],
    [
      'syntax = "proto3";\nmessage M {}\nservice S {\n  rpc A(M) returns (M) {\n    option (rpc.v1.nope) = 1; }\n}',
      /a\.proto:4: A: rpc\/v1\/options\.proto has no method option/,
    ],
    [
      'syntax = "proto3";\nmessage M {}\nservice S {\n  rpc A(M) returns (M) { option (rpc.v1.method) = { kind: EVENT }; }\n}',
      /a\.proto:4: S\.A: nothing comes back from an event/,
    ],
    [
      'syntax = "proto3";\nmessage M {}\nservice S {\n  rpc A(M) returns (M) { option (rpc.v1.method_id) = 1; }\n  rpc B(M) returns (M) { option (rpc.v1.method_id) = 1; }\n}',
      /a\.proto:5: S: A and B have the same method_id 1/,
    ],
  ] as const)("refuses with file and line: %s", ([text, problem]) => {
    expect(problemOf(files({ "a.proto": text }))).toMatch(problem);
  });
});

describe("H106 a hostile .proto", () => {
  it.for([
    "message __proto__ {}",
    "message A { int32 __proto__ = 1; }",
    "enum E { __proto__ = 0; }",
    "service __proto__ {}",
  ])("is refused with file and line for the name __proto__: %s", (body) => {
    expect(problemOf(proto(body))).toMatch(/a\.proto:3: __proto__ cannot be a name/);
  });

  it("can use the names of Object.prototype for messages and fields", () => {
    const text = typescriptFromProto(
      proto(
        "message constructor { int32 constructor = 1; string to_string = 2; int32 hasOwnProperty = 3; } message toString {}",
      ),
    );
    expect(text).toContain("export interface constructor_ {");
    expect(text).toContain(
      "  readonly constructor_: number;\n  readonly toString_: string;\n  readonly hasOwnProperty_: number;",
    );
  });

  it("cannot end a comment, nor hide text in one", () => {
    const text = typescriptFromProto(
      proto("// x */ process.exit(1) /*\n// \u202e hidden \u2028 x\nmessage A {\n  // */\n  int32 a = 1;\n}"),
    );
    expect(text).toContain("*\\/ process.exit(1) /*");
    expect(text).not.toMatch(/[\u202e\u2028]/);
    const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
    expect(code).not.toContain("process");
  });

  it("cannot bring quotes or newlines in through a Root that was made by hand", () => {
    for (const name of ['a"; evil(); "', "a\nb", "*/", "", "a-b", "a.b", "1a"]) {
      const root = library.Root.fromJSON({
        nested: { A: { fields: { [name]: { type: "int32", id: 1 } } }, S: { methods: {} } },
      });
      expect(() => contractFromProto(root, "S")).toThrow(/cannot be the name of a field/);
    }
    const named = library.Root.fromJSON({ nested: { A: { fields: {} }, S: { methods: {} } } });
    named.lookupType("A").name = 'x"y';
    expect(() => contractFromProto(named, "S")).toThrow(/cannot be a name/);
  });

  it("cannot reach a prototype through its option paths or defaults", () => {
    typescriptFromProto(proto("message A { int32 a = 1 [(x.__proto_.y) = 2, (constructor.prototype.z) = 3]; }"));
    expect(problemOf(proto('option (a.__proto__.b) = "x"; message A {}'))).toMatch(/__proto__ cannot be a name/);
    expect(({} as Record<string, unknown>)["z"]).toBeUndefined();
  });
});

describe("H107 a .proto that wants more than its own folder", () => {
  it.for(["../secret.proto", "/etc/passwd", "x/../../secret.proto", "./a.proto", "c:\\\\x.proto", "a//b.proto"])(
    "is refused for importing %s",
    (path) => {
      expect(problemOf(proto(`import "${path}";`))).toMatch(/a\.proto(:3)?: .* cannot be imported/);
    },
  );

  it("is refused for an import that a link leads out of the roots", () => {
    const file = proto('import "link.proto";');
    writeFileSync(join(folder, "outside.proto"), 'syntax = "proto3";');
    symlinkSync(join(folder, "outside.proto"), join(dirname(file), "link.proto"));
    expect(problemOf(file)).toMatch(/a\.proto:3: link\.proto leads outside the roots/);
  });

  it("is refused for imports in a circle", () => {
    const text = (next: string): string => `syntax = "proto3";\nimport "${next}";`;
    expect(problemOf(files({ "a.proto": text("b.proto"), "b.proto": text("a.proto") }))).toMatch(
      /b\.proto:2: a\.proto imports itself: a\.proto -> b\.proto -> a\.proto/,
    );
  });

  it("is refused, or read, within seconds when it is made to explode", () => {
    const start = performance.now();
    for (const body of [
      "message A {".repeat(50_000),
      `message A { int32 a = 1 [(x) = ${"{a:".repeat(50_000)}`,
      "/*".repeat(100_000),
      `option x = "${"\\\\".repeat(100_000)}`,
      `package b${".b".repeat(100_000)};`,
      `message A { ${"oneof x {".repeat(10_000)}`,
    ]) {
      expect(problemOf(proto(body))).toMatch(/a\.proto/);
    }
    expect(problemOf(proto("//".padEnd(1 << 20)))).toMatch(/larger than/);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

describe("rpc-proto-gen", () => {
  const run = (...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8" });

  it("writes one file beside the .proto, finds nothing to do with --check, and tells when it is out of date", () => {
    const file = proto("message A { int32 a = 1; }");
    expect(run(file).status).toBe(0);
    expect(readdirSync(dirname(file)).sort()).toEqual(["a.proto", "a.rpc.ts"]);
    expect(run(file, "--check").status).toBe(0);
    writeFileSync(file, 'syntax = "proto3"; package a; message B {}');
    const late = run(file, "--check");
    expect([late.status, late.stderr]).toEqual([1, expect.stringContaining("generate it again")]);
  });

  it("H107 does not follow a link out of the output folder, and writes nothing when it fails", () => {
    const file = proto("message A {}");
    const target = join(folder, "precious.ts");
    writeFileSync(target, "precious");
    symlinkSync(target, join(dirname(file), "a.rpc.ts"));
    expect(run(file).status).toBe(1);
    expect(readFileSync(target, "utf8")).toBe("precious");
    const broken = proto("message A {");
    expect(run(broken).status).toBe(1);
    expect(existsSync(join(dirname(broken), "a.rpc.ts"))).toBe(false);
  });

  it("says how it is used", () => {
    expect(run().status).toBe(2);
    expect(run("--help").stdout).toContain("rpc-proto-gen [--root folder]");
  });
});

describe("rpc/v1/options.proto", () => {
  it("keeps its numbers", () => {
    const text = readFileSync(fileURLToPath(new URL("../proto/rpc/v1/options.proto", import.meta.url)), "utf8");
    for (const [name, number] of OPTIONS_PROTO_NUMBERS) expect(text).toMatch(new RegExp(`\\b${name} = ${number};`));
  });
});
