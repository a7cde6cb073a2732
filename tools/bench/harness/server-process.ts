/** The serving half of one pair: `server-process.ts <entrant>`. */
import { answerRunner } from "./control.ts";
import { loadEntrant } from "./load-entrant.ts";
import { cpuReading, memoryReading } from "./process-readings.ts";

const entrantName = process.argv[2] ?? "";

answerRunner({
  serve: async () => {
    const entrant = await loadEntrant(entrantName);
    const { endpoint } = await entrant.serve();
    return { endpoint, gaps: { ...entrant.gaps } };
  },
  cpu: async () => cpuReading(),
  memory: memoryReading,
});
