import type { Handler, Listener, MetricsSource } from "@rpc/core";
import { createSessionListener, jsonEnvelopeCodec, type SessionListener } from "@rpc/core/transport";
import { parseEndpoint } from "../endpoint.ts";
import { acceptWs, attachWs } from "./accept.ts";
import { DEFAULT_LISTEN_ENDPOINT, listenSettings, type WsListenerOptions } from "./options.ts";
import { capabilitiesOf } from "../options.ts";
import { nodeCrypto } from "./proofs.ts";
import type { AcceptChannel } from "./upgrades.ts";

/**
 * Serves a handler over WebSocket, on a port of its own or at one path of a server that listens already, and resolves when it listens. With
 * neither TLS nor a secret only this machine can connect, unless `allowInsecure` is set; another address is refused FAILED_PRECONDITION. An
 * address that is taken is refused ALREADY_EXISTS.
 */
export async function serveWs(handler: Handler, options: WsListenerOptions = {}): Promise<Listener & MetricsSource> {
  const { server, endpoint } = options;
  const settings = listenSettings(options);
  let sessions: SessionListener | undefined = undefined;
  const accept: AcceptChannel = (channel, codec) => {
    if (sessions === undefined) channel.destroy();
    else sessions.accept(channel, codec);
  };
  if (endpoint !== undefined && server !== undefined) parseEndpoint(endpoint, "dial");
  const acceptor =
    server === undefined
      ? await acceptWs(parseEndpoint(endpoint ?? DEFAULT_LISTEN_ENDPOINT, "listen"), settings, accept)
      : attachWs(server, options.path ?? "/", endpoint, settings, accept);
  try {
    sessions = createSessionListener({
      ...options,
      endpoint: acceptor.endpoint,
      handler,
      codec: settings.codecs[0] ?? jsonEnvelopeCodec,
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
