/** Whether the process waits for a timer. Timers of another clock than the process's own have no such thing, and are left as they are. */
export function holdProcess(timer: unknown, isHeld: boolean): void {
  if (typeof timer !== "object" || timer === null) return;
  const method: unknown = Reflect.get(timer, isHeld ? "ref" : "unref");
  if (typeof method === "function") method.call(timer);
}
