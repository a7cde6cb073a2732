import type { Answer, ClaimRequest } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { isToken, type SettleStatements, settleClaims } from "./settle.ts";

const MAX_LOST = 1000;

export function lostClaimsStatement(make: (text: string) => Statement): Statement {
  return make(`SELECT id, claim_token FROM rpc_command
 WHERE state = 'claimed' AND address_id = (SELECT id FROM rpc_address WHERE name = $1) AND agent_name = $2 AND agent_incarnation = $3
   AND claim_token <> ALL ($4::uuid[]) LIMIT ${MAX_LOST}`);
}

/** What this incarnation has claimed and does not hold. By their tokens, so that nothing else can be meant. */
export async function giveBackLost(
  session: Session,
  { lost, settle }: { readonly lost: Statement; readonly settle: SettleStatements },
  { address, agent, incarnation, held = [] }: ClaimRequest,
): Promise<void> {
  const rows = await session.rows(lost, [address, agent, incarnation, held.filter(isToken)]);
  const answers = (rows as readonly (readonly [number, string])[]).map(([id, token]): Answer => ({
    id,
    token,
    outcome: "released",
  }));
  if (answers.length > 0) await settleClaims(session, settle, answers, false);
}
