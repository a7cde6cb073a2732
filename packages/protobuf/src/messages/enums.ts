declare const UNKNOWN: unique symbol;

/**
 * A number that an enum's `.proto` did not know when the code was generated. A newer peer may send one, so a `switch` over an enum
 * needs a default; it cannot be sent on, because encoding takes only numbers of the enum.
 */
export type UnknownEnumNumber = number & { readonly [UNKNOWN]: true };
