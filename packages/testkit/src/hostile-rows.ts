// One hostile input a line: id | the requirement it belongs to | input and outcome | level | what the transport must declare | now, or later with the reason.
/** Hostile inputs that the suites send, as text; `requirements` is the same as data. */
export const HOSTILE_ROWS = `
H01 | C145 | valid traffic in one-byte chunks is served | channel | - | now
H02 | C145 | valid traffic cut at every byte, and two and a half frames in one chunk, is served the same | channel | - | now
H03 | C145 | 100,000 minimal frames in one chunk are served in a loop while other channels get their turn | channel | - | now
H04 | C145 | a frame of length 0 closes the channel | channel | - | now
H05 | C145 | a frame of the limit is served, one byte more closes the channel on its header | channel | - | now
H06 | C145 | lengths that are negative when read as signed close the channel, nothing is allocated by them | channel | - | now
H07 | C145 | a header that announces the limit and then silence: closed after partialFrameTimeoutMs | channel | - | now
H08 | C145 | a body that trickles in does not extend the time of its frame | channel | - | now
H09 | C145 | a foreign protocol closes the channel and nothing is echoed | channel | - | now
H10 | C145 | plain bytes on the TLS port; a TLS handshake abandoned half-way | channel | - | later: stands in the adapter's own package
H11 | C145 | bytes left over behind a complete envelope end the session | hostile | - | now
H12 | C145 | a compressed message that inflates beyond maxMessageBytes is given up at the limit | hostile | compression | now
H13 | C145 | a compressed message that was not agreed, or whose data is broken, ends the session | hostile | - | now
H14 | C145 | a peer that vanishes in mid-frame: half a frame is discarded, the channel closes | channel | - | now
H15 | C145 | a peer that half-closes after its request gets the reply before the end | channel | - | now
H16 | C145 | a reset while a reply is being written closes the channel and raises nothing | channel | - | now
H17 | C145 | a peer that sends and never reads gets no more work done, and is ended when nothing moves | hostile | - | now
H18 | C145 | 10,000 silent connections; the process out of file descriptors | channel | - | later: stands in the adapter's own package
H19 | C146 | calls behind an unfinished handshake run only after the proof was verified | hostile | - | now
H20 | C146 | a first message that is no handshake, or a call in place of the proof, ends the connection | hostile | - | now
H21 | C146 | more before the proof than a handshake needs ends the connection | hostile | - | now
H22 | C146 | a handshake that stays half done ends after unauthenticatedTimeoutMs | hostile | - | now
H23 | C146 | a first message that is null, a list, a number or of wrong types ends the connection, the process lives | hostile | - | now
H24 | C146 | a proof that is empty, short, long or of another mechanism is refused UNAUTHENTICATED | hostile | - | now
H25 | C146 | a wrong secret: both ends hear UNAUTHENTICATED at once | hostile | authentication | now
H26 | C146 | a proof of an earlier connection is refused | hostile | - | now
H27 | C146 | the own proof and the own challenge sent back are refused | hostile | - | now
H28 | C146 | a nonce of zeros or of another length is refused | hostile | - | now
H29 | C146 | no mechanism, an unknown or a weaker one is refused UNAUTHENTICATED, never a silent downgrade | hostile | authentication | now
H30 | C146 | an empty or missing secret refuses to start | hostile | authentication | now
H31 | C146 | proofs that differ in the first, a middle or the last byte get the same reply | hostile | - | now
H32 | C146 | a second handshake ends the session | hostile | - | now
H33 | C146 | a peer of other versions is refused FAILED_PRECONDITION with the one that is served | hostile | - | now
H34 | C146 | a server that cannot prove the secret gets no call | hostile | - | now
H35 | C146 | certificates that are untrusted, expired, of another host or missing | hostile | - | later: stands in the adapter's own package
H36 | C146 | an address that guesses again and again is slowed down, open sessions are not | hostile | - | now
H37 | C146 | metadata and input that claim an identity are data | hostile | authentication | now
H38 | C146 | a resume token of another identity, unknown, expired or used twice replays nobody's replies; of two the newest goes on | hostile | resume | now
H39 | C146 | a secret stands in no error, log or printed form | hostile | authentication | now
H40 | C146 | listening on a public address without a secret and without TLS refuses to start | hostile | - | later: stands in the adapter's own package
H41 | C147 | a call id that is missing, fractional, negative or huge ends the session, the process lives | hostile | - | now
H42 | C147 | a call id still in flight is refused ALREADY_EXISTS, the first call is untouched | hostile | - | now
H43 | C147 | the key of a finished call gets the first reply again | hostile | replyCache
H44 | C147 | replies to no call, second replies and late replies are ignored | hostile | - | now
H45 | C147 | a reply of the wrong shape fails that call INTERNAL, the others go on | hostile | - | now
H46 | C147 | an unknown envelope type is ignored | hostile | - | now
H47 | C147 | unknown fields of a known envelope are ignored | hostile | - | now
H48 | C147 | an error code outside the sixteen arrives as UNKNOWN | hostile | - | now
H49 | C147 | special characters of an error text arrive intact, a text over the limit is cut | hostile | - | now
H50 | C147 | cancels for unknown and finished calls and for another peer's call are ignored | hostile | - | now
H51 | C147 | stream items after the end, with a gap or a repeat fail that call, the others go on | hostile | - | now
H52 | C147 | credit that adds up beyond a number, and items without credit, end the session | hostile | - | now
H53 | C147 | streams opened and never read are bounded by maxCallsInFlight and their credits | hostile | - | now
H54 | C147 | calls beyond maxCallsInFlight are refused, earlier ones finish, other peers are unaffected | hostile | - | now
H55 | C147 | calls opened and cancelled at once leave nothing behind | hostile | - | now
H56 | C147 | metadata over maxMetadataBytes is refused RESOURCE_EXHAUSTED | call | metadata | now
H57 | C147 | metadata keys empty or with control characters are refused, case is folded, __proto__ is data | call | metadata | now
H58 | C147 | time left of 0 is not run, of no number is refused, beyond a timer's range does not fire at once | call | - | now
H59 | C147 | a peer whose clock stands elsewhere changes no deadline | hostile | - | now
H60 | C147 | 100,000 subscriptions, names of 64 KB, patterns built to backtrack | hostile | topics | now
H61 | C147 | an event for a topic that nobody subscribed to | hostile | topics | now
H62 | C147 | a subscriber that never reads | hostile | topics | now
H63 | C147 | a pong that nobody asked for is ignored, a ping is answered | hostile | - | now
H64 | C147 | a link that goes silent without an end: the peer is lost after aliveMs and pending calls fail | hostile | heartbeat | now
H65 | C147 | acknowledgements of messages never sent or going backwards, and coming back with a count that cannot be, end the session | hostile | resume | now
H66 | C147 | a channel that loses, repeats or swaps messages runs nothing twice and completes nothing wrongly | hostile | resume | now
H67 | C147 | a notification whose handler throws sends nothing back and the process lives | call | notify | now
H68 | C147 | calls that call back without end stop at maxDepth with RESOURCE_EXHAUSTED | call | duplex | now
H69 | C147 | two gateways that forward to each other stop at maxDepth | call | - | now
H70 | C147 | connecting and leaving with calls pending, again and again, leaves nothing behind | hostile | - | now
H71 | C148 | methods named like members of Object.prototype are refused UNIMPLEMENTED | call | - | now
H72 | C148 | a client is not thenable, prints harmlessly, and methods named then or toJSON are refused | call | - | now
H73 | C148 | inherited, private and getter members behind a handler are not reachable | call | - | now
H74 | C148 | empty, overlong and escaping method names are refused and cut in the message | call | - | now
H75 | C148 | look-alike method names are refused | call | - | now
H76 | C148 | input of the wrong shape is refused INVALID_ARGUMENT and the handler does not run | call | - | now
H77 | C148 | a method called in the wrong kind is refused UNIMPLEMENTED | call | - | now
H78 | C148 | validators that are asynchronous, change the value, throw or report endlessly are contained | call | - | now
H79 | C148 | an interceptor that throws fails the call INTERNAL, one that never settles ends at the deadline | call | - | now
H80 | C148 | __proto__ and constructor as keys are plain data at every depth | call | - | now
H81 | C148 | data that looks like a runtime type stays data | call | - | now
H82 | C148 | nesting beyond the limit is refused RESOURCE_EXHAUSTED, without a stack overflow | call | - | now
H83 | C148 | a million tiny elements under the byte limit are bounded by maxElements | call | - | now
H84 | C148 | NaN, the infinities and -0 round-trip or are refused INVALID_ARGUMENT | call | - | now
H85 | C148 | whole numbers beyond 2^53 travel as bigint and are never rounded | call | - | now
H86 | C148 | an integer of a million digits is refused before conversion | call | - | now
H87 | C148 | legal characters arrive unchanged, lone surrogates are refused INVALID_ARGUMENT | call | - | now
H88 | C148 | an invalid date is refused INVALID_ARGUMENT | call | - | now
H89 | C148 | values that cannot be encoded fail locally INVALID_ARGUMENT and the transport stays usable | call | - | now
H90 | C148 | a reply that cannot be encoded or is too large is an error at the caller, never silence | call | - | now
H91 | C148 | whatever a handler throws, the caller gets an error and the process lives | call | - | now
H92 | C148 | long and cyclic cause chains are harmless and no stack leaves | call | - | now
H93 | C148 | bytes that are a view into a larger buffer arrive as exactly the view at call time | call | - | now
H94 | C148 | input that names code to load stays data | call | - | now
H95 | C148 | a limit of 0 means zero, a negative or fractional one refuses to start | hostile | - | now
H207 | C149 | a peer killed in mid-call: calls fail UNAVAILABLE | process | - | now
H208 | C149 | the wire is cut before and after every single message: every call settles | hostile | - | now
H209 | C149 | a dial that never answers ends at its deadline, a name that does not resolve is UNAVAILABLE | hostile | - | now
H210 | C149 | 1,000 clients lose the server and come back at once | hostile | reconnect | later: stands in the adapter's own package
H211 | C149 | close while dialing, from inside a handler, twice and on both ends at once settles | lifecycle | - | now
H212 | C149 | a handler that never returns and ignores its signal is left behind at the deadline and at drainMs | lifecycle | - | now
H213 | C149 | a process that slept for 5 s does not declare its peer lost | hostile | heartbeat | now
H214 | C149 | a machine that wakes up hours later fires its deadlines, and no storm of timers | hostile | - | now
H215 | C149 | 10,000 calls and streams leave no timer and no call behind | lifecycle | - | now
`;
