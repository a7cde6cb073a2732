import type { Place } from "./definitions.ts";
import { protoError } from "./proto-error.ts";

/** The part of protobufjs' tokenizer that is used. */
export interface Tokens {
  readonly line: number;
  next(): string | null;
}

const BLOCKS = new Set(["message", "enum", "service", "oneof", "rpc"]);
/** Far beyond what people write, and what keeps the time for a file made of braces in proportion to its length. */
const MAX_SCOPES = 100;
const STATEMENT_ENDS = new Set([";", "{", "}"]);

/**
 * Where each name of one file is declared, by its full name: protobufjs does not keep lines. Also refuses what protobufjs
 * would pass over in silence: a syntax other than proto3, and names `__proto__`.
 */
export function scanDeclarations(file: string, tokens: Tokens): Map<string, Place> {
  const places = new Map<string, Place>();
  const scopes: string[] = [];
  let packageName = "";
  let pending = "";
  let block = "";
  let [previous, brackets, syntax] = [";", 0, ""];
  const declare = (name: string): void => {
    const fullName = [packageName, ...scopes, name].filter((part) => part !== "").join(".");
    if (!places.has(fullName)) places.set(fullName, { file, line: tokens.line });
  };
  for (let token = tokens.next(); token !== null; token = tokens.next()) {
    if (token === '"' || token === "'") {
      const text = tokens.next() ?? "";
      tokens.next();
      if (block === "syntax") syntax = text;
      previous = '"';
      continue;
    }
    if (token.split(".").includes("__proto__"))
      throw protoError({ file, line: tokens.line }, "__proto__ cannot be a name");
    if (token === "[") brackets++;
    else if (token === "]") brackets--;
    else if (token === "{") {
      if (scopes.length >= MAX_SCOPES)
        throw protoError({ file, line: tokens.line }, `blocks nest deeper than ${MAX_SCOPES} levels`);
      scopes.push(pending);
      pending = "";
    } else if (token === "}") scopes.pop();
    else if (token === ";") pending = "";
    else if (token === "=") {
      if (brackets === 0 && block !== "option" && block !== "syntax" && block !== "edition") declare(previous);
    } else if (BLOCKS.has(block) && previous === block) {
      declare(token);
      // A oneof is no scope: its fields belong to the message.
      pending = block === "oneof" ? "" : token;
    } else if (block === "package" && previous === "package") packageName = token;
    if (STATEMENT_ENDS.has(previous)) block = token;
    previous = token;
  }
  if (syntax !== "proto3") throw protoError({ file, line: 1 }, notProto3(syntax));
  return places;
}

function notProto3(syntax: string): string {
  const said =
    syntax === "" ? 'this file has no line `syntax = "proto3";`' : `this file says ${JSON.stringify(syntax)}`;
  return `only proto3 can be read, and ${said}`;
}
