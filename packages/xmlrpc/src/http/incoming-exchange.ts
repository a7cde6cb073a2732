import { Metadata } from "@rpc/core/transport";
import { readMetadata } from "../headers.ts";
import { parseAuthorization } from "./credentials.ts";
import type { HttpExchange, ShownCredentials } from "./exchange.ts";

/** A request's head, as both adapters give it. What most calls never ask for is made when it is asked for. */
export abstract class IncomingExchange implements HttpExchange {
  readonly path: string;
  readonly endpoint: string;
  readonly #search: string;
  #query: URLSearchParams | undefined = undefined;
  #credentials: ShownCredentials | undefined = undefined;
  #hasParsedCredentials = false;
  #metadata: Metadata | undefined = undefined;
  #responseMetadata: Metadata | undefined = undefined;
  identity: string | undefined = undefined;
  #database: string | undefined = undefined;

  /** `target`: path and query as they stood in the request. */
  constructor(target: string, endpoint: string) {
    const end = target.indexOf("?");
    this.path = end < 0 ? target : target.slice(0, end);
    this.#search = end < 0 ? "" : target.slice(end + 1);
    this.endpoint = endpoint;
  }

  abstract header(name: string): string | undefined;
  /** Names and values in turn. */
  protected abstract rawHeaders(): readonly string[];

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search);
    return this.#query;
  }

  /** Said by the endpoint; credentials are shown for it. */
  set database(database: string | undefined) {
    this.#database = database;
    this.#hasParsedCredentials = false;
  }

  get credentials(): ShownCredentials | undefined {
    if (!this.#hasParsedCredentials) {
      const parsed = parseAuthorization(this.header("authorization"));
      this.#credentials =
        parsed === undefined ? undefined : { ...parsed, database: this.#database, endpoint: this.endpoint };
      this.#hasParsedCredentials = true;
    }
    return this.#credentials;
  }

  get metadata(): Metadata {
    if (this.#metadata === undefined) {
      this.#metadata = new Metadata();
      readMetadata(this.rawHeaders(), this.#metadata);
    }
    return this.#metadata;
  }

  get responseMetadata(): Metadata {
    this.#responseMetadata ??= new Metadata();
    return this.#responseMetadata;
  }

  /** Asking makes no object. */
  get hasResponseMetadata(): boolean {
    return this.#responseMetadata !== undefined && this.#responseMetadata.size > 0;
  }
}
