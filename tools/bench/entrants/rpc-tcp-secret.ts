/** Ours with a shared secret that both ends prove. */
import type { HandshakeEntrant } from "../harness/entrant.ts";
import { rpcTcpDoor } from "./rpc-tcp-open.ts";

export const handshake: HandshakeEntrant = rpcTcpDoor({ secret: "correct horse battery staple" });
