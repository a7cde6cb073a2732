import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { CallPort } from "../words/transport.ts";
import { validated } from "../tools/shapes.ts";
import type { ClientBinding } from "./kind-parts.ts";

/** One method bound to a port. */
export abstract class BoundMethod {
  readonly method: MethodDescriptor;
  readonly clock: Clock;
  protected readonly port: CallPort;
  protected readonly validates: boolean;
  /** Somebody else's code runs on the way: it may throw anything, try twice, or never come back. */
  protected readonly isGuarded: boolean;

  constructor(method: MethodDescriptor, { calls, isIntercepted, clock, validateInput }: ClientBinding) {
    this.method = method;
    this.clock = clock;
    this.port = calls;
    this.validates = validateInput && method.input.validate !== undefined;
    this.isGuarded = isIntercepted || this.validates;
  }

  /** Proved, but sent as it is: the server's validator makes its own value of it. */
  protected async proveInput(input: unknown): Promise<void> {
    await validated(this.method.input, input, `${this.method.name}: input`, "INVALID_ARGUMENT");
  }
}
