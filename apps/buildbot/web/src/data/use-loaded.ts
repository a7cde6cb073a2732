import { RpcError } from "@rpc/core";
import { useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import { useEpoch } from "../rpc/live.ts";

export interface Loaded<Value> {
  /** Undefined until it has come. What is old stays until the new is there. */
  readonly value: Value | undefined;
  readonly error: RpcError | undefined;
  /** Asks again; many wishes within a moment make one question. */
  readonly reload: () => void;
  readonly set: (change: (value: Value) => Value) => void;
}

const GATHER_MS = 150;
/** Between an answer that did not come and the next question: twice as long each time. */
const AGAIN_MS = 1_000;
const MOST_AGAIN_MS = 30_000;

/** A database that is away is told as a failure of the server's. */
const MAY_COME_BACK = new Set(["UNAVAILABLE", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED"]);

export const mayComeBack = ({ code }: RpcError): boolean => MAY_COME_BACK.has(code);

/** Asks when `key` changes, after a gap, on `reload`, and again where something was away. What an older question answers is left out. */
export function useLoaded<Value>(key: string, load: (signal: AbortSignal) => Promise<Value>): Loaded<Value> {
  const epoch = useEpoch();
  const [wish, setWish] = useState(0);
  const [state, setState] = useState<{ key: string; value?: Value; error?: RpcError }>({ key });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const failures = useRef(0);
  const ask = useEffectEvent(load);

  useEffect(() => {
    const stop = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    ask(stop.signal).then(
      (value) => {
        failures.current = 0;
        if (!stop.signal.aborted) setState({ key, value });
      },
      (thrown: unknown) => {
        if (stop.signal.aborted) return;
        const error = RpcError.from(thrown);
        setState((before) => ({ ...(before.key === key ? before : { key }), error }));
        if (!mayComeBack(error)) return;
        const waitMs = Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** failures.current++);
        again = setTimeout(() => setWish((before) => before + 1), waitMs);
      },
    );
    return () => {
      stop.abort();
      clearTimeout(again);
    };
  }, [key, epoch, wish]);

  useEffect(() => () => clearTimeout(timer.current), []);

  const reload = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      setWish((before) => before + 1);
    }, GATHER_MS);
  }, []);
  const set = useCallback((change: (value: Value) => Value) => {
    setState((before) => (before.value === undefined ? before : { ...before, value: change(before.value) }));
  }, []);

  const current = state.key === key ? state : { key };
  return { value: current.value, error: current.error, reload, set };
}
