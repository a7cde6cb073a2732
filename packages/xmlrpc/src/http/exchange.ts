import type { Metadata } from "@rpc/core";

/** Credentials as a request shows them; not proved. */
export interface ShownCredentials {
  readonly scheme: "basic" | "bearer";
  /** Empty for `bearer`. */
  readonly user: string;
  /** The password, the API key or the token. */
  readonly secret: string;
  /** The database that the request is for; undefined: the endpoint itself. */
  readonly database: string | undefined;
  /** Where it came from, for logs and limits; not proved. */
  readonly endpoint: string;
}

/** What all calls of one HTTP request share. */
export interface HttpExchange {
  /** Path without query, percent-encoding kept. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case name; several values are joined as HTTP says. */
  header(name: string): string | undefined;
  /** undefined: the request shows none. */
  readonly credentials: ShownCredentials | undefined;
  /** Who the caller proved to be; undefined before and without authentication. */
  readonly identity: string | undefined;
  /** Address of the client, `http://1.2.3.4:5678`. */
  readonly endpoint: string;
  /** What goes back beside the reply, as headers; the calls of a batch share it. */
  readonly responseMetadata: Metadata;
}
