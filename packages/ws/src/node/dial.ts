import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { RpcError, type StatusCode } from "@rpc/core";
import { WebSocket } from "ws";
import { cancelled } from "../close-codes.ts";
import type { Connect } from "../dial-in-turn.ts";
import { formatEndpoint } from "../endpoint.ts";
import { isBinary, subprotocolOf } from "../subprotocol.ts";
import { WsChannel } from "./channel.ts";
import type { NodeDialSettings } from "./options.ts";
import { errorFromNode } from "./status.ts";
import { wsLimits } from "./ws-options.ts";

/** One attempt with `ws`. */
export function nodeConnect(settings: NodeDialSettings): Connect {
  const { clock, codec, tls, headers, deflateFromBytes } = settings;
  // The types of `ws` have their own idea of what `checkServerIdentity` returns; it goes to Node as it is.
  const options: object = { ...tls, ...wsLimits(settings), headers, followRedirects: false };
  return (endpoint, timeoutMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(cancelled(signal));
      const remote = formatEndpoint(endpoint);
      let ws: WebSocket;
      try {
        ws = new WebSocket(remote, subprotocolOf(codec), options);
      } catch (thrown) {
        const message = `the options for ${remote} are not usable: ${RpcError.from(thrown).message}`;
        return reject(new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", cause: thrown }));
      }
      let socket: Socket | undefined = undefined;
      const settle = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: RpcError): void => {
        settle();
        ws.terminate();
        reject(error);
      };
      const abort = (): void => fail(cancelled(signal));
      const late = (): void => fail(unavailable(`${remote} did not answer in ${Math.round(timeoutMs)} ms`));
      const timer = clock.setTimeout(late, timeoutMs);
      signal.addEventListener("abort", abort);
      // Stays a listener: an attempt that was given up still has an error to tell.
      ws.on("error", (error) => fail(errorFromNode(error, "dial", remote)));
      ws.once("upgrade", (response) => ({ socket } = response));
      ws.once("unexpected-response", (_request, response) => {
        void refusal(response, remote).then(fail);
      });
      ws.once("open", () => {
        settle();
        if (socket === undefined) return fail(unavailable(`${remote} gave no connection`));
        const deflates = ws.extensions.includes("permessage-deflate");
        const link = { ws, socket, remote, binary: isBinary(codec), masks: true };
        resolve(new WsChannel({ ...link, deflateFromBytes: deflates ? deflateFromBytes : undefined }, settings));
      });
    });
}

/** Somebody on the way, or the server, has answered with something else than an upgrade. */
async function refusal(response: IncomingMessage, remote: string): Promise<RpcError> {
  const { statusCode = 0 } = response;
  const said = await firstWords(response);
  const code = CODES[statusCode] ?? (statusCode >= 500 ? "UNAVAILABLE" : "FAILED_PRECONDITION");
  const message = `${remote} refused the connection: ${statusCode}${said === "" ? "" : ` ${said}`}`;
  return new RpcError(code, message, { reason: code, delivered: "no" });
}

const CODES: Readonly<Record<number, StatusCode>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  408: "UNAVAILABLE",
  429: "UNAVAILABLE",
};

/** The beginning of a refusal, in one line. Servers of this package say what is wrong; a proxy may send a page. */
function firstWords(response: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const done = (): void =>
      resolve(response.headers["content-type"]?.startsWith("text/plain") === true ? inOneLine(text) : "");
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > MOST_WORDS) done();
    });
    response.once("end", done).once("error", done).once("close", done);
  });
}

const MOST_WORDS = 300;

function inOneLine(text: string): string {
  return text.slice(0, MOST_WORDS).replaceAll(/\s+/g, " ").trim();
}

function unavailable(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "UNAVAILABLE", delivered: "no" });
}
