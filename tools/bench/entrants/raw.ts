/** Floor "raw": a framed TCP socket with one write per tick that echoes opaque bytes. Nothing is encoded or decoded. */
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { ECHO_TEXT } from "../harness/message.ts";
import { CALL_KIND, connectTcp, FramedClient, kindOf, serveFramed, writeItems } from "../floor/framed-peer.ts";

/** As many bytes as the encoded protobuf message has. */
const OPAQUE_PAYLOAD = Buffer.alloc(104, 0x61);
const OPAQUE_MESSAGE: EchoMessage = { id: 0, text: ECHO_TEXT };

export const entrant: Entrant = {
  opaque: true,
  serve: () =>
    serveFramed((writer, socket) => (callId, bytes, start, end) => {
      if (kindOf(callId) === CALL_KIND.items)
        void writeItems(socket, writer, callId, opaqueItems(bytes.readUInt32BE(start)));
      else writer.append(callId, bytes, start, end);
    }),
  connect: async (endpoint) => {
    const client = new FramedClient<EchoMessage | Buffer>(await connectTcp(endpoint), (bytes, start, end, kind) =>
      kind === CALL_KIND.blob ? bytes.subarray(start, end) : OPAQUE_MESSAGE,
    );
    return {
      echo: () => client.call(CALL_KIND.echo, OPAQUE_PAYLOAD) as Promise<EchoMessage>,
      countItems: (itemCount) => client.countItems(itemCount),
      echoBytes: (payload) => client.call(CALL_KIND.blob, payload) as Promise<Buffer>,
      close: () => client.close(),
    };
  },
};

function* opaqueItems(itemCount: number): Generator<Uint8Array> {
  for (let i = 0; i < itemCount; i++) yield OPAQUE_PAYLOAD;
}
