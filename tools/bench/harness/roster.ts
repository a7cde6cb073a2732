import { isPatternLoad, type Load } from "./figures.ts";

export interface RosterEntry {
  /** The file in `entrants/`, and the word for `--only`. */
  readonly name: string;
  readonly title: string;
  readonly role: "floor" | "ours" | "peer";
  /** Third-party packages whose versions stand in the report. */
  readonly packages: readonly string[];
  /** Runs only these loads; without it, all that are made of calls. */
  readonly loads?: readonly Load[];
}

/** All entrants, in the order of the report. */
export const ROSTER: readonly RosterEntry[] = [
  { name: "bare-socket", title: "bare net.Server socket", role: "floor", packages: [], loads: ["idle", "handshake"] },
  { name: "raw", title: "raw framed socket", role: "floor", packages: [] },
  { name: "raw-protobuf", title: "raw+pb", role: "floor", packages: ["protobufjs"] },
  { name: "rpc-tcp-protobuf", title: "@rpc/tcp, protobuf contract", role: "ours", packages: [] },
  {
    name: "rpc-tcp-protobuf-no-resume",
    title: "@rpc/tcp, protobuf contract, resume off",
    role: "ours",
    packages: [],
    loads: ["unary"],
  },
  { name: "rpc-tcp-zod", title: "@rpc/tcp, code-first with zod", role: "ours", packages: ["zod"] },
  { name: "rpc-ws-protobuf", title: "@rpc/ws, protobuf contract", role: "ours", packages: ["ws"] },
  { name: "rpc-ws-json", title: "@rpc/ws, JSON, code-first with zod", role: "ours", packages: ["ws", "zod"] },
  { name: "grpc-js", title: "@grpc/grpc-js", role: "peer", packages: ["@grpc/grpc-js", "@grpc/proto-loader"] },
  {
    name: "connect",
    title: "Connect (HTTP/2)",
    role: "peer",
    packages: ["@connectrpc/connect-node", "@bufbuild/protobuf"],
  },
  { name: "trpc-ws", title: "tRPC over ws", role: "peer", packages: ["@trpc/server", "@trpc/client", "ws"] },
  { name: "capnweb", title: "capnweb over ws", role: "peer", packages: ["capnweb", "ws"] },
  { name: "birpc-msgpackr-ws", title: "birpc + msgpackr over ws", role: "peer", packages: ["birpc", "msgpackr", "ws"] },
  { name: "moleculer-tcp", title: "Moleculer TCP", role: "peer", packages: ["moleculer", "cbor-x"] },
  { name: "zeromq", title: "zeromq.js DEALER/ROUTER, raw", role: "peer", packages: ["zeromq"] },
  { name: "http-json", title: "HTTP + JSON, keep-alive", role: "peer", packages: ["undici"] },
  {
    name: "rpc-xmlrpc",
    title: "@rpc/xmlrpc, XML-RPC",
    role: "ours",
    packages: [],
    loads: ["unary", "serial", "codec"],
  },
  { name: "rpc-json-rpc", title: "@rpc/xmlrpc, JSON-RPC", role: "ours", packages: [], loads: ["unary", "serial"] },
  { name: "xmlrpc-npm", title: "npm xmlrpc", role: "peer", packages: ["xmlrpc"], loads: ["unary", "serial", "codec"] },
  { name: "cpython-xmlrpc", title: "CPython xmlrpc.client", role: "peer", packages: [], loads: ["codec"] },
  {
    name: "mdp-broker-bare",
    title: "MDP through a bare zeromq.js broker",
    role: "floor",
    packages: ["zeromq"],
    loads: ["unary", "serial"],
  },
  {
    name: "rpc-mdp-broker",
    title: "MDP through our broker",
    role: "ours",
    packages: ["zeromq"],
    loads: ["unary", "serial"],
  },
  {
    name: "mdp-broker-pyzmq",
    title: "MDP through a bare pyzmq broker",
    role: "peer",
    packages: [],
    loads: ["unary", "serial"],
  },
  { name: "rpc-tcp-events", title: "@rpc/tcp, event of a contract", role: "ours", packages: [], loads: ["fanout"] },
  {
    name: "mdp-forwarder-bare",
    title: "zeromq.js PUB and SUB through a bare proxy",
    role: "floor",
    packages: ["zeromq"],
    loads: ["fanout"],
  },
  {
    name: "rpc-mdp-forwarder",
    title: "zeromq.js PUB and SUB through our forwarder",
    role: "ours",
    packages: ["zeromq"],
    loads: ["fanout"],
  },
  {
    name: "socket-io",
    title: "socket.io, WebSocket only",
    role: "peer",
    packages: ["socket.io", "socket.io-client"],
    loads: ["fanout"],
  },
  {
    name: "moleculer-events",
    title: "Moleculer TCP, broadcast",
    role: "peer",
    packages: ["moleculer", "cbor-x"],
    loads: ["fanout"],
  },
  {
    name: "rpc-tcp-jobs",
    title: "@rpc/tcp, job of a contract, producer in the queue's process",
    role: "ours",
    packages: [],
    loads: ["jobs"],
  },
  {
    name: "rpc-tcp-jobs-remote",
    title: "@rpc/tcp, job of a contract, producer over TCP as well",
    role: "ours",
    packages: [],
    loads: ["jobs"],
  },
  { name: "rpc-tcp-resume", title: "@rpc/tcp, resuming sessions", role: "ours", packages: [], loads: ["resume"] },
  { name: "rpc-tcp-secret", title: "@rpc/tcp, shared secret", role: "ours", packages: [], loads: ["handshake"] },
  { name: "rpc-tcp-open", title: "@rpc/tcp, no secret", role: "ours", packages: [], loads: ["handshake"] },
  {
    name: "grpc-js-connect",
    title: "@grpc/grpc-js, no TLS",
    role: "peer",
    packages: ["@grpc/grpc-js", "@grpc/proto-loader"],
    loads: ["handshake"],
  },
  {
    name: "postgres-floor",
    title: "pg alone: 3 commits per command; idle: NOTIFY there and back",
    role: "floor",
    packages: ["pg"],
    loads: ["queue-call", "queue-idle"],
  },
  {
    name: "sqlite-floor",
    title: "node:sqlite alone: 3 commits per command",
    role: "floor",
    packages: [],
    loads: ["queue-call"],
  },
  {
    name: "db-queue-postgres",
    title: "@rpc/db-queue, PostgreSQL",
    role: "ours",
    packages: ["pg"],
    loads: ["queue-call", "queue-backlog", "queue-idle", "queue-insert"],
  },
  {
    name: "db-queue-postgres-million",
    title: "@rpc/db-queue, PostgreSQL, 1,000,000 finished",
    role: "ours",
    packages: ["pg"],
    loads: ["queue-call", "queue-backlog", "queue-idle", "queue-insert"],
  },
  {
    name: "graphile-worker",
    title: "graphile-worker, default",
    role: "peer",
    packages: ["graphile-worker"],
    loads: ["queue-call", "queue-backlog", "queue-idle", "queue-insert"],
  },
  {
    name: "graphile-worker-tuned",
    title: "graphile-worker, 64 jobs at once, local queue, batched completion",
    role: "peer",
    packages: ["graphile-worker"],
    loads: ["queue-call", "queue-backlog"],
  },
  {
    name: "pg-boss",
    title: "pg-boss, fetch(100) + complete",
    role: "peer",
    packages: ["pg-boss"],
    loads: ["queue-backlog", "queue-insert"],
  },
  {
    name: "db-queue-sqlite",
    title: "@rpc/db-queue, SQLite FULL",
    role: "ours",
    packages: [],
    loads: ["queue-call", "queue-backlog", "queue-idle", "queue-insert"],
  },
  {
    name: "db-queue-sqlite-million",
    title: "@rpc/db-queue, SQLite FULL, 1,000,000 finished",
    role: "ours",
    packages: [],
    loads: ["queue-call", "queue-backlog", "queue-idle", "queue-insert"],
  },
];

export function runsLoad(entry: RosterEntry, load: Load): boolean {
  return entry.loads === undefined ? !isPatternLoad(load) : entry.loads.includes(load);
}
