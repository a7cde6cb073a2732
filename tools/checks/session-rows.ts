/** One thing that a session promises, and the tests that prove it. */
export interface SessionRow {
  readonly id: string;
  readonly promise: string;
  /**
   * Ids of cases in the conformance suites (`C21`, `H64`), and `file: part of a title`. Empty: a test has the row's own id in its title.
   */
  readonly provedBy: readonly string[];
}

const CORE = "packages/core/test";

const ROWS: readonly (readonly [id: string, promise: string, ...provedBy: string[]])[] = [
  ["T01", "channel, session and calls are layers, each tested alone", "C03", "H41", "C19"],
  ["T02", "channels are pluggable, held to one suite", "C19", "C03"],
  ["T03", "frames may be split, merged and cut at every byte, up to the limit", "H01", "H02", "H05"],
  ["T04", "a process listens and dials at once, and serves a thousand peers"],
  ["T05", "each peer has an identity; sending to many succeeds in part", "C37", `${CORE}/broadcast.test.ts: C128`],
  [
    "T06",
    "messages are protobuf, the same bytes everywhere",
    "packages/protobuf/test/envelope-vectors.test.ts: Hello that asks",
  ],
  [
    "T07",
    "a .proto says what a contract needs",
    "packages/protobuf/test/contract-from-proto.test.ts: methods, kinds and options",
  ],
  ["T08", "many exchanges share one connection", "C21", "C84"],
  ["T09", "one to one and many to one", "C19", `${CORE}/topics.test.ts: C91`, `${CORE}/jobs.test.ts: C101`],
  ["T10", "only what opens an exchange opens one", "H44", "H51"],
  ["T11", "heartbeats per peer, which can be left out", "C140", `${CORE}/heartbeat.test.ts: is off with heartbeatMs 0`],
  ["T12", "a peer that is silent for too long is lost", "H64", `${CORE}/heartbeat.test.ts: is each peer's own`],
  ["T13", "acknowledgements ride along, or go alone"],
  ["T14", "what was not acknowledged is sent again when the session goes on", "C137", "C90"],
  ["T15", "nothing runs twice", "C137", "H66", `${CORE}/reply-cache.test.ts: runs a call once`],
  ["T16", "messages are counted, those without acknowledgement are kept"],
  ["T17", "a full window holds its sender back"],
  ["T18", "messages of one tick leave together", "packages/tcp/test/transport.test.ts: of one tick go out together"],
  ["T19", "request and reply, both ways", "C19", "C44", "C46"],
  ["T20", "publish and subscribe, a gap is told", `${CORE}/topics.test.ts: C91`, `${CORE}/topics.test.ts: C97`],
  ["T21", "jobs of a lost consumer go to another", `${CORE}/jobs.test.ts: go to another consumer when one is lost`],
  ["T22", "broadcasts say how many they reached", `${CORE}/broadcast.test.ts: C127`, `${CORE}/broadcast.test.ts: C128`],
  ["T23", "a notification can be confirmed"],
  ["T27", "one, all, any or the least busy peer", `${CORE}/broadcast.test.ts: picks any peer, and the least busy one`],
  ["T28", "both ends may close at once, and either may vanish", "H211", "C13", "H14"],
  [
    "T29",
    "peers beyond the limit are turned away",
    "packages/tcp/test/listener.test.ts: H18 refuses connections beyond",
    `${CORE}/authentication.test.ts: closes the connection that waits longest`,
  ],
  ["T30", "every error code travels", "C27"],
  [
    "T31",
    "calls and their log lines can be seen",
    "C70",
    `${CORE}/observe/log-calls.test.ts: writes one line for each call`,
  ],
  ["T32", "delivery is confirmed by a promise", "C42", `${CORE}/resume.test.ts: T23`],
  ["T33", "what is sent is validated", "C34", "C35"],
  ["T34", "messages are plain values with types", "C23", `${CORE}/types.test-d.ts: `],
  [
    "T35",
    "clients and servers are generated, and compile",
    "packages/protobuf/test/generator.test.ts: which the type check compiles",
  ],
  ["T36", "logic is given as functions", "C19", `${CORE}/topics.test.ts: calls a listener in order`],
  ["T37", "a channel in memory", `${CORE}/memory-channel.test.ts: C01`],
  ["T38", "time is injected", "C57", "H213", "H214"],
  ["T39", "closing with time to finish, and at once", "C134", "C133", "H212"],
  ["T40", "nothing blocks", "C22", "C43"],
  [
    "T41",
    "cut connections are survived, whatever the network does",
    `${CORE}/resume-chaos.test.ts: a session over connections that come to harm`,
  ],
  [
    "T42",
    "a second language speaks the same",
    "tools/interop/test/calls.test.ts: calls TypeScript from Python",
    "tools/interop/test/resumption.test.ts: exactly once",
  ],
  ["K01", "TCP by host and port, Unix sockets", "C16", "packages/tcp/test/listener.test.ts: listens on loopback"],
  ["K02", "a client is an address and a secret", "C37", "H25"],
  ["K03", "both sides call and serve"],
  ["K04", "both ends prove a secret that is never sent"],
  [
    "K05",
    "calls may be made at once and wait, up to a limit",
    "C131",
    `${CORE}/call-limits.test.ts: refuses more calls than may wait`,
  ],
  ["K06", "functions are served by names of their own, with the peer if wanted"],
  ["K07", "functions, modules and instances are registered, also with live peers"],
  ["K08", "calls by name, positional and keyword arguments"],
  ["K09", "events, once each"],
  ["K10", "both ends know whether they are connected"],
  ["K11", "errors are raised where the call was made"],
  ["K12", "functions may take their time, and reply in any order"],
  ["K13", "calls survive a lost connection, and fail when the session is lost", "C137", "C138", "C136"],
  [
    "K14",
    "connecting again, with waits that grow",
    "C135",
    `${CORE}/compose/reconnecting.test.ts: dials after waits that grow`,
  ],
  ["K15", "buffers are bounded", "H17", "C05"],
  ["K16", "little is taken before the proof", "H21", "packages/tcp/test/listener.test.ts: accepts 1 KiB and no more"],
  ["K19", "a call may call back into its caller"],
  ["K20", "unknown commands and wrong arguments are refused"],
  ["K21", "what the old tests asked for"],
  ["P01", "a session goes on over another connection, each call runs once"],
  ["P02", "a forgotten session says what was delivered, and repeats what may be"],
  ["P03", "deadlines and cancels travel", "C58", "C64"],
  ["P04", "credits, message sizes and calls are bounded", "C83", "H05", "H54"],
  [
    "P05",
    "TLS, channel binding, client certificates",
    `${CORE}/authentication.test.ts: K04`,
    "packages/tcp/test/tls.test.ts: tells the server whose certificate",
  ],
  [
    "P06",
    "a server that drains loses nothing",
    "C134",
    `${CORE}/session-close.test.ts: dials anew for calls that come after`,
  ],
  ["P07", "a repeated key gets the first reply", `${CORE}/reply-cache.test.ts: runs a call once`],
  [
    "P08",
    "calls back have room of their own, up to a depth",
    "H68",
    `${CORE}/session.test.ts: lets calls that call back through`,
  ],
  [
    "P09",
    "listings, metrics, traces, interceptors",
    "C55",
    "C52",
    "C40",
    `${CORE}/observe/metrics.test.ts: counts calls by method`,
  ],
];

/** What sessions promise: the rows of the old toolkits that were kept (T, K) and the new ones (P). Ids are never given again. */
export const sessionRows: readonly SessionRow[] = ROWS.map(([id, promise, ...provedBy]) => ({ id, promise, provedBy }));
