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

/** Asks when `key` changes, after a gap, and on `reload`. What an older question answers is left out. */
export function useLoaded<Value>(key: string, load: (signal: AbortSignal) => Promise<Value>): Loaded<Value> {
  const epoch = useEpoch();
  const [wish, setWish] = useState(0);
  const [state, setState] = useState<{ key: string; value?: Value; error?: RpcError }>({ key });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const ask = useEffectEvent(load);

  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      (value) => {
        if (!stop.signal.aborted) setState({ key, value });
      },
      (error: unknown) => {
        if (stop.signal.aborted) return;
        setState((before) => ({ ...(before.key === key ? before : { key }), error: RpcError.from(error) }));
      },
    );
    return () => stop.abort();
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
