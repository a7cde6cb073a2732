import { fieldError } from "../messages/field-error.ts";
import type { Definitions, EnumDefinition, FieldDefinition, MessageDefinition } from "../model/definitions.ts";
import { WELL_KNOWN_TYPES } from "../well-known-names.ts";
import type { ProtoEnumText, ProtoFieldText, ProtoMessageText } from "./proto-text.ts";

/** Messages of a contract that came from a `.proto`: they go into the new one with the numbers that they have. */
export class KnownMessages {
  readonly messages: Map<string, MessageDefinition> = new Map();
  readonly enums: Map<string, EnumDefinition> = new Map();
  readonly #packageName: string;

  constructor(packageName: string) {
    this.#packageName = packageName;
  }

  /** Adds a message and all that it uses. Gives its name in the file. */
  add(definitions: Definitions, typeName: string, path: string): string {
    const waiting = [typeName];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (WELL_KNOWN_TYPES.has(next) || this.messages.has(next) || this.enums.has(next)) continue;
      if (this.#packageName !== "" && !next.startsWith(`${this.#packageName}.`)) {
        throw fieldError(path, `uses the message ${next} of another package; a .proto holds one package`);
      }
      const message = definitions.messages.get(next);
      const listed = definitions.enums.get(next);
      if (message !== undefined) this.messages.set(next, message);
      else if (listed !== undefined) this.enums.set(next, listed);
      for (const field of message?.fields ?? []) if (field.kind !== "scalar") waiting.push(field.type);
    }
    return this.nameOf(typeName);
  }

  /** A name without the file's own package in front. */
  nameOf(typeName: string): string {
    return this.#packageName !== "" && typeName.startsWith(`${this.#packageName}.`)
      ? typeName.slice(this.#packageName.length + 1)
      : typeName;
  }

  messageTexts(): ProtoMessageText[] {
    return Array.from(this.messages.values(), ({ typeName, doc, fields }) => ({
      name: this.nameOf(typeName),
      doc,
      fields: fields.map((field) => this.#fieldText(field)),
      reserved: [],
    }));
  }

  enumTexts(): ProtoEnumText[] {
    return Array.from(this.enums.values(), ({ typeName, doc, values }) => ({
      name: this.nameOf(typeName),
      doc,
      values: values.map(({ name, number, doc: about }) => ({ name, number, doc: about })),
      reserved: [],
    }));
  }

  #fieldText(field: FieldDefinition): ProtoFieldText {
    const type = field.kind === "scalar" ? field.type : this.nameOf(field.type);
    return {
      type: labelled(field, type),
      name: field.protoName,
      number: field.number,
      oneof: field.oneof,
      options: field.packed === false ? "packed = false" : undefined,
      doc: field.doc,
    };
  }
}

function labelled(field: FieldDefinition, type: string): string {
  if (field.rule === "list") return `repeated ${type}`;
  if (field.rule === "map") return `map<${field.mapKey ?? "string"}, ${type}>`;
  return field.rule === "optional" && field.kind !== "message" ? `optional ${type}` : type;
}
