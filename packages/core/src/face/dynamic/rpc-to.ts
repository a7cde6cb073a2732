import type { CallOptions } from "../../words/call-context.ts";
import type { Peer } from "../../words/peer.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { Interceptor, Transport } from "../../words/transport.ts";
import { shown } from "../../tools/bytes.ts";
import { noteCallError } from "../../tools/call-errors.ts";
import { createClient } from "../client.ts";
import { commandInput, contractOfCommand, DYNAMIC_CONTRACT } from "./command.ts";
import { type ErrorClass, errorClassesByName, errorForCaller } from "./remote-error.ts";

/**
 * Calls a command by name: arguments by position, arguments by name (they arrive as one record after the others), and options as every call
 * has them; a handler's own context is an option, too. Rejects with RemoteError for what the function threw.
 */
export type Rpc = (
  command: string,
  args?: readonly unknown[],
  kwargs?: Readonly<Record<string, unknown>>,
  options?: CallOptions,
) => Promise<unknown>;

/** The same without an answer: settles when the call was handed over, whatever becomes of it. */
export type RpcNotify = (...call: Parameters<Rpc>) => Promise<void>;

/** Somebody whose commands can be called. */
export interface DynamicPeer {
  /** It, as contracts see it. */
  readonly peer: Peer;
  readonly rpc: Rpc;
  readonly notify: RpcNotify;
  /** Ends the session with it. */
  disconnect(reason?: RpcError): void;
}

export interface RpcOptions {
  /** Errors to tell apart: what the far end throws under the name of such a class is an instance of it here. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** Wrap each call, the first one outermost; only where the target is a transport. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** The function that calls commands of a peer, or of whoever is at the other end of a transport. */
export function rpcTo(target: Peer | Transport, options: RpcOptions = {}): Rpc {
  return callerOf(target, options).rpc;
}

/** A peer whose commands can be called. */
export function dynamicPeer(peer: Peer, options: Pick<RpcOptions, "errors"> = {}): DynamicPeer {
  const { rpc, notify } = callerOf(peer, options);
  return { peer, rpc, notify, disconnect: (reason) => peer.disconnect(reason) };
}

/** Commands whose clients are kept; a program that makes up names must not grow without end. */
const MAX_CLIENTS = 1_000;

/** Calls and notifications of a target, with a client per command, made when it is first called. */
export function callerOf(
  target: Peer | Transport,
  options: RpcOptions,
): { readonly rpc: Rpc; readonly notify: RpcNotify } {
  const known = errorClassesByName(options.errors ?? []);
  const clientOf = <Kind extends "unary" | "notification">(command: string, kind: Kind) => {
    const contract = contractOfCommand(command, kind);
    if ("client" in target) return target.client(contract);
    return createClient(contract, target, { interceptors: options.interceptors ?? [] });
  };
  const callers = kept((command) => clientOf(command, "unary"));
  const notifiers = kept((command) => clientOf(command, "notification"));
  return {
    rpc: async (command, args, kwargs, callOptions) => {
      const input = commandInput(command, args, kwargs);
      try {
        return await callers(command).run(input, callOptions);
      } catch (thrown) {
        throw errorForCaller(inCommandWords(thrown, command), known);
      }
    },
    notify: async (command, args, kwargs, callOptions) =>
      notifiers(command).run(commandInput(command, args, kwargs), callOptions),
  };
}

/** The session at the far end speaks of methods and contracts, which whoever calls a command has not heard of. */
function inCommandWords(thrown: unknown, command: string): unknown {
  if (!(thrown instanceof RpcError) || thrown.code !== "UNIMPLEMENTED") return thrown;
  const { code, message, reason, delivered, details, retryable } = thrown;
  // By its name: a command may itself have called something that is not there.
  if (!message.startsWith(`${DYNAMIC_CONTRACT}.${shown(command)}: `)) return thrown;
  let words: string;
  if (reason === "METHOD_NOT_FOUND") words = `there is no command ${JSON.stringify(shown(command))} at the far end`;
  else if (reason === "CONTRACT_NOT_FOUND") words = `${JSON.stringify(shown(command))}: the far end has no commands`;
  else return thrown;
  return noteCallError(new RpcError(code, words, { reason, delivered, details, retryable, cause: thrown }));
}

function kept<Client>(make: (command: string) => Client): (command: string) => Client {
  const clients = new Map<string, Client>();
  return (command) => {
    let client = clients.get(command);
    if (client === undefined) {
      client = make(command);
      if (clients.size >= MAX_CLIENTS) clients.clear();
      clients.set(command, client);
    }
    return client;
  };
}
