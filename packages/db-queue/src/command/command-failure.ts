import { RpcError } from "@rpc/core";
import { wellFormedText } from "./json-text.ts";

const MAX_TEXT = 64 * 1024;

/** For a handler to throw: it refuses, in words for people. The command is not tried again. Code UNKNOWN, reason `COMMAND_FAILURE`. */
export class CommandFailure extends RpcError {
  readonly title: string;
  readonly text: string;
  /** The refusal's own number. Default: 100. */
  readonly failureCode: number;

  constructor(title: string, text: string, options: { readonly code?: number | undefined } = {}) {
    const failureCode = options.code ?? 100;
    const details = { title: cut(title), text: cut(text), code: failureCode };
    super("UNKNOWN", details.text === "" ? details.title : `${details.title}: ${details.text}`, {
      reason: "COMMAND_FAILURE",
      details,
      retryable: false,
    });
    ({ title: this.title, text: this.text } = details);
    this.failureCode = failureCode;
  }

  static {
    Object.defineProperty(this.prototype, "name", { value: "CommandFailure", configurable: true, writable: true });
  }
}

function cut(text: string): string {
  return wellFormedText(typeof text === "string" && text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
}
