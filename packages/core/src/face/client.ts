import { type Clock, systemClock } from "../words/clock.ts";
import { type ClientOf, type Contract, DESCRIPTOR } from "../words/contract.ts";
import type { ContractDescriptor } from "../words/method.ts";
import type { CallPort, Interceptor, PatternPorts, Transport } from "../words/transport.ts";
import { intercept } from "../tools/interceptors.ts";
import { checkBinding, checkTransport } from "./binding.ts";
import { type ClientBinding, kindPartsOf } from "./kind-parts.ts";

export interface ClientOptions {
  /** Wrap every call, the first one outermost; subscriptions and jobs are no calls. */
  readonly interceptors?: readonly Interceptor[];
  /** Whether inputs are validated here already, before they travel. The server validates in any case. Default: false. */
  readonly validateInput?: boolean;
  /** Where deadlines come from. Default: the transport's clock. */
  readonly clock?: Clock | undefined;
}

/**
 * The typed client of a contract. It does no I/O and holds nothing: closing the transport is all there is to close.
 * Throws FAILED_PRECONDITION when the transport lacks something that the contract needs, and when contract or transport is of another copy of
 * this package, with the sentence that says what to do.
 */
export function createClient<C extends Contract>(
  contract: C,
  transport: Transport,
  options: ClientOptions = {},
): ClientOf<C> {
  checkTransport(transport);
  checkBinding(contract[DESCRIPTOR], transport.capabilities, transport.endpoint);
  return createPortClient(contract[DESCRIPTOR], transport, { clock: transport.clock, ...options }) as ClientOf<C>;
}

/** The client over a bare port, its type still to be proved by the caller. */
export function createPortClient(
  contract: ContractDescriptor,
  port: CallPort & PatternPorts,
  options: ClientOptions = {},
): object {
  const calls = options.interceptors === undefined ? port : intercept(port, options.interceptors);
  const binding: ClientBinding = {
    calls,
    isIntercepted: calls !== port,
    patterns: port,
    clock: options.clock ?? systemClock,
    validateInput: options.validateInput ?? false,
  };
  // No prototype and no Proxy: what is not in the contract is undefined, so the client can be awaited, printed and inspected.
  const client = Object.create(null) as Record<PropertyKey, unknown>;
  Object.defineProperty(client, Symbol.toPrimitive, { value: () => `client of ${contract.name}` });
  for (const [short, method] of contract.methods) client[short] = kindPartsOf(method).client(method, binding);
  return Object.freeze(client);
}
