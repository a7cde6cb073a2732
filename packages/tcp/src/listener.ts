import type { Handler, Listener, MetricsSource } from "@rpc/core";
import { createSessionListener, type SessionListener } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { acceptTcp } from "./accept.ts";
import { capabilitiesOf, compressionsOf } from "./compression.ts";
import { nodeCrypto } from "./proofs.ts";
import { parseEndpoint } from "./endpoint.ts";
import { DEFAULT_LISTEN_ENDPOINT, listenSettings, type TcpListenerOptions } from "./options.ts";

/**
 * Serves a handler over TCP, TLS or a Unix socket and resolves when it listens. With neither TLS nor a secret only this machine can
 * connect, unless `allowInsecure` is set; another address is refused FAILED_PRECONDITION. An address that is taken is refused ALREADY_EXISTS.
 */
export async function serveTcp(handler: Handler, options: TcpListenerOptions = {}): Promise<Listener & MetricsSource> {
  const endpoint = parseEndpoint(options.endpoint ?? DEFAULT_LISTEN_ENDPOINT, "listen");
  const settings = listenSettings(options);
  let sessions: SessionListener | undefined = undefined;
  const acceptor = await acceptTcp(endpoint, settings, (channel) => {
    if (sessions === undefined) channel.destroy();
    else sessions.accept(channel);
  });
  try {
    sessions = createSessionListener({
      ...options,
      endpoint: acceptor.endpoint,
      handler,
      codec: protobufEnvelopeCodec,
      compressions: compressionsOf(options.compression),
      capabilities: capabilitiesOf(options.compression),
      crypto: nodeCrypto,
      stopAccepting: () => acceptor.stop(),
    });
    return sessions;
  } catch (thrown) {
    // A contract that this transport cannot carry: the port must not stay taken.
    await acceptor.stop();
    throw thrown;
  }
}
