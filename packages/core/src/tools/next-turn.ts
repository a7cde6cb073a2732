/** Runs something after timers and input had their turn; browsers have no `setImmediate`. */
export const nextTurn: (run: () => void) => void =
  (globalThis as { readonly setImmediate?: (run: () => void) => void }).setImmediate ?? ((run) => setTimeout(run, 0));
