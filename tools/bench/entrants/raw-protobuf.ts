/** Floor "raw+pb": the bare framed socket, with protobufjs encoding and decoding every message on both ends. */
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";
import { CALL_KIND, connectTcp, FramedClient, kindOf, serveFramed, writeItems } from "../floor/framed-peer.ts";

const root = protobuf.loadSync(fileURLToPath(new URL("../echo.proto", import.meta.url)));
const EchoType = root.lookupType("bench.EchoMessage");
const BlobType = root.lookupType("bench.Blob");

/** The types are known from echo.proto, protobufjs reflection cannot say them. */
type Decoded = EchoMessage & { readonly data: Uint8Array };

export const entrant: Entrant = {
  serve: () =>
    serveFramed((writer, socket) => (callId, bytes, start, end) => {
      const kind = kindOf(callId);
      if (kind === CALL_KIND.items) {
        void writeItems(socket, writer, callId, encodedItems(bytes.readUInt32BE(start)));
        return;
      }
      const { id, text, data } = decode(bytes, start, end, kind);
      writer.append(callId, kind === CALL_KIND.echo ? encodeEcho({ id, text }) : encodeBlob(data));
    }),
  connect: async (endpoint) => {
    const client = new FramedClient<Decoded>(await connectTcp(endpoint), decode);
    return {
      echo: (message) => client.call(CALL_KIND.echo, encodeEcho(message)),
      countItems: (itemCount) => client.countItems(itemCount),
      echoBytes: (payload) => client.call(CALL_KIND.blob, encodeBlob(payload)).then((blob) => blob.data),
      close: () => client.close(),
    };
  },
};

function encodeEcho(message: EchoMessage): Uint8Array {
  return EchoType.encode(message).finish();
}

function encodeBlob(data: Uint8Array): Uint8Array {
  return BlobType.encode({ data }).finish();
}

function decode(bytes: Buffer, start: number, end: number, kind: number): Decoded {
  const reader = protobuf.Reader.create(bytes);
  reader.pos = start;
  const type = kind === CALL_KIND.blob ? BlobType : EchoType;
  return type.decode(reader, end - start) as unknown as Decoded;
}

function* encodedItems(itemCount: number): Generator<Uint8Array> {
  for (const item of itemsFor(itemCount)) yield encodeEcho(item);
}
