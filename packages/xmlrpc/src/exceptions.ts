import { RpcError, type RpcErrorOptions, type StatusCode } from "@rpc/core";

type ExceptionOptions = Pick<RpcErrorOptions, "details" | "cause">;

/**
 * What a model throws for its caller to read, by the names that clients of this endpoint know. Each has its own fault code, and is told apart on
 * every other transport by its `reason`, which is the class's name; an error that a contract declares under that name is answered alike.
 */
abstract class ModelError extends RpcError {
  constructor(code: StatusCode, reason: string, message: string, options: ExceptionOptions = {}) {
    super(code, message, { ...options, reason });
  }
}

/** The caller asked for something that makes no sense or cannot be done; the message is for people. Fault -32100. */
export class UserError extends ModelError {
  constructor(message: string, options?: ExceptionOptions) {
    super("FAILED_PRECONDITION", "UserError", message, options);
  }
}

/** Wrong credentials. Fault -32101. */
export class AccessDenied extends ModelError {
  constructor(message = "Access Denied", options?: ExceptionOptions) {
    super("PERMISSION_DENIED", "AccessDenied", message, options);
  }
}

/** The caller may not do this with these records. Fault -32102. */
export class AccessError extends ModelError {
  constructor(message: string, options?: ExceptionOptions) {
    super("PERMISSION_DENIED", "AccessError", message, options);
  }
}

/** The records are not there, or no more. Fault -32103. */
export class MissingError extends ModelError {
  constructor(message: string, options?: ExceptionOptions) {
    super("NOT_FOUND", "MissingError", message, options);
  }
}

/** The values break a rule of the model. Fault -32104. */
export class ValidationError extends ModelError {
  constructor(message: string, options?: ExceptionOptions) {
    super("INVALID_ARGUMENT", "ValidationError", message, options);
  }
}

const NAMES = ["UserError", "AccessDenied", "AccessError", "MissingError", "ValidationError"] as const;

/** What stands in front of their texts in the profile `odoo`: `odoo.exceptions.UserError: …`. */
export const ODOO_NAMES: ReadonlyMap<string, string> = new Map(NAMES.map((name) => [name, `odoo.exceptions.${name}`]));
