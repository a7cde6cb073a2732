import type { EnumDefinition, FieldDefinition, MessageDefinition } from "../model/definitions.ts";
import { fieldType, type NameOf, valueType } from "./field-types.ts";
import type { SourceText } from "./source-text.ts";

/** Writes an enum as a constant object and the union of its numbers. */
export function writeEnumShape(source: SourceText, definition: EnumDefinition, name: string): void {
  source.doc(definition.doc);
  source.block(
    `export const ${name} = {`,
    () => {
      for (const value of definition.values) source.doc(value.doc).line(`${value.name}: ${value.number},`);
    },
    "} as const;",
  );
  source
    .doc(definition.doc)
    .line(`export type ${name} = (typeof ${name})[keyof typeof ${name}] | pb.UnknownEnumNumber;`);
  source.line(`const ${name}$numbers: ReadonlySet<number> = new Set<number>(Object.values(${name}));`).line();
}

/** Writes the type of a message: a plain object. */
export function writeMessageShape(source: SourceText, definition: MessageDefinition, nameOf: NameOf): void {
  source.doc(definition.doc);
  if (definition.fields.length === 0) {
    source.line(`export type ${nameOf(definition.typeName)} = pb.Empty;`).line();
    return;
  }
  source
    .block(`export interface ${nameOf(definition.typeName)} {`, () => {
      const oneofs = new Set<string>();
      for (const field of definition.fields) {
        if (field.oneof === undefined) writeField(source, field, nameOf);
        else if (!oneofs.has(field.oneof)) {
          oneofs.add(field.oneof);
          writeOneof(source, definition, field.oneof, nameOf);
        }
      }
    })
    .line();
}

function writeField(source: SourceText, field: FieldDefinition, nameOf: NameOf): void {
  source
    .doc(field.doc)
    .line(`readonly ${field.name}${field.rule === "optional" ? "?" : ""}: ${fieldType(field, nameOf)};`);
}

function writeOneof(source: SourceText, definition: MessageDefinition, oneof: string, nameOf: NameOf): void {
  source.line(`readonly ${oneof}?:`);
  const members = definition.fields.filter((field) => field.oneof === oneof);
  for (const field of members)
    source.doc(field.doc).line(`  | { readonly case: "${field.name}"; readonly value: ${valueType(field, nameOf)} }`);
  source.line("  | undefined;");
}
