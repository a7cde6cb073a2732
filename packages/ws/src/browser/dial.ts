import { RpcError } from "@rpc/core";
import { cancelled } from "../close-codes.ts";
import type { Connect } from "../dial-in-turn.ts";
import { formatEndpoint } from "../endpoint.ts";
import type { DialSettings } from "../options.ts";
import { isBinary, subprotocolOf } from "../subprotocol.ts";
import { BrowserChannel } from "./channel.ts";

/** One attempt with the platform's own class. Browsers never say why a connection failed: the sentence names what it may be. */
export function browserConnect(settings: DialSettings): Connect {
  const { codec, clock } = settings;
  return (endpoint, timeoutMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(cancelled(signal));
      const remote = formatEndpoint(endpoint);
      let socket: WebSocket;
      try {
        socket = new WebSocket(remote, subprotocolOf(codec));
      } catch (thrown) {
        // A page over https may not open ws://.
        const message = `this page may not connect to ${remote}: ${RpcError.from(thrown).message}`;
        return reject(new RpcError("FAILED_PRECONDITION", message, { delivered: "no", cause: thrown }));
      }
      const settle = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: RpcError): void => {
        settle();
        socket.onopen = null;
        socket.onclose = null;
        // One that is still connecting is given up; it tells nobody.
        socket.close();
        reject(error);
      };
      const abort = (): void => fail(cancelled(signal));
      const late = (): void => fail(unavailable(`${remote} did not answer in ${Math.round(timeoutMs)} ms`));
      const timer = clock.setTimeout(late, timeoutMs);
      signal.addEventListener("abort", abort);
      socket.onclose = () =>
        fail(
          unavailable(
            `${remote} cannot be reached, or refused this page's origin or the codec ${codec.name}; the browser does not say which`,
          ),
        );
      socket.onopen = () => {
        settle();
        resolve(new BrowserChannel(socket, remote, isBinary(codec), settings));
      };
    });
}

function unavailable(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "UNAVAILABLE", delivered: "no" });
}
