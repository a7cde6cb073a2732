/** Ours, with the producer outside of the queue's process as well. */
import type { JobsEntrant } from "../harness/entrant.ts";
import { rpcTcpJobs } from "./rpc-tcp-jobs.ts";

export const jobs: JobsEntrant = rpcTcpJobs("client");
