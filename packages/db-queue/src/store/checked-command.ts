import { RpcError } from "@rpc/core";
import type { NewCommand } from "./store-words.ts";

const MAX_NAME = 200;
/** Ten years: beyond, sums with instants lose their meaning, not their type. */
const MAX_DURATION_MS = 315_360_000_000;

/** Why a store cannot take a command; undefined: it can. The JSON texts are the layer's above. */
export function commandFault(command: NewCommand): RpcError | undefined {
  return (
    textFault("address", command.address) ??
    textFault("method", command.method) ??
    (command.orderingKey === undefined ? undefined : textFault("orderingKey", command.orderingKey)) ??
    (command.idempotencyKey === undefined ? undefined : textFault("idempotencyKey", command.idempotencyKey)) ??
    (command.targetAgent === undefined ? undefined : textFault("targetAgent", command.targetAgent)) ??
    (command.createdBy === undefined
      ? undefined
      : (typeFault("createdBy", command.createdBy) ?? unicodeFault("createdBy", command.createdBy))) ??
    (command.args === undefined ? undefined : typeFault("args", command.args)) ??
    (command.kwargs === undefined ? undefined : typeFault("kwargs", command.kwargs)) ??
    (command.meta === undefined ? undefined : typeFault("meta", command.meta)) ??
    wholeFault("priority", command.priority ?? 0, -32_768, 32_767) ??
    wholeFault("maxAttempts", command.maxAttempts ?? 1, 1, 32_767) ??
    durationFault("delayMs", command.delayMs ?? 0) ??
    durationFault("expiresMs", command.expiresMs ?? 0) ??
    durationFault("agentSeenWithinMs", command.agentSeenWithinMs ?? 0)
  );
}

/** A name or a key: 1 to 200 characters, no NUL, which PostgreSQL has no place for, and no half of a surrogate pair, which no UTF-8 has. */
export function textFault(what: string, text: string): RpcError | undefined {
  const fault = typeFault(what, text);
  if (fault !== undefined) return fault;
  if (text !== "" && text.length <= MAX_NAME && !text.includes("\0") && text.isWellFormed()) return undefined;
  return invalid(
    `${what} must be 1 to ${MAX_NAME} characters of Unicode without NUL, got ${JSON.stringify(text.slice(0, 40))} (${text.length})`,
  );
}

// Programs without types give anything here.
function typeFault(what: string, text: string): RpcError | undefined {
  return typeof text === "string" ? undefined : invalid(`${what} must be a text, got ${typeof text}`);
}

function unicodeFault(what: string, text: string): RpcError | undefined {
  return !text.includes("\0") && text.isWellFormed() ? undefined : invalid(`${what} must be Unicode without NUL`);
}

export function durationFault(what: string, ms: number): RpcError | undefined {
  if (typeof ms === "number" && ms >= 0 && ms <= MAX_DURATION_MS) return undefined;
  return invalid(`${what} must be milliseconds from 0 to ${MAX_DURATION_MS}, got ${ms}`);
}

function wholeFault(what: string, value: number, from: number, to: number): RpcError | undefined {
  if (Number.isInteger(value) && value >= from && value <= to) return undefined;
  return invalid(`${what} must be a whole number from ${from} to ${to}, got ${value}`);
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { delivered: "no" });
}
