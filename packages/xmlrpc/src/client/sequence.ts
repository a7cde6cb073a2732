/** One call in a sequence or multicall, as it stands on the wire. */
export interface SequencedCall {
  readonly methodName: string;
  readonly params: readonly unknown[];
}

/**
 * A pipeline of calls on the server: the first by its full name, each further one a method of the records that the one before it gave. They run
 * in one transaction; when one fails, nothing of it stays. Every step makes a new value, so that a beginning can be used twice.
 */
export interface Sequence {
  /** Adds a method, by its name without a dot, with its arguments by position and by name. */
  next(method: string, args?: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): Sequence;
  /** Makes the calls; gives what the last one gave. */
  run(): Promise<unknown>;
}

/** `run` makes the one call that stands for all. */
export function createSequence(
  name: string,
  params: readonly unknown[],
  run: (first: SequencedCall, pipeline: readonly SequencedCall[]) => Promise<unknown>,
): Sequence {
  return sequenceOf({ methodName: name, params }, [], run);
}

function sequenceOf(
  first: SequencedCall,
  pipeline: readonly SequencedCall[],
  run: (first: SequencedCall, pipeline: readonly SequencedCall[]) => Promise<unknown>,
): Sequence {
  return {
    next: (method, args, kwargs) =>
      sequenceOf(first, [...pipeline, { methodName: method, params: paramsOf(args, kwargs) }], run),
    run: () => run(first, pipeline),
  };
}

/** `[args?, kwargs?]`, what is missing left out. */
function paramsOf(
  args: readonly unknown[] | undefined,
  kwargs: Readonly<Record<string, unknown>> | undefined,
): readonly unknown[] {
  if (kwargs !== undefined) return [args ?? [], kwargs];
  return args === undefined ? [] : [args];
}
