import type { CallContext } from "../words/call-context.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, TopicPort } from "../words/topics.ts";
import type { PatternPorts } from "../words/transport.ts";
import type { JobFeed, JobTaker, Settlement, SubmittedJob, WorkQueue } from "../words/work-queue.ts";

/** What a peer wants to do with a method: calls and notifications, events, and the two sides of a job. */
export type Act = "call" | "subscribe" | "submit" | "consume";

/** Throws, or rejects, the refusal; undefined: allowed, without having had to wait. */
export type Judge = (context: CallContext, act: Act) => Promise<void> | undefined;

/** The ports beside calls, behind the same question. */
export function authorizedPorts({ topicPort, workQueue }: PatternPorts, judge: Judge): PatternPorts {
  return {
    topicPort: topicPort === undefined ? undefined : authorizedTopics(topicPort, judge),
    workQueue: workQueue === undefined ? undefined : authorizedQueue(workQueue, judge),
  };
}

function authorizedTopics(port: TopicPort, judge: Judge): TopicPort {
  return {
    lasting: port.lasting,
    subscribe: (request, context, sink) => {
      const verdict = judge(context, "subscribe");
      const subscribe = (): EventSource => port.subscribe(request, context, sink);
      return verdict === undefined ? subscribe() : new LaterSource(verdict, subscribe, sink);
    },
  };
}

function authorizedQueue(queue: WorkQueue, judge: Judge): WorkQueue {
  return {
    lasting: queue.lasting,
    submit: (request, context, submitter) => {
      let verdict: Promise<void> | undefined;
      try {
        verdict = judge(context, "submit");
      } catch (thrown) {
        submitter.failed(RpcError.from(thrown));
        return { detach: () => undefined };
      }
      if (verdict === undefined) return queue.submit(request, context, submitter);
      let job: SubmittedJob | undefined;
      let detached = false;
      whenJudged(
        verdict,
        () => {
          job = queue.submit(request, context, submitter);
          if (detached) job.detach();
        },
        (error) => {
          if (!detached) submitter.failed(error);
        },
      );
      return {
        get running(): boolean | undefined {
          return job?.running;
        },
        detach: () => {
          detached = true;
          job?.detach();
        },
      };
    },
    consume: (context, taker) => {
      const verdict = judge(context, "consume");
      const consume = (): JobFeed => queue.consume(context, taker);
      return verdict === undefined ? consume() : new LaterFeed(verdict, consume, taker);
    },
  };
}

function whenJudged(verdict: Promise<void>, allowed: () => void, refused: (error: RpcError) => void): void {
  void verdict.then(allowed).catch((thrown: unknown) => refused(RpcError.from(thrown)));
}

/** What is asked of a source or a feed before there is one is done when there is; it tells nothing before it is opened. */
abstract class Later<Inner extends { open(credits: number): void; close(reason: RpcError): void }> {
  protected inner: Inner | undefined = undefined;
  protected credits: number | undefined = undefined;
  #refusal: RpcError | undefined = undefined;
  #closed = false;
  readonly #refuse: (error: RpcError) => void;

  constructor(verdict: Promise<void>, make: () => Inner, refuse: (error: RpcError) => void) {
    this.#refuse = refuse;
    whenJudged(
      verdict,
      () => {
        if (this.#closed) return;
        this.inner = make();
        if (this.credits !== undefined) this.inner.open(this.credits);
      },
      (error) => {
        if (this.#closed) return;
        this.#refusal = error;
        if (this.credits !== undefined) this.#tellRefusal();
      },
    );
  }

  open(credits: number): void {
    this.credits = credits;
    if (this.#refusal !== undefined) this.#tellRefusal();
    else this.inner?.open(credits);
  }

  close(reason: RpcError): void {
    this.#closed = true;
    this.inner?.close(reason);
  }

  #tellRefusal(): void {
    const refusal = this.#refusal;
    if (refusal === undefined || this.#closed) return;
    this.#closed = true;
    this.#refuse(refusal);
  }
}

class LaterSource extends Later<EventSource> implements EventSource {
  constructor(verdict: Promise<void>, subscribe: () => EventSource, sink: EventSink) {
    super(verdict, subscribe, (error) => sink.ended(error));
  }

  grant(credits: number): void {
    if (this.inner === undefined) this.credits = (this.credits ?? 0) + credits;
    else this.inner.grant(credits);
  }

  resume(): void {
    this.inner?.resume();
  }

  release(bytes: number): void {
    this.inner?.release(bytes);
  }

  report(error: RpcError): void {
    this.inner?.report(error);
  }
}

class LaterFeed extends Later<JobFeed> implements JobFeed {
  readonly #taker: JobTaker;
  #finished = false;

  constructor(verdict: Promise<void>, consume: () => JobFeed, taker: JobTaker) {
    super(verdict, consume, (error) => taker.ended(error));
    this.#taker = taker;
  }

  get peer(): Peer | undefined {
    return this.inner?.peer;
  }

  settle(settlement: Settlement): void {
    this.inner?.settle(settlement);
  }

  resume(): void {
    this.inner?.resume();
  }

  finish(): void {
    if (this.inner !== undefined) return this.inner.finish();
    if (this.#finished) return;
    this.#finished = true;
    // Nothing was taken, so there is nothing to wait for.
    this.close(new RpcError("CANCELLED", "the consumer was closed", { reason: "CANCELLED" }));
    this.#taker.ended(undefined);
  }
}
