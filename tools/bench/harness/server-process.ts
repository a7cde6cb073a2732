/** The serving half of one pair: `server-process.ts <entrant>`. */
import { answerRunner } from "./control.ts";
import { loadEntrant } from "./load-entrant.ts";
import { publisherAnswers } from "./patterns/fanout.ts";
import { handshakeServerAnswers } from "./patterns/handshake.ts";
import { queueAnswers } from "./patterns/jobs.ts";
import { agentAnswers } from "./patterns/queue.ts";
import { waitingAnswers } from "./patterns/resume.ts";
import { cpuReading, memoryReading, peakRssReading } from "./process-readings.ts";

const entrantName = process.argv[2] ?? "";

answerRunner({
  serve: async () => {
    const entrant = await loadEntrant(entrantName);
    const { endpoint } = await entrant.serve();
    return { endpoint, gaps: { ...entrant.gaps } };
  },
  cpu: async () => cpuReading(),
  memory: memoryReading,
  peakRss: peakRssReading,
  ...publisherAnswers(entrantName),
  ...queueAnswers(entrantName),
  ...waitingAnswers(entrantName),
  ...handshakeServerAnswers(entrantName),
  ...agentAnswers(entrantName),
});
