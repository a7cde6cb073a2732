import { type FieldDefinition, type MessageDefinition, wireTypeOf } from "../model/definitions.ts";
import { fieldType, mapKeyType, type NameOf, valueType, wellKnownCodec } from "./field-types.ts";
import type { SourceText } from "./source-text.ts";

/** Writes the function that decodes one message: locals, one switch over tags, one object at the end. */
export function writeReadFunction(source: SourceText, definition: MessageDefinition, nameOf: NameOf): void {
  const name = nameOf(definition.typeName);
  const oneofs = [...new Set(definition.fields.map((field) => field.oneof))].filter((oneof) => oneof !== undefined);
  const parameters = definition.fields.length === 0 ? "_into?" : "into?";
  source.block(
    `function read$${name}(reader: pb.ProtoReader, end: number, depth: number, ${parameters}: ${name}): ${name} {`,
    () => {
      source.line("if (depth > pb.MAX_DEPTH) throw pb.tooDeep();");
      for (const field of definition.fields) if (field.oneof === undefined) source.line(localOf(field, nameOf));
      for (const oneof of oneofs) source.line(`let $${oneof}: ${name}["${oneof}"] = into?.${oneof};`);
      source.block("while (reader.pos < end) {", () => {
        source.line("const tag = reader.tag();");
        source.block("switch (tag) {", () => {
          for (const field of definition.fields) writeCases(source, field, nameOf);
          source.block("default:", () => source.line("reader.skipType(tag & 7, tag >>> 3);"), "");
        });
      });
      source.line("if (reader.pos !== end) pb.checkEnd(reader, end);");
      const members = definition.fields.filter((field) => field.oneof === undefined).map((field) => field.name);
      source.line(`return { ${[...members, ...oneofs].map((member) => `${member}: $${member}`).join(", ")} };`);
    },
  );
  source.line();
}

function localOf(field: FieldDefinition, nameOf: NameOf): string {
  const before = `into?.${field.name}`;
  const declared = fieldType(field, nameOf);
  if (field.rule === "list") {
    const item = valueType(field, nameOf);
    return `const $${field.name} = (${before} ?? []) as ${item.startsWith("readonly ") ? `(${item})` : item}[];`;
  }
  if (field.rule === "map") {
    const value = valueType(field, nameOf);
    if (field.mapKey === "string")
      return `const $${field.name} = (${before} ?? pb.emptyRecord<${value}>()) as { [key: string]: ${value} };`;
    return `const $${field.name} = (${before} ?? new Map()) as Map<${mapKeyType(field)}, ${value}>;`;
  }
  if (field.rule === "optional") return `let $${field.name}: ${declared} = ${before};`;
  return `let $${field.name}: ${declared} = ${before} ?? ${emptyOf(field)};`;
}

function writeCases(source: SourceText, field: FieldDefinition, nameOf: NameOf): void {
  const wireType = wireTypeOf(field.kind, field.type);
  const tag = ((field.number << 3) | wireType) >>> 0;
  const variable = `$${field.name}`;
  if (field.rule === "map") {
    writeMapCase(source, field, nameOf);
  } else if (field.rule === "list") {
    source.line(`case ${tag}:`);
    source.line("  reader.countElement();");
    source.line(`  ${variable}.push(${readValue(field, nameOf, "undefined")});`);
    source.line("  break;");
    if (wireType !== 2) writePackedCase(source, field, nameOf);
  } else if (field.oneof !== undefined) {
    const before =
      field.kind === "message"
        ? `$${field.oneof}?.case === "${field.name}" ? $${field.oneof}.value : undefined`
        : "undefined";
    source.line(`case ${tag}:`);
    source.line(`  $${field.oneof} = { case: "${field.name}", value: ${readValue(field, nameOf, before)} };`);
    source.line("  break;");
  } else {
    source.line(`case ${tag}:`);
    source.line(`  ${variable} = ${readValue(field, nameOf, variable)};`);
    source.line("  break;");
  }
}

// Both forms of a list of numbers are read, whichever one the sender's definition asks for.
function writePackedCase(source: SourceText, field: FieldDefinition, nameOf: NameOf): void {
  source.line(`case ${((field.number << 3) | 2) >>> 0}: {`);
  source.line("  const stop = reader.lengthEnd();");
  source.line("  while (reader.pos < stop) {");
  source.line("    reader.countElement();");
  source.line(`    $${field.name}.push(${readValue(field, nameOf, "undefined")});`);
  source.line("  }");
  source.line("  pb.checkEnd(reader, stop);");
  source.line("  break;");
  source.line("}");
}

function writeMapCase(source: SourceText, field: FieldDefinition, nameOf: NameOf): void {
  const key = field.mapKey ?? "string";
  const value = valueType(field, nameOf);
  const entry = key === "string" ? "readRecordEntry" : "readMapEntry";
  const empty = field.kind === "message" ? `${nestedRead(field, nameOf)}(reader, reader.pos, 0)` : emptyOf(field);
  source.line(`case ${((field.number << 3) | 2) >>> 0}:`);
  source.line(`  pb.${entry}(reader, depth, {`);
  source.line(`    keyTag: ${8 | wireTypeOf("scalar", key)},`);
  source.line(`    valueTag: ${16 | wireTypeOf(field.kind, field.type)},`);
  source.line(
    `    emptyKey: ${key === "string" ? '""' : key === "bool" ? "false as boolean" : key.endsWith("64") ? "0n" : "0"},`,
  );
  source.line(`    readKey: (reader) => reader.${key}(),`);
  const parameters = field.kind === "message" ? "reader, depth, into" : "reader";
  source.line(`    readValue: (${parameters}): ${value} => ${readValue(field, nameOf, "into")},`);
  source.line(`    emptyValue: (${field.kind === "message" ? "reader" : ""}): ${value} => ${empty},`);
  source.line(`  }, $${field.name});`);
  source.line("  break;");
}

function readValue(field: FieldDefinition, nameOf: NameOf, into: string): string {
  if (field.kind === "scalar") return `reader.${field.type}()`;
  if (field.kind === "enum") return `reader.int32() as ${nameOf(field.type)}`;
  return `${nestedRead(field, nameOf)}(reader, reader.lengthEnd(), depth + 1${into === "undefined" ? "" : `, ${into}`})`;
}

function nestedRead(field: FieldDefinition, nameOf: NameOf): string {
  const codec = wellKnownCodec(field.type);
  return codec === undefined ? `read$${nameOf(field.type)}` : `${codec}.read`;
}

function emptyOf(field: FieldDefinition): string {
  if (field.type === "string") return '""';
  if (field.type === "bytes") return "new Uint8Array(0)";
  if (field.type === "bool") return "false";
  return field.kind === "scalar" && field.type.endsWith("64") ? "0n" : "0";
}
