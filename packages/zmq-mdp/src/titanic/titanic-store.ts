import type { Frames } from "../frames/words.ts";

/** A request that is kept until its service has answered. */
export interface TitanicRequest {
  /** 32 hex digits, in lower case. */
  readonly id: string;
  readonly service: string;
  readonly body: Frames;
}

/** What is known of a request: the reply, that there is none yet, or nothing. */
export type TitanicState =
  | { readonly kind: "unknown" | "pending" }
  | { readonly kind: "answered"; readonly reply: Frames };

/** Where requests and replies are kept. What a promise of it says is done outlives the process. */
export interface TitanicStore {
  put(request: TitanicRequest): Promise<void>;
  /** Keeps the reply of a request; one that was removed meanwhile is left alone. */
  answer(id: string, reply: Frames): Promise<void>;
  get(id: string): Promise<TitanicState>;
  /** Forgets request and reply, if there are any. */
  remove(id: string): Promise<void>;
  /** Requests without a reply, in any order. */
  pending(): Promise<readonly TitanicRequest[]>;
}
