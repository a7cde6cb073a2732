import type { NotifyBody } from "../words/envelope.ts";
import type { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { Peer } from "../words/peer.ts";
import { CallScope } from "../tools/call-scope.ts";
import type { SessionLink } from "./session-link.ts";

/** The context of a notification: nothing goes back, so progress and log have nowhere to go. */
export class IncomingNotification extends CallScope {
  readonly depth: number;
  readonly #link: SessionLink;
  readonly #received: Metadata | undefined;

  constructor(link: SessionLink, body: NotifyBody, method: MethodDescriptor, metadata: Metadata | undefined) {
    super(method, undefined);
    this.#link = link;
    this.depth = body.depth;
    this.#received = metadata;
  }

  get id(): string {
    return `${this.#link.sessionName}/notification`;
  }

  get peer(): Peer {
    return this.#link.peer;
  }

  get attempt(): number {
    return 1;
  }

  get idempotencyKey(): undefined {
    return undefined;
  }

  get parent(): undefined {
    return undefined;
  }

  get observed(): boolean {
    return false;
  }

  override get hasMetadata(): boolean {
    return this.#received !== undefined || super.hasMetadata;
  }

  progress(): void {
    // See above.
  }

  log(): void {
    // See above.
  }

  protected override initialMetadata(): Metadata {
    return this.#received ?? super.initialMetadata();
  }
}
