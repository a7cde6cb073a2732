import { MeasuredProcess } from "../child-process.ts";

/** Two processes of one entrant, for one measurement. */
export interface PairOf {
  readonly server: MeasuredProcess;
  readonly client: MeasuredProcess;
}

/** Starts both, measures, and ends both whatever happens. */
export async function dedicatedPair<T>(entrantName: string, measure: (pair: PairOf) => Promise<T>): Promise<T> {
  const server = new MeasuredProcess("server", entrantName);
  const client = new MeasuredProcess("client", entrantName);
  server.onDeath((cause) => client.abandon(cause));
  client.onDeath((cause) => server.abandon(cause));
  try {
    return await measure({ server, client });
  } finally {
    await Promise.all([client.stop(), server.stop()]);
  }
}
