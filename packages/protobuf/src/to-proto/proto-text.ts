import { docLines, SourceText } from "../gen/source-text.ts";

/** A message as text wants it. Names are relative to the package; `BuildOrder.Step` stands inside `BuildOrder`. */
export interface ProtoMessageText {
  readonly name: string;
  readonly doc: string | undefined;
  readonly fields: readonly ProtoFieldText[];
  readonly reserved: readonly (number | string)[];
}

export interface ProtoFieldText {
  /** With `optional`, `repeated` or `map<…>` in it. */
  readonly type: string;
  readonly name: string;
  readonly number: number;
  readonly oneof?: string | undefined;
  readonly options?: string | undefined;
  readonly doc: string | undefined;
}

export interface ProtoEnumText {
  readonly name: string;
  readonly doc: string | undefined;
  readonly values: readonly { readonly name: string; readonly number: number; readonly doc: string | undefined }[];
  readonly reserved: readonly (number | string)[];
}

export interface ProtoMethodText {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly options: readonly string[];
  readonly doc: string | undefined;
}

export interface ProtoFileText {
  readonly packageName: string;
  readonly imports: readonly string[];
  readonly service: {
    readonly name: string;
    readonly doc: string | undefined;
    readonly methods: readonly ProtoMethodText[];
  };
  readonly messages: readonly ProtoMessageText[];
  readonly enums: readonly ProtoEnumText[];
}

/** Writes a `.proto` file. The same input gives the same text. */
export function protoText(file: ProtoFileText): string {
  const source = new SourceText();
  source.line('syntax = "proto3";').line();
  if (file.packageName !== "") source.line(`package ${file.packageName};`).line();
  for (const path of [...file.imports].sort()) source.line(`import "${path}";`);
  if (file.imports.length > 0) source.line();
  writeService(source, file.service);
  const nested = (name: string): boolean => name.includes(".");
  for (const one of file.enums.filter(({ name }) => !nested(name))) writeEnum(source.line(), one);
  for (const one of file.messages.filter(({ name }) => !nested(name))) writeMessage(source.line(), one, file);
  return source.toString();
}

function writeService(source: SourceText, service: ProtoFileText["service"]): void {
  comment(source, service.doc);
  source.block(`service ${service.name} {`, () => {
    for (const method of service.methods) {
      comment(source, method.doc);
      const head = `rpc ${method.name}(${method.input}) returns (${method.output})`;
      if (method.options.length === 0) source.line(`${head};`);
      else source.block(`${head} {`, () => method.options.forEach((option) => source.line(`option ${option};`)));
    }
  });
}

function writeMessage(source: SourceText, message: ProtoMessageText, file: ProtoFileText): void {
  comment(source, message.doc);
  source.block(`message ${lastName(message.name)} {`, () => {
    writeReserved(source, message.reserved);
    for (const one of file.enums.filter(({ name }) => isInside(name, message.name))) writeEnum(source, one);
    for (const one of file.messages.filter(({ name }) => isInside(name, message.name))) writeMessage(source, one, file);
    const oneofs = new Set<string>();
    for (const field of message.fields) {
      if (field.oneof === undefined) writeField(source, field);
      else if (!oneofs.has(field.oneof)) {
        oneofs.add(field.oneof);
        source.block(`oneof ${field.oneof} {`, () => {
          for (const member of message.fields) if (member.oneof === field.oneof) writeField(source, member);
        });
      }
    }
  });
}

function writeField(source: SourceText, field: ProtoFieldText): void {
  comment(source, field.doc);
  source.line(
    `${field.type} ${field.name} = ${field.number}${field.options === undefined ? "" : ` [${field.options}]`};`,
  );
}

function writeEnum(source: SourceText, one: ProtoEnumText): void {
  comment(source, one.doc);
  source.block(`enum ${lastName(one.name)} {`, () => {
    writeReserved(source, one.reserved);
    for (const value of one.values) {
      comment(source, value.doc);
      source.line(`${value.name} = ${value.number};`);
    }
  });
}

function writeReserved(source: SourceText, reserved: readonly (number | string)[]): void {
  const numbers = reserved.filter((one) => typeof one === "number");
  const names = reserved.filter((one) => typeof one === "string");
  if (numbers.length > 0) source.line(`reserved ${numbers.join(", ")};`);
  if (names.length > 0) source.line(`reserved ${names.map((name) => `"${name}"`).join(", ")};`);
}

function comment(source: SourceText, doc: string | undefined): void {
  // Line comments have no end that a text could fake.
  for (const line of docLines(doc)) source.line(`// ${line.replaceAll("*\\/", "*/")}`.trimEnd());
}

function lastName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

function isInside(name: string, parent: string): boolean {
  return name.startsWith(`${parent}.`) && !name.slice(parent.length + 1).includes(".");
}
