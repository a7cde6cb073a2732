import { type AddressStatements, addressStatements } from "./addresses.ts";
import { type CancelStatements, cancelStatements } from "./cancel.ts";
import { type ClaimStatements, claimStatements } from "./claim.ts";
import { type Statement, statementIn } from "./connections.ts";
import { type AllInsertStatements, insertStatements } from "./insert.ts";
import { type ListStatements, listStatements } from "./list.ts";
import { lostClaimsStatement } from "./lost-claims.ts";
import { type ReadStatements, readStatements } from "./reading.ts";
import { type SettleStatements, settleStatements } from "./settle.ts";
import { statsStatement } from "./stats.ts";
import { type UpkeepStatements, upkeepStatements } from "./upkeep.ts";

export interface Statements {
  readonly addresses: AddressStatements;
  readonly insert: AllInsertStatements;
  readonly claim: ClaimStatements;
  readonly lost: Statement;
  readonly settle: SettleStatements;
  readonly cancel: CancelStatements;
  readonly read: ReadStatements;
  readonly list: ListStatements;
  readonly stats: Statement;
  readonly upkeep: UpkeepStatements;
  readonly publish: Statement;
}

/** All of one store. What triggers wake for, the statements do not. */
export function storeStatements(schema: string, notify: "app" | "trigger" | "off"): Statements {
  const make = statementIn(schema);
  const wakes = notify === "app";
  const wake = wakes ? (topic: string): string => wakeOne(schema, topic) : undefined;
  return {
    // No trigger knows of pauses and events.
    addresses: addressStatements(make, notify !== "off"),
    insert: insertStatements(make, wake),
    claim: claimStatements(make, notify !== "off"),
    lost: lostClaimsStatement(make),
    settle: settleStatements(make, wake, notify !== "off"),
    cancel: cancelStatements(make, wakes),
    read: readStatements(make),
    list: listStatements(make),
    stats: statsStatement(make),
    upkeep: upkeepStatements(make, wakes),
    publish: make("SELECT rpc_wake($1::text[])"),
  };
}

/** What `rpc_wake` does, for a single topic, in an expression: the function takes as long as the insert of a command. */
function wakeOne(schema: string, topic: string): string {
  // In two parts, so that it is not taken for the name of a table.
  return `pg_notify('rpc' || '_wake_${schema}', '[' || to_json(${topic})::text || ']')`;
}
