import type { Socket } from "node:net";

/** Which end of a proxied connection: the one that dialed the proxy, or the target. */
export type ProxySide = "client" | "server";

/** What the connections of a proxy have in common. */
export interface ProxyTally {
  /** Bytes that were taken from one end and never given to the other. */
  swallowedBytes: number;
}

/**
 * One connection through the proxy: two sockets, and what passes between them. Both must allow half-open. What happens to one of them
 * happens to the other as well (its end, its reset), unless a fault stands in between.
 */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #tally: ProxyTally;
  readonly #gone: (connection: ProxiedConnection) => void;
  readonly #full = new Set<Socket>();
  #holed = false;
  #lostBytes = false;
  #stalls = 0;
  #open = 2;

  constructor(client: Socket, server: Socket, tally: ProxyTally, gone: (connection: ProxiedConnection) => void) {
    this.#client = client;
    this.#server = server;
    this.#tally = tally;
    this.#gone = gone;
    this.#join(client, server);
    this.#join(server, client);
  }

  get holed(): boolean {
    return this.#holed;
  }

  /** Resets both ends. What was under way is lost. */
  cut(): void {
    reset(this.#client);
    reset(this.#server);
  }

  /** Tells one side that the other sends nothing more, and swallows what the other sends all the same. */
  halfClose(side: ProxySide): void {
    const [told, silenced] = side === "client" ? [this.#client, this.#server] : [this.#server, this.#client];
    told.end();
    silenced.removeAllListeners("data");
    silenced.on("data", (chunk: Buffer) => this.#swallow(chunk));
  }

  /** From here on neither end hears of the other, not even its end. */
  blackHole(): void {
    this.#holed = true;
    this.#read();
  }

  /** A stream with a hole is no TCP stream: whoever lost bytes meanwhile is cut, the others go on. */
  restore(): void {
    if (!this.#holed) return;
    this.#holed = false;
    if (this.#lostBytes) this.cut();
  }

  /** Holds back what comes in from both ends until `release`. Stalls add up. */
  hold(): void {
    this.#stalls += 1;
    this.#client.pause();
    this.#server.pause();
  }

  release(): void {
    this.#stalls -= 1;
    this.#read();
  }

  #join(from: Socket, to: Socket): void {
    from.on("data", (chunk: Buffer) => {
      if (this.#holed) this.#swallow(chunk);
      else if (!to.write(chunk)) {
        this.#full.add(to);
        from.pause();
      }
    });
    to.on("drain", () => {
      this.#full.delete(to);
      this.#read();
    });
    from.on("end", () => {
      if (this.#holed) this.#lostBytes = true;
      else to.end();
    });
    let failed = false;
    from.on("error", () => {
      failed = true;
    });
    from.on("close", () => {
      if (this.#holed) this.#lostBytes = true;
      else if (failed) reset(to);
      // Its end was passed on already, behind its last bytes; the other end may still have something to say to the wind.
      else if (!to.writableEnded) to.end();
      this.#open -= 1;
      if (this.#open === 0) this.#gone(this);
    });
  }

  #swallow(chunk: Uint8Array): void {
    this.#lostBytes = true;
    this.#tally.swallowedBytes += chunk.byteLength;
  }

  /** Reads again where nothing speaks against it. */
  #read(): void {
    if (this.#stalls > 0) return;
    if (this.#holed || !this.#full.has(this.#server)) this.#client.resume();
    if (this.#holed || !this.#full.has(this.#client)) this.#server.resume();
  }
}

/** Ends a socket without a word to the bytes under way. A socket that knows no reset (a Unix one) is destroyed. */
export function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
