/** A message on its way into a `.proto`: fields without numbers yet. */
export interface DraftMessage {
  readonly name: string;
  readonly fields: DraftField[];
  readonly doc: string | undefined;
}

export interface DraftField {
  readonly name: string;
  readonly shape: DraftShape;
  readonly optional: boolean;
  readonly oneof?: string;
  readonly doc: string | undefined;
}

/** The type of a field: how often, and of what. `type` is a scalar's word or the name of a message or enum. */
export interface DraftShape {
  readonly rule: "one" | "list" | "map";
  readonly type: string;
  /** Messages have a presence of their own, so they need no `optional`. */
  readonly isMessage: boolean;
}

interface DraftEnum {
  readonly name: string;
  /** Without the value 0, which every enum gets. */
  readonly values: readonly { readonly name: string; readonly doc: string }[];
}

/** Everything that one contract needs in its `.proto`. */
export interface Drafts {
  readonly messages: Map<string, DraftMessage>;
  readonly enums: Map<string, DraftEnum>;
}
