/**
 * Key under which parts of methods, halves that serve and transports say which copy of this package made them: they hold its classes, and
 * two copies that are installed side by side have two of each. Global, so that one copy can ask what another has made.
 */
export const MADE_BY: unique symbol = Symbol.for("@rpc/core/made-by") as never;

/** This copy of the package. */
export const COPY: object = {};
