import { type Clock, failover, RpcError, type SessionTransport, type Transport } from "@rpc/core";
import { createTcpTransport } from "@rpc/tcp";
import { createWsTransport } from "@rpc/ws";
import { createXmlRpcTransport } from "@rpc/xmlrpc";
import { sayingAllTexts } from "../contracts/xml-text.ts";

/** The way to the server: sessions, plain calls, or one and when it is not there the other. */
export interface Line {
  readonly transport: Transport;
  /** Its parts that know whether the server is there. */
  readonly sessions: readonly SessionTransport[];
  /** Whether one of its parts is calls alone. */
  readonly hasPlainCalls: boolean;
}

export interface LineOptions {
  readonly identity: string;
  readonly secret: string;
  /** PEM of who has signed the server's certificate, when no public authority has. */
  readonly ca?: Buffer | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

const CALLS_PATH = "/rpc/bots";
const SOCKET_PATH = "/ws/bots";
/** Where there is another way, nobody waits long for one that is shut, or at whose end somebody else is silent. */
const CONNECT_MS = 5_000;
/** Calls under way over a connection that is lost go elsewhere after that. */
const RESUME_MS = 2_000;
const HURRIED = {
  whenDown: "fail",
  connectTimeoutMs: CONNECT_MS,
  unauthenticatedTimeoutMs: CONNECT_MS,
  resumeWindowMs: RESUME_MS,
} as const;
/** How often one that is shut is tried again. */
const RETURN_MS = 30_000;

/**
 * `tcp(s)://` and `ws(s)://`: a session. `http(s)://`: calls, one request each. Of several the first one that is there. Throws INVALID_ARGUMENT for
 * what is no address, and for plain HTTP and WebSockets to another machine: calls would show the secret to all on the way.
 */
export function lineTo(servers: readonly string[], options: LineOptions): Line {
  const isOnly = servers.length === 1;
  const parts = servers.map((server) => partTo(server, options, isOnly));
  const sessions = parts.map(({ session }) => session).filter((session) => session !== undefined);
  const [last, ...before] = parts.map(({ transport }) => transport).toReversed();
  if (last === undefined) throw badServer("nothing");
  const { clock, random } = options;
  const transport = before.reduce<Transport>(
    (second, first) => failover(first, second, { clock, random, maxMs: RETURN_MS }),
    last,
  );
  return { transport, sessions, hasPlainCalls: sessions.length < parts.length };
}

interface Part {
  readonly transport: Transport;
  readonly session?: SessionTransport;
}

function partTo(server: string, { identity, secret, ca, clock }: LineOptions, isOnly: boolean): Part {
  const tls = ca === undefined ? {} : { tls: { ca } };
  // Nobody waits for a connection that is lost where there is another way.
  const elsewhere = isOnly ? {} : HURRIED;
  const options = { identity, secret, clock, ...tls, ...elsewhere };
  const partOf = (session: SessionTransport): Part => ({
    session,
    transport: isOnly ? session : takingRefusalsForAbsence(session),
  });
  const { protocol, host, hostname } = URL.canParse(server)
    ? new URL(server)
    : { protocol: "", host: "", hostname: "" };
  if ((protocol === "ws:" || protocol === "http:") && !isLoopback(hostname)) {
    const message = `what a bot says to ${server} could be read and changed on the way: to another machine only over https:// or wss://, or by tcp:// where nobody on the way is an enemy`;
    throw new RpcError("INVALID_ARGUMENT", message);
  }
  switch (protocol) {
    case "tcp:":
    case "tcps:":
      return partOf(createTcpTransport(server, options));
    case "ws:":
    case "wss:":
      return partOf(createWsTransport(`${protocol}//${host}${SOCKET_PATH}`, options));
    case "http:":
    case "https:":
      return {
        transport: refusingStrangers(
          sayingAllTexts(
            createXmlRpcTransport(`${protocol}//${host}${CALLS_PATH}`, {
              auth: { user: identity, password: secret },
              document: { readBigInts: "prefer-number" },
              clock,
              ...tls,
            }),
          ),
        ),
      };
    default:
      throw badServer(server);
  }
}

/** A proxy that passes no WebSockets on says so in many ways (400, 403, 426, a page to log in): to a bot that has another way all mean that none is here. */
function takingRefusalsForAbsence(session: SessionTransport): Transport {
  const { endpoint, capabilities } = session;
  return {
    endpoint,
    capabilities,
    clock: session.clock,
    get isDown() {
      return session.isDown;
    },
    call: async (input, context) => {
      try {
        return await session.call(input, context);
      } catch (thrown) {
        const error = RpcError.from(thrown);
        const isRefusal = error.code === "FAILED_PRECONDITION" || error.code === "PERMISSION_DENIED";
        if (session.connected || error.delivered !== "no" || !isRefusal) throw error;
        throw new RpcError("UNAVAILABLE", error.message, { delivered: "no", cause: error });
      }
    },
    stream: (input, context) => session.stream(input, context),
    ready: () => session.ready(),
    close: (closing) => session.close(closing),
    [Symbol.asyncDispose]: () => session.close(),
  };
}

/** As sessions have it: a certificate that is not accepted says who is not the server, and not that it is away. */
function refusingStrangers(transport: Transport): Transport {
  return {
    ...transport,
    call: async (input, context) => {
      try {
        return await transport.call(input, context);
      } catch (thrown) {
        const error = RpcError.from(thrown);
        if (error.reason !== "PEER_LOST" || error.retryable) throw error;
        throw new RpcError("UNAUTHENTICATED", error.message, { delivered: "no", cause: error });
      }
    },
  };
}

function badServer(server: string): RpcError {
  return new RpcError(
    "INVALID_ARGUMENT",
    `${server} is no address of a server: tcp://host:port, tcps://host:port, or that of the page by wss:// or https://`,
  );
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
