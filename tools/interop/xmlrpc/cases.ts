/** One thing that is tried with every program. */
export interface Case {
  readonly id: string;
  /** For the table. */
  readonly title: string;
}

const named = (rows: readonly (readonly [id: string, title: string])[]): readonly Case[] =>
  rows.map(([id, title]) => ({ id, title }));

/** Each is sent and received. The values themselves stand in `values.ts`, and in each program in its own language. */
export const valueCases: readonly Case[] = named([
  ["int", "int: −2³¹"],
  ["i8", "i8: 2⁵³ + 1"],
  ["boolean", "boolean"],
  ["string", "string with `< & > ]]>` and quotes"],
  ["unicode", "string beyond ASCII"],
  ["astral", "string beyond 16 bit"],
  ["lines", "string with CR, LF, tab, blanks at its ends"],
  ["double", "double: −1.5e-7"],
  ["date", "dateTime.iso8601"],
  ["base64", "base64: all 256 bytes"],
  ["struct", "struct in a struct"],
  ["names", "member names: empty, beyond ASCII, with `< & >`"],
  ["array", "array, mixed and nested"],
  ["empty", "empty string, array and struct"],
  ["nil", "nil"],
  ["large", "string of 10 MiB"],
]);

/** What a client does beside values. */
export const callCases: readonly Case[] = named([
  ["integral", "double 3.0 stays a double"],
  ["positional", "parameters by position"],
  ["named", "parameters as one struct"],
  ["fault", "fault with its code and text"],
  ["unknown-method", "unknown method: -32601"],
  ["wrong-arguments", "wrong arguments: -32602"],
  ["multicall", "`system.multicall` with a fault in it"],
  ["introspection", "`system.listMethods`, `methodHelp`, `methodSignature`"],
  ["keep-alive", "two calls over one connection"],
  ["gzip", "compressed bodies"],
  ["no-credentials", "401 without credentials"],
  ["wrong-password", "403 with wrong ones"],
  ["subject-form", "`/RPC2/<db>`, subject form"],
  ["struct-form", "`/RPC2/<db>`, single struct"],
]);

/** What only a program can say that writes its own documents and headers. */
export const httpCases: readonly Case[] = named([
  ["http-get", "GET: 405 with `Allow`"],
  ["text-plain", "`text/plain`: 415"],
  ["chunked", "a chunked body"],
  ["iso-8859-1", "charset of the header"],
  ["doctype", "DOCTYPE: -32700"],
  ["not-well-formed", "half a document: -32700"],
  ["json-rpc", "JSON-RPC 2.0 at the same URL"],
]);

/** What our client does with a foreign server, beside values. */
export const serverCases: readonly Case[] = named([
  ["integral", "double 3.0"],
  ["positional", "parameters by position"],
  ["fault", "fault with its code and text"],
  ["unknown-method", "unknown method: a fault of its own code"],
  ["multicall", "calls of one batch"],
  ["multicall-fault", "a fault in a batch"],
  ["introspection", "`system.listMethods`, `methodHelp`"],
  ["keep-alive", "two calls over one connection"],
]);
