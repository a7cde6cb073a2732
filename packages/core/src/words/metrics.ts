/** One number that somebody offers when it is asked for: bytes sent, a queue's depth, open connections. */
export interface Gauge {
  /** In snake case with its unit, such as `rpc_session_sent_bytes_total`. */
  readonly name: string;
  readonly value: number;
  /** A `counter` only grows while its source lives. Default: `gauge`. */
  readonly kind?: "counter" | "gauge" | undefined;
  readonly help?: string | undefined;
  /** Few values per label: each combination is a series of its own. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** What a router, a listener or a transport offers, so that its numbers are read with the others. */
export interface MetricsSource {
  /** Asked at each reading, and should be cheap. When it throws, its numbers are missing from that reading. */
  read(): readonly Gauge[];
}
