/** Ours without resuming, beside the same with it: what acknowledgements and the replay buffer cost. */
import type { Entrant } from "../harness/entrant.ts";
import { rpcTcpProtobuf } from "./rpc-tcp-protobuf.ts";

export const entrant: Entrant = rpcTcpProtobuf({ resumeWindowMs: 0 });
