/** A zeromq.js socket takes one `send` at a time; the queue is what its docs advise. */
export class SendQueue<Message> {
  readonly #send: (message: Message) => Promise<void>;
  #queued: Message[] = [];
  #isSending = false;

  constructor(send: (message: Message) => Promise<void>) {
    this.#send = send;
  }

  push(message: Message): void {
    this.#queued.push(message);
    if (this.#isSending) return;
    this.#isSending = true;
    void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    while (this.#queued.length > 0) {
      const batch = this.#queued;
      this.#queued = [];
      for (const message of batch) await this.#send(message);
    }
    this.#isSending = false;
  }
}
