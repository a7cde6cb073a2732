import type { CallContext } from "../../words/call-context.ts";
import { type Capabilities, gapOf, type Unsupported } from "../../words/capabilities.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { PatternPorts, Transport } from "../../words/transport.ts";
import { noteCallError } from "../../tools/call-errors.ts";

/** Events and jobs of several parts: the ports, and what can be said of them. */
export interface PatternParts {
  readonly patterns: PatternPorts;
  readonly capabilities: Pick<Capabilities, "topics" | "queue">;
}

/** Subscriptions and jobs go to the first part that has them, and to no other when it is gone: the second does not know of them. */
export function patternsOfFirst(first: Transport, ...others: readonly Transport[]): PatternParts {
  const parts = [first, ...others];
  const topics = parts.find(({ capabilities }) => gapOf(capabilities.topics) === undefined) ?? first;
  const queue = parts.find(({ capabilities }) => gapOf(capabilities.queue) === undefined) ?? first;
  return {
    patterns: {
      get topicPort() {
        return topics.topicPort;
      },
      get workQueue() {
        return queue.workQueue;
      },
    },
    capabilities: { topics: topics.capabilities.topics, queue: queue.capabilities.queue },
  };
}

const TOPICS: Unsupported = Object.freeze({
  unsupported: "it is not said which of the servers to subscribe at; subscribe by the transport to one of them",
  bindable: true,
});
const QUEUE: Unsupported = Object.freeze({
  unsupported: "it is not said which of the servers keeps the jobs; submit and consume by the transport to one of them",
  bindable: true,
});

/** Of several equal parts none is the one that has them. A contract that has calls besides can be bound all the same. */
export function patternsOfNone(endpoint: string): PatternParts {
  const refusal = ({ method }: CallContext, capability: "topics" | "queue"): RpcError => {
    const { unsupported } = capability === "topics" ? TOPICS : QUEUE;
    const message = `${method.name} is of kind ${method.kind}, which ${endpoint} does not carry: ${unsupported}`;
    const details = { capability, method: method.name };
    return noteCallError(
      new RpcError("FAILED_PRECONDITION", message, { reason: "CAPABILITY", delivered: "no", details }),
    );
  };
  return {
    patterns: {
      topicPort: {
        subscribe: (_request, context) => {
          throw refusal(context, "topics");
        },
      },
      workQueue: {
        submit: (_request, context, submitter) => {
          submitter.failed(refusal(context, "queue"));
          return { detach: () => undefined };
        },
        consume: (context) => {
          throw refusal(context, "queue");
        },
      },
    },
    capabilities: { topics: TOPICS, queue: QUEUE },
  };
}
