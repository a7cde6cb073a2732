/** The halves of npm's `xmlrpc` that its own types leave out. */
declare module "xmlrpc/lib/deserializer.js" {
  import type { Readable } from "node:stream";

  export default class Deserializer {
    deserializeMethodResponse(
      stream: Readable,
      callback: (error: Error | null | undefined, value?: unknown) => void,
    ): void;
  }
}

declare module "xmlrpc/lib/serializer.js" {
  const serializer: { serializeMethodResponse(value: unknown): string };
  export default serializer;
}
