type Listeners<Events extends { [Name in keyof Events]: readonly unknown[] }> = {
  [Name in keyof Events]?: Set<(...values: Events[Name]) => void>;
};

/** Typed events. A listener that throws is reported, never felt by the one who emits. */
export class Emitter<Events extends { [Name in keyof Events]: readonly unknown[] }> {
  readonly #listeners: Listeners<Events> = {};
  readonly #report: (thrown: unknown) => void;

  constructor(report: (thrown: unknown) => void) {
    this.#report = report;
  }

  /** Returns the function that takes the listener away again. */
  on<Name extends keyof Events>(event: Name, listen: (...values: Events[Name]) => void): () => void {
    const listeners = (this.#listeners[event] ??= new Set());
    listeners.add(listen);
    return () => listeners.delete(listen);
  }

  emit<Name extends keyof Events>(event: Name, ...values: Events[Name]): void {
    for (const listen of this.#listeners[event] ?? []) {
      try {
        listen(...values);
      } catch (thrown) {
        this.#report(thrown);
      }
    }
  }
}
