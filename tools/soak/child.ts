/** What server and client process have in common: how they hear from the program that started them, and how they end. */

/** To a child. */
export type Order =
  | { readonly kind: "connect"; readonly proxied: string; readonly direct: string }
  | { readonly kind: "close" };

/** From a child. */
export type Message =
  | { readonly kind: "listening"; readonly endpoint: string }
  /** The client has begun all it has to; connections may rest. */
  | { readonly kind: "begun" }
  | { readonly kind: "report"; readonly lines: readonly string[]; readonly violations: readonly string[] }
  | { readonly kind: "closed" };

/** A process that is to end by itself has this long. */
export const END_LIMIT_MS = 2_000;
const TELL_BEFORE_MS = 300;

export function tell(message: Message): void {
  process.send?.(message);
}

/** Runs `obey` for each order; a failure ends the process with its stack. */
export function onOrder(obey: (order: Order) => Promise<void>): void {
  process.on("message", (order: Order) => {
    obey(order).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
}

/** Lets go of the parent: from here on nothing but what was left behind keeps the process alive, and shortly before the limit it says what. */
export function endByItself(): void {
  process.disconnect();
  setTimeout(() => {
    console.error(`still alive, because of: ${process.getActiveResourcesInfo().join(", ")}`);
  }, END_LIMIT_MS - TELL_BEFORE_MS).unref();
}
