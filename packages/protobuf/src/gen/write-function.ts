import { type FieldDefinition, isPacked, type MessageDefinition, wireTypeOf } from "../model/definitions.ts";
import { type NameOf, valueType, wellKnownCodec } from "./field-types.ts";
import type { SourceText } from "./source-text.ts";

/** How one scalar is checked and written; `v` stands for the variable. Words are the members of `pb.MUST_BE`. */
interface ScalarSnippets {
  readonly wrong: (v: string) => string;
  readonly mustBe: string;
  readonly present: (v: string) => string;
}

const notInt32 = (v: string): string => `typeof ${v} !== "number" || (${v} | 0) !== ${v}`;
const notUint32 = (v: string): string => `typeof ${v} !== "number" || ${v} >>> 0 !== ${v}`;
const notZero = (v: string): string => `${v} !== 0`;
const INT32: ScalarSnippets = { wrong: notInt32, mustBe: "int32", present: notZero };
const UINT32: ScalarSnippets = { wrong: notUint32, mustBe: "uint32", present: notZero };
const INT64: ScalarSnippets = { wrong: (v) => `!pb.isInt64(${v})`, mustBe: "int64", present: (v) => `${v} !== 0n` };
const UINT64: ScalarSnippets = { wrong: (v) => `!pb.isUint64(${v})`, mustBe: "uint64", present: (v) => `${v} !== 0n` };
// -0 travels: its bits are not those of the default.
const FLOATING: ScalarSnippets = {
  wrong: (v) => `typeof ${v} !== "number"`,
  mustBe: "number",
  present: (v) => `!Object.is(${v}, 0)`,
};

const SNIPPETS: ReadonlyMap<string, ScalarSnippets> = new Map<string, ScalarSnippets>([
  ["int32", INT32],
  ["sint32", INT32],
  ["sfixed32", INT32],
  ["uint32", UINT32],
  ["fixed32", UINT32],
  ["int64", INT64],
  ["sint64", INT64],
  ["sfixed64", INT64],
  ["uint64", UINT64],
  ["fixed64", UINT64],
  ["float", FLOATING],
  ["double", FLOATING],
  ["bool", { wrong: (v) => `typeof ${v} !== "boolean"`, mustBe: "bool", present: (v) => `${v} !== false` }],
  ["string", { wrong: (v) => `typeof ${v} !== "string"`, mustBe: "string", present: (v) => `${v} !== ""` }],
  ["bytes", { wrong: (v) => `!(${v} instanceof Uint8Array)`, mustBe: "bytes", present: (v) => `${v}.length !== 0` }],
]);

/** Writes the function that encodes one message: straight code, one block for each field. */
export function writeWriteFunction(source: SourceText, definition: MessageDefinition, nameOf: NameOf): void {
  const name = nameOf(definition.typeName);
  const oneofs = [...new Set(definition.fields.map((field) => field.oneof))].filter((oneof) => oneof !== undefined);
  for (const oneof of oneofs) {
    const cases = definition.fields.filter((field) => field.oneof === oneof).map((field) => `"${field.name}"`);
    source.line(`const ${name}$${oneof}: ReadonlySet<unknown> = new Set([${cases.join(", ")}]);`);
  }
  source.block(`function write$${name}(message: ${name}, writer: pb.ProtoWriter, depth: number): void {`, () => {
    source.line(
      'if (typeof message !== "object" || message === null || Array.isArray(message)) throw pb.wrongField("", "an object", message);',
    );
    source.line("if (depth > pb.MAX_DEPTH) throw pb.tooDeep();");
    for (const oneof of oneofs) {
      source.line(`const $${oneof} = message.${oneof};`);
      source.line(`if ($${oneof} !== undefined) pb.checkOneof($${oneof}, "${oneof}", ${name}$${oneof});`);
    }
    for (const field of definition.fields) writeField(source, field, nameOf);
  });
}

function writeField(source: SourceText, field: FieldDefinition, nameOf: NameOf): void {
  const variable = `$${field.name}`;
  if (field.oneof !== undefined) return writeOneofField(source, field, field.oneof, nameOf);
  source.line(`const ${variable} = message.${field.name};`);
  if (field.rule === "list") return writeList(source, field, variable, nameOf);
  if (field.rule === "map") return writeMap(source, field, variable, nameOf);
  if (field.kind === "message") {
    source.block(`if (${variable} !== undefined) {`, () =>
      writeNested(source, field, variable, `"${field.name}"`, nameOf),
    );
    return;
  }
  const snippets = snippetsOf(field, nameOf);
  if (field.type === "bytes" || field.rule === "optional") {
    source.block(`if (${variable} !== undefined) {`, () => {
      source.line(
        `if (${snippets.wrong(variable)}) throw pb.wrongField("${field.name}", ${snippets.mustBe}, ${variable});`,
      );
      const guard = field.rule === "optional" ? "" : `if (${snippets.present(variable)}) `;
      source.line(`${guard}writer.uint32(${tagOf(field)}).${methodOf(field)}(${variable});`);
    });
    return;
  }
  source.block(`if (${variable} !== undefined && ${snippets.present(variable)}) {`, () => {
    source.line(
      `if (${snippets.wrong(variable)}) throw pb.wrongField("${field.name}", ${snippets.mustBe}, ${variable});`,
    );
    source.line(`writer.uint32(${tagOf(field)}).${methodOf(field)}(${variable});`);
  });
}

function writeOneofField(source: SourceText, field: FieldDefinition, oneof: string, nameOf: NameOf): void {
  source.block(`if ($${oneof} !== undefined && $${oneof}.case === "${field.name}") {`, () => {
    source.line(`const value = $${oneof}.value;`);
    if (field.kind === "message") {
      source.line(`if (value === undefined) throw pb.wrongField("${oneof}.value", "an object", value);`);
      writeNested(source, field, "value", `"${oneof}.value"`, nameOf);
      return;
    }
    const snippets = snippetsOf(field, nameOf);
    source.line(`if (${snippets.wrong("value")}) throw pb.wrongField("${oneof}.value", ${snippets.mustBe}, value);`);
    source.line(`writer.uint32(${tagOf(field)}).${methodOf(field)}(value);`);
  });
}

function writeList(source: SourceText, field: FieldDefinition, variable: string, nameOf: NameOf): void {
  source.block(`if (${variable} !== undefined) {`, () => {
    source.line(`if (!Array.isArray(${variable})) throw pb.wrongField("${field.name}", "a list", ${variable});`);
    const loop = (): void => {
      source.block(`for (let index = 0; index < ${variable}.length; index++) {`, () => {
        // Array.isArray makes any[] of a readonly list; this gives the items their type back.
        source.line(`const value: ${valueType(field, nameOf)} | undefined = ${variable}[index];`);
        if (field.kind === "message") {
          source.line(
            `if (value === undefined) throw pb.wrongField(\`${field.name}[\${index}]\`, "an object", value);`,
          );
          writeNested(source, field, "value", `"${field.name}", index`, nameOf);
          return;
        }
        const snippets = snippetsOf(field, nameOf);
        // For TypeScript, which does not learn from a Set that a value is no hole in a list.
        const absent = field.kind === "enum" ? "value === undefined || " : "";
        source.line(
          `if (${absent}${snippets.wrong("value")}) throw pb.wrongField(\`${field.name}[\${index}]\`, ${snippets.mustBe}, value);`,
        );
        source.line(`writer.${isPacked(field) ? "" : `uint32(${tagOf(field)}).`}${methodOf(field)}(value);`);
      });
    };
    if (!isPacked(field)) return loop();
    source.block(`if (${variable}.length > 0) {`, () => {
      source.line(`writer.uint32(${((field.number << 3) | 2) >>> 0}).fork();`);
      loop();
      source.line("writer.ldelim();");
    });
  });
}

function writeMap(source: SourceText, field: FieldDefinition, variable: string, nameOf: NameOf): void {
  const asRecord = field.mapKey === "string";
  const key = snippetFor(field.mapKey ?? "string");
  source.block(`if (${variable} !== undefined) {`, () => {
    source.line(
      `if (!pb.isMapOrRecord(${variable}, ${asRecord})) throw pb.wrongField("${field.name}", "${asRecord ? "a plain object" : "a Map"}", ${variable});`,
    );
    source.block(`for (const [key, value] of ${asRecord ? `Object.entries(${variable})` : variable}) {`, () => {
      if (!asRecord)
        source.line(
          `if (${key.wrong("key")}) throw pb.fieldError("${field.name}", \`must have keys that are each \${${key.mustBe}}\`);`,
        );
      const label = asRecord || mapKeyIsNumber(field) ? "key" : "String(key)";
      source.line(
        `writer.uint32(${((field.number << 3) | 2) >>> 0}).fork().uint32(${8 | wireTypeOf("scalar", field.mapKey ?? "string")}).${field.mapKey ?? "string"}(key);`,
      );
      const tag = 16 | wireTypeOf(field.kind, field.type);
      if (field.kind === "message") {
        source.line(
          `if (value === undefined) throw pb.withinField(pb.wrongField("", "an object", value), "${field.name}", ${label});`,
        );
        writeNested(source, field, "value", `"${field.name}", ${label}`, nameOf, tag);
      } else {
        const snippets = snippetsOf(field, nameOf);
        source.line(
          `if (${snippets.wrong("value")}) throw pb.withinField(pb.wrongField("", ${snippets.mustBe}, value), "${field.name}", ${label});`,
        );
        source.line(`writer.uint32(${tag}).${methodOf(field)}(value);`);
      }
      source.line("writer.ldelim();");
    });
  });
}

function writeNested(
  source: SourceText,
  field: FieldDefinition,
  variable: string,
  place: string,
  nameOf: NameOf,
  tag = tagOf(field),
): void {
  const codec = wellKnownCodec(field.type);
  source.line(`writer.uint32(${tag}).fork();`);
  source.line("try {");
  source.line(
    `  ${codec === undefined ? `write$${nameOf(field.type)}` : `${codec}.write`}(${variable}, writer, depth + 1);`,
  );
  source.line("} catch (error) {");
  source.line(`  throw pb.withinField(error, ${place});`);
  source.line("}");
  source.line("writer.ldelim();");
}

function snippetsOf(field: FieldDefinition, nameOf: NameOf): ScalarSnippets {
  if (field.kind === "scalar") return snippetFor(field.type);
  return {
    wrong: (v) => `!${nameOf(field.type)}$numbers.has(${v})`,
    mustBe: `pb.memberOf("${field.type}")`,
    present: notZero,
  };
}

function snippetFor(scalar: string): ScalarSnippets {
  const snippets = SNIPPETS.get(scalar) ?? INT32;
  return { ...snippets, mustBe: `pb.MUST_BE.${snippets.mustBe}` };
}

function mapKeyIsNumber(field: FieldDefinition): boolean {
  return (field.mapKey ?? "").endsWith("32");
}

function methodOf(field: FieldDefinition): string {
  return field.kind === "enum" ? "int32" : field.type;
}

function tagOf(field: FieldDefinition): number {
  return ((field.number << 3) | wireTypeOf(field.kind, field.type)) >>> 0;
}
