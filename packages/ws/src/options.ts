import { type CallerSessionOptions, type Clock, RpcError, systemClock } from "@rpc/core";
import {
  type Capabilities,
  type EnvelopeCodec,
  jsonEnvelopeCodec,
  MAX_TIMER_MS,
  resolveLimits,
} from "@rpc/core/transport";

/** What the calling half takes in browsers and in Node. */
export interface WsCallerOptions extends CallerSessionOptions {
  /**
   * How envelopes are written: `protobufEnvelopeCodec` of `@rpc/protobuf`, where the server has it too, is smaller and faster; the contract is
   * the same. Default: JSON.
   */
  readonly codec?: EnvelopeCodec | undefined;
  /** How long a closed channel may take to hand over what was sent, before it is cut. Default: 5,000. */
  readonly closeTimeoutMs?: number | undefined;
}

/** What a channel needs to know; one object for all channels of a transport or listener. */
export interface ChannelSettings {
  readonly clock: Clock;
  /** Until the session says otherwise. */
  readonly maxMessageBytes: number;
  readonly closeTimeoutMs: number;
}

/** What dialing needs to know. */
export interface DialSettings extends ChannelSettings {
  readonly codec: EnvelopeCodec;
  readonly connectTimeoutMs: number;
}

/** Fills in the defaults of the calling half. Throws INVALID_ARGUMENT for a number that makes no sense. */
export function dialSettings(options: WsCallerOptions): DialSettings {
  return {
    clock: options.clock ?? systemClock,
    maxMessageBytes: resolveLimits(options).maxMessageBytes,
    closeTimeoutMs: wholeNumber("closeTimeoutMs", options.closeTimeoutMs, 5_000),
    codec: options.codec ?? jsonEnvelopeCodec,
    connectTimeoutMs: wholeNumber("connectTimeoutMs", options.connectTimeoutMs, 10_000),
  };
}

/** What differs from every session: the gap names the option that closes it. */
export function capabilitiesOf(compression: boolean | undefined): Partial<Capabilities> {
  if (compression === true) return { compression: "native" };
  return {
    compression: {
      unsupported: "messages are not compressed; set the option compression at both ends; browsers follow the server",
    },
  };
}

export function wholeNumber(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  if (Number.isInteger(value) && value >= 0 && value <= MAX_TIMER_MS) return value;
  const message = `option ${name} must be a whole number from 0 to ${MAX_TIMER_MS}, got ${String(value)}`;
  throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}
