import type { MethodDescriptor } from "@rpc/core/transport";
import { type CommandEvent, readEvent } from "../command/event.ts";
import { PART } from "../command/spill.ts";
import { noCommandError } from "../store/store-errors.ts";
import type { Engine } from "./engine.ts";
import { isOver } from "./outcomes.ts";

const LIMIT = 1000;

/**
 * A command's events after `afterSeq`, those that are there and those that come, until it has ended and all have been read. `isNew`: it has
 * been inserted in this turn, and is not read before somebody says that there is something to read. Rejects NOT_FOUND for a command that is
 * not there.
 */
export async function* commandEvents(
  engine: Engine,
  id: number,
  afterSeq: number,
  method: MethodDescriptor | undefined,
  isNew = false,
): AsyncGenerator<CommandEvent, void, undefined> {
  checkOpen(engine);
  const bell = new Bell();
  const unlisten = engine.outcomes.listen(id, bell);
  try {
    let seq = afterSeq;
    if (isNew) await bell.rung();
    for (;;) {
      bell.silence();
      // First whether it is over: an agent writes its events before its answer.
      const [outcome] = await engine.store.outcomes([id]);
      if (outcome === undefined) throw noCommandError(id);
      for (;;) {
        const rows = await engine.store.readEvents(id, { afterSeq: seq, limit: LIMIT });
        for (const row of rows) {
          seq = row.seq;
          // Parts of its result, or of its error's details, are no events.
          if (row.kind !== PART) yield readEvent(row, method);
        }
        if (rows.length < LIMIT) break;
      }
      if (isOver(outcome.state)) return;
      checkOpen(engine);
      await bell.rung();
    }
  } finally {
    unlisten();
  }
}

function checkOpen({ refusal }: Engine): void {
  if (refusal !== undefined) throw refusal;
}

/** Remembers that it was rung while nobody listened. */
class Bell {
  #isRung = false;
  #wake: (() => void) | undefined = undefined;

  changed(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  silence(): void {
    this.#isRung = false;
  }

  rung(): Promise<void> {
    if (this.#isRung) return Promise.resolve();
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
