import { sameBytes } from "../frames/names.ts";
import { pushFrom, replyHead } from "./answers.ts";
import { cancelRunning } from "./leavers.ts";
import type { SendFrames } from "./dispatcher.ts";
import type { BrokerMachine } from "./machine.ts";
import type { Request } from "./roster.ts";

/** Answers what is asked of the broker itself, `mmi.*`; always with one frame. */
export function answerQuestion(broker: BrokerMachine, request: Request, send: SendFrames): void {
  const head = replyHead(request, request.service.frame, false);
  send(request.door, pushFrom(head, [Buffer.from(answerOf(broker, request))], 0));
}

function answerOf(broker: BrokerMachine, request: Request): string {
  const { dispatcher } = broker;
  const { name } = request.service;
  if (name === "mmi.service") {
    const asked = request.frames[request.bodyAt]?.toString("latin1") ?? "";
    return (dispatcher.services.get(asked)?.workers ?? 0) > 0 ? "200" : "404";
  }
  if (name === "mmi.services") {
    const names: string[] = [];
    for (const service of dispatcher.services.values()) {
      for (let at = 0; at < service.workers; at += 1) names.push(service.name);
    }
    return names.join(", ");
  }
  if (!broker.settings.mmiExtensions) return "501";
  switch (name) {
    case "mmi.workers":
      return JSON.stringify(broker.doors.flatMap((door) => Array.from(door.workers.values(), (one) => one.info())));
    case "mmi.queue":
      return JSON.stringify(
        Object.fromEntries(
          Array.from(dispatcher.services.values(), ({ name, workers, waiting }) => [
            name,
            { workers, waiting: waiting.size },
          ]),
        ),
      );
    case "mmi.stats":
      return JSON.stringify({
        workers: broker.workers,
        services: dispatcher.services.size,
        waiting: dispatcher.waiting,
        inFlight: dispatcher.inFlight,
        ...broker.counters,
      });
    case "mmi.worker":
      return broker.workerSays(request.door, request.client, request.frames[request.bodyAt]?.toString("latin1") ?? "")
        ? "200"
        : "404";
    case "mmi.cancel":
      return cancel(broker, request);
    default:
      return "501";
  }
}

/**
 * Body: service, and the address frame that the request to be cancelled carried. Only its own caller can name it so. In 0.2, which has no such
 * frames: all that the caller has asked the service over this socket, also what a worker has begun with.
 */
function cancel(broker: BrokerMachine, asked: Request): string {
  const { dispatcher } = broker;
  const service = dispatcher.services.get(asked.frames[asked.bodyAt]?.toString("latin1") ?? "");
  if (service === undefined) return "404";
  if (asked.version === "0.2") {
    const waited = dispatcher.withdraw(
      service,
      ({ version, door, client }) => version === "0.2" && door === asked.door && sameBytes(client, asked.client),
    );
    return waited.length + cancelRunning(broker, asked.door, asked.client, service) > 0 ? "200" : "404";
  }
  const mark = asked.frames[asked.bodyAt + 1];
  if (mark === undefined) return "404";
  const withdrawn = dispatcher.withdraw(service, (request) => {
    const own = request.envelopeCount > 0 ? request.frames[request.envelopeAt] : undefined;
    return (
      own !== undefined &&
      request.door === asked.door &&
      sameBytes(request.client, asked.client) &&
      sameBytes(own, mark)
    );
  });
  return withdrawn.length > 0 ? "200" : "404";
}
