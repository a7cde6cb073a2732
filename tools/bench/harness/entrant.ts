/**
 * What every entrant offers, so that one runner can measure all of them.
 *
 * entrant   one way to call a server: a floor, a peer or one of ours
 * floor     what the machine allows: a bare socket with nothing that an RPC library adds
 * peer      a library of somebody else, in its fast recommended configuration
 * gap       a figure that an entrant cannot give, with the reason as a sentence
 */
import type { FigureId } from "./figures.ts";

/** The small message of all workloads; `text` is 100 ASCII bytes. */
export interface EchoMessage {
  readonly id: number;
  readonly text: string;
}

export interface Entrant {
  /** Figures that this entrant cannot give, each with the reason. */
  readonly gaps?: Partial<Record<FigureId, string>>;
  /** True for floors that echo opaque bytes and do not decode the message. */
  readonly opaque?: boolean;
  serve(): Promise<EntrantServer>;
  /** Opens one connection of its own; two clients never share one. */
  connect(endpoint: string): Promise<EntrantClient>;
}

export interface EntrantServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

export interface EntrantClient {
  echo(message: EchoMessage): Promise<EchoMessage>;
  /** Asks for a server stream of `itemCount` small messages and counts what arrives. */
  countItems?(itemCount: number): Promise<number>;
  echoBytes?(payload: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What holds something open. */
export interface Closable {
  close(): Promise<void>;
}

/** `fanout`: the module exports it under this name. */
export interface FanoutEntrant {
  servePublisher(): Promise<Publisher>;
  /** One subscriber with a connection of its own; told the text of each event, in order. */
  subscribe(endpoint: string, received: (text: string) => void): Promise<Closable>;
}

export interface Publisher extends Closable {
  readonly endpoint: string;
  /** To all subscribers. What it returns is awaited before the next one. */
  publish(text: string): unknown;
}

/** `jobs`: the module exports it under this name. */
export interface JobsEntrant {
  /** Where the producer is: in the queue's own process, or in the other one with a connection of its own. */
  readonly producerAt: "queue" | "client";
  serveQueue(): Promise<Producer & { readonly endpoint: string }>;
  connectProducer(endpoint: string): Promise<Producer>;
  /** One consumer with a connection of its own. */
  consume(endpoint: string): Promise<Closable>;
}

export interface Producer extends Closable {
  /** Settles when the job has been done by a consumer. The output is the input's number. */
  submit(job: EchoMessage): Promise<number>;
}

/** `resume`: the module exports it under this name. */
export interface ResumeEntrant {
  /** Serves one method, whose handlers wait for `release`. */
  serveWaiting(waiting: WaitingCalls): Promise<Closable & { readonly endpoint: string }>;
  /** One session. */
  connectSession(endpoint: string): Promise<Closable & { wait(id: number): Promise<number> }>;
}

/** The handlers that wait. */
export interface WaitingCalls {
  /** Called by each handler; settles with `release`. */
  wait(id: number): Promise<void>;
}

/** `handshake`: the module exports it under this name. */
export interface HandshakeEntrant {
  serveHandshakes(): Promise<Closable & { readonly endpoint: string }>;
  /** Proves that the handshake does what it says. Default: nothing to prove. */
  verify?(endpoint: string): Promise<void>;
  /** Connects, has the handshake behind it, and closes again. */
  connectOnce(endpoint: string): Promise<void>;
}

/** `codec`: the module exports it under this name. */
export interface CodecEntrant {
  /** Gets ready to work on one reply: a document of XML-RPC with one list of rows. */
  open(document: Uint8Array): Promise<CodecWork>;
}

export interface CodecWork {
  /** The rows after reading, writing and reading again. */
  roundTrip(): Promise<unknown>;
  /** Reads the reply from its bytes, again and again. */
  decode(durationMs: number): Promise<CodecReading>;
  /** Writes what the reply holds as text, again and again. */
  encode(durationMs: number): Promise<CodecReading>;
  /** Reads it once, in a process that has done nothing else. */
  decodeOnce(): Promise<PeakReading>;
}

export interface CodecReading {
  readonly documents: number;
  readonly elapsedMs: number;
}

/** Resident memory with the document in it, and at the most. */
export interface PeakReading {
  readonly rows: number;
  readonly beforeBytes: number;
  readonly peakBytes: number;
}

/** `queue-…`: commands in a database; the module exports it under the name `queue`. */
export interface QueueEntrant {
  /** `queue-call`: issuer and agent in one process, as users of an embedded database have them. Default: in two. */
  readonly callsInOneProcess?: boolean;
  /** The issuer hears nothing of its commands: the harness tells it that one was handled. */
  readonly isOneWay?: boolean;
  /** Empty tables, or with the finished commands that belong to the entrant. Gives where they are. */
  prepare(): Promise<string>;
  openIssuer(place: string): Promise<QueueIssuer>;
  /** Settles when commands may come. */
  openAgent(place: string, handle: (id: number) => void): Promise<Closable>;
  /** Does all `count` commands that wait. The time from the first one's arrival until the database has all outcomes. */
  drain?(place: string, count: number): Promise<{ readonly elapsedMs: number }>;
}

export interface QueueIssuer {
  /** Settles with the number from the handler's typed reply; where the entrant is one-way, when it is in the table. */
  call(message: EchoMessage): Promise<number>;
  /** `queue-idle`, where a floor has another way. */
  callIdle?(message: EchoMessage): Promise<number>;
  /** As many as there are, at once; settles when all are in the table. */
  issueAll?(messages: readonly EchoMessage[]): Promise<void>;
}

/** What a module in `entrants/` exports for each pattern load. */
export interface PatternEntrants {
  readonly fanout: FanoutEntrant;
  readonly jobs: JobsEntrant;
  readonly resume: ResumeEntrant;
  readonly handshake: HandshakeEntrant;
  readonly codec: CodecEntrant;
  readonly queue: QueueEntrant;
}
