import type { Clock, Handler, Transport } from "@rpc/core/transport";
import type { FakeClock } from "./fake-clock.ts";
import type { SuiteCase, SuiteOptions } from "./suite.ts";

/** A program at the far end, which serves `createRemoteHandler`, and a way to it. */
export interface FarProcess {
  /** What the far end gave to `createRemoteHandler`. */
  readonly name: string;
  /** A transport to it, made with the options. */
  connect(options: FarOptions): Transport;
  /** Ends the program without warning, as `kill -9` does, and resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops the program without ending it, as `kill -STOP` does. */
  freeze?(): Promise<void>;
}

/** What the suite asks of the near end. */
export interface FarOptions {
  readonly clock: Clock;
  /** What the near end serves to the far one. */
  readonly serve?: Handler | undefined;
}

/** What `processSuite` takes: a runner, a name and a way to start the far end. */
export interface ProcessSuiteOptions extends SuiteOptions {
  /** Starts a program that serves `createRemoteHandler(name)`. The suite ends it. */
  readonly start: () => Promise<FarProcess>;
  /** The name that this process would give itself. */
  readonly nearName: string;
}

/** A started far end with a first transport to it. */
export interface StartedProcess extends FarProcess {
  readonly transport: Transport;
}

/** What a case across processes works with. */
export interface ProcessBench {
  /** Time of the near end; the far one has its own. */
  readonly clock: FakeClock;
  readonly nearName: string;
  start(options: { readonly serve: Handler }): Promise<StartedProcess>;
}

/** A case across processes. */
export type ProcessCase = SuiteCase<ProcessBench>;

/** A case across processes, cited by its requirement. */
export function provesAcross(id: string, behaviour: string, run: (bench: ProcessBench) => Promise<void>): ProcessCase {
  return { id, behaviour, run };
}
