import type { CallContext } from "../../words/call-context.ts";
import type { ContractDescriptor, MethodDescriptor, MethodKind } from "../../words/method.ts";
import type { Peer } from "../../words/peer.ts";
import { RpcError } from "../../words/rpc-error.ts";
import {
  type Awaitable,
  type CallPort,
  type Handler,
  type Interceptor,
  SERVING,
  type ServingHalf,
} from "../../words/transport.ts";
import { shown } from "../../tools/bytes.ts";
import { intercept } from "../../tools/interceptors.ts";
import { isPromiseLike } from "../../tools/promise-like.ts";
import { servingHalf } from "../serving.ts";
import { argumentsOf, DYNAMIC_CONTRACT } from "./command.ts";
import { type Command, CommandRegistry, type Registrable } from "./command-registry.ts";
import type { ExposeOptions } from "./expose.ts";
import { type ErrorClass, errorClassesByName, wordsForThrown } from "./remote-error.ts";
import { dynamicPeer, type DynamicPeer } from "./rpc-to.ts";

export interface DynamicRouterOptions {
  /** Errors that callers through `passPeer`'s peers tell apart; a connection takes them over. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** Wrap every call, the first one outermost. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** Functions that can be called by name, without a contract. */
export interface DynamicRouter extends Handler {
  /** Names that can be called now. */
  readonly commands: readonly string[];
  readonly errors: readonly ErrorClass[];
  /**
   * Lets peers call a function, the functions of a plain object or of a module (those whose names do not begin with `_`), or the methods of an
   * instance that are marked by `expose`. Peers that are connected can call them at once. `options` are for a function. Throws
   * INVALID_ARGUMENT, and changes nothing, for a name that is taken or cannot be one.
   */
  register<Thing extends Registrable>(thing: Thing & ThisType<Thing>, options?: ExposeOptions): void;
  /** Takes it away again; calls that run end as they would have. Whether it was registered. */
  unregister(thing: Registrable): boolean;
}

/** A handler whose commands come and go. Calls arrive as `dynamic.<command>`, so that each can be allowed and counted by its name. */
export function dynamicRouter(options: DynamicRouterOptions = {}): DynamicRouter {
  return new CommandRouter(options);
}

class CommandRouter implements DynamicRouter {
  readonly contracts: readonly ContractDescriptor[];
  readonly errors: readonly ErrorClass[];
  readonly call: CallPort["call"];
  readonly stream: CallPort["stream"];
  // Set in the constructor: bundlers keep a class with a computed member in every page.
  declare readonly [SERVING]: ServingHalf;
  readonly #registry = new CommandRegistry();
  /** One for each peer, so that a function may keep it and know it again. */
  readonly #peers = new WeakMap<Peer, DynamicPeer>();

  constructor({ errors = [], interceptors = [] }: DynamicRouterOptions) {
    errorClassesByName(errors);
    this[SERVING] = servingHalf;
    this.errors = errors;
    const doc = "functions that are called by name";
    this.contracts = [{ name: DYNAMIC_CONTRACT, doc, methods: this.#registry.methods }];
    const port: CallPort = {
      call: (input, context) => this.#run(input, context),
      stream: (_input, context) => {
        throw notServed(context.method.name);
      },
    };
    ({ call: this.call, stream: this.stream } = intercept(port, interceptors));
  }

  get commands(): readonly string[] {
    return this.#registry.names();
  }

  register(thing: Registrable, options?: ExposeOptions): void {
    this.#registry.add(thing, options);
  }

  unregister(thing: Registrable): boolean {
    return this.#registry.remove(thing);
  }

  method(name: string, kind: MethodKind): MethodDescriptor | undefined {
    const command = this.#find(name);
    if (kind === "unary") return command?.unary;
    return kind === "notification" ? command?.notification : undefined;
  }

  #find(name: string): Command | undefined {
    const prefix = `${DYNAMIC_CONTRACT}.`;
    return name.startsWith(prefix) ? this.#registry.find(name.slice(prefix.length)) : undefined;
  }

  #run(input: unknown, context: CallContext): Awaitable<unknown> {
    const command = this.#find(context.method.name);
    // Taken away since the call was taken up.
    if (command === undefined) throw notServed(context.method.name);
    const args = argumentsOf(input, command.name);
    if (command.passContext) args.unshift(context);
    if (command.passPeer) args.unshift(this.#peerOf(context));
    let output: unknown;
    try {
      output = command.run(...args);
    } catch (thrown) {
      throw wordsForThrown(thrown);
    }
    if (!isPromiseLike(output)) return output;
    return Promise.resolve(output).catch((thrown: unknown) => {
      throw wordsForThrown(thrown);
    });
  }

  #peerOf({ peer, method }: CallContext): DynamicPeer {
    if (peer === undefined)
      throw new RpcError("FAILED_PRECONDITION", `${method.name}: nobody has called who could be passed on`, {
        reason: "NO_PEER",
      });
    let known = this.#peers.get(peer);
    if (known === undefined) this.#peers.set(peer, (known = dynamicPeer(peer, { errors: this.errors })));
    return known;
  }
}

function notServed(name: string): RpcError {
  return new RpcError("UNIMPLEMENTED", `${shown(name)}: there is no such command`, { reason: "METHOD_NOT_FOUND" });
}
