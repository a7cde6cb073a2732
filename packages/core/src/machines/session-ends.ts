import { RpcError, withoutTrace } from "../words/rpc-error.ts";

/** Why a session ends or loses its connection, in the words that its callers read. */
export const ends: Readonly<{
  closedHere: typeof closedHere;
  drainingHere: typeof drainingHere;
  drainingThere: typeof drainingThere;
  peerClosed: typeof peerClosed;
  peerEnded: typeof peerEnded;
  peerDown: typeof peerDown;
  takenOver: typeof takenOver;
  sessionForgotten: typeof sessionForgotten;
  notResumed: typeof notResumed;
  fruitless: typeof fruitless;
  protocolBroken: typeof protocolBroken;
  brokeProtocol: typeof brokeProtocol;
}> = {
  closedHere,
  drainingHere,
  drainingThere,
  peerClosed,
  peerEnded,
  peerDown,
  takenOver,
  sessionForgotten,
  notResumed,
  fruitless,
  protocolBroken,
  brokeProtocol,
};

function closedHere(): RpcError {
  return new RpcError("UNAVAILABLE", "the session was closed by this end", { reason: "CLOSED" });
}

function drainingHere(): RpcError {
  return new RpcError("UNAVAILABLE", "the session is draining", { reason: "DRAINING" });
}

function drainingThere(endpoint: string): RpcError {
  return new RpcError("UNAVAILABLE", `${endpoint} is draining`, { reason: "DRAINING" });
}

function peerClosed(endpoint: string): RpcError {
  return withoutTrace(() => new RpcError("UNAVAILABLE", `${endpoint} closed the connection`, { reason: "PEER_LOST" }));
}

function peerEnded(endpoint: string): RpcError {
  return withoutTrace(() => new RpcError("UNAVAILABLE", `${endpoint} has ended the session`, { reason: "PEER_LOST" }));
}

function peerDown(endpoint: string): RpcError {
  return new RpcError("UNAVAILABLE", `${endpoint} cannot be reached`, { reason: "PEER_LOST" });
}

function takenOver(): RpcError {
  return new RpcError("UNAVAILABLE", "the peer has come back over another connection", { reason: "TAKEN_OVER" });
}

function sessionForgotten(endpoint: string, refusal: string): RpcError {
  const message = `${endpoint} does not know the session any more (${refusal})`;
  return new RpcError("UNAVAILABLE", message, { reason: "SESSION_LOST", retryable: true });
}

function notResumed(endpoint: string, windowMs: number, cause: RpcError): RpcError {
  const message = `${endpoint}: the connection was lost and not resumed within ${windowMs} ms: ${cause.message}`;
  return new RpcError("UNAVAILABLE", message, { reason: "PEER_LOST", cause });
}

function fruitless(endpoint: string): RpcError {
  const message = `${endpoint}: one connection after the other was lost before anything got across; are the messages too large for partialFrameTimeoutMs on this line?`;
  return new RpcError("UNAVAILABLE", message, { reason: "PEER_LOST" });
}

function protocolBroken(message: string): RpcError {
  return new RpcError("UNAVAILABLE", `the peer broke the protocol: ${message}`, { reason: "PROTOCOL" });
}

/** The same for the log of this end. */
function brokeProtocol(endpoint: string, message: string): RpcError {
  return new RpcError("INTERNAL", `${endpoint} broke the protocol: ${message}`, { reason: "PROTOCOL" });
}
