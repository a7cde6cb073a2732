// One requirement a line: id | case name | sentence | level | what the transport must declare (- always) | now, or later with the reason.
// Ids are given once and not reused; a test proves that every line marked "now" is cited by a case and every citation stands here.
/** The requirements of the conformance suites, as text; `requirements` is the same as data. */
export const REQUIREMENT_ROWS = `
C01 | open-once | nothing is handed over before open; what arrived earlier comes afterwards, in order and complete | channel | - | now
C02 | message-boundaries | each send arrives as one message with the same bytes, at sizes 1, 125–127, 65,535–65,537 and the limit | channel | - | now
C03 | order-kept | 10,000 messages of mixed sizes arrive in order | channel | - | now
C04 | both-ways-at-once | both ends send 1 MiB at the same time and neither waits for ever | channel | - | now
C05 | send-says-full | send returns false when the buffer is full, drained follows once, nothing is dropped | channel | - | now
C06 | bytes-are-owned | changing a buffer after send, or the received one after delivery, changes nothing elsewhere | channel | - | now
C07 | no-reentrancy | sink callbacks never run inside open, send or close | channel | - | now
C08 | close-delivers-sent | what send accepted arrives before the far end sees closed | channel | - | now
C09 | closed-once | exactly one closed, with the reason, whoever closes and however often | channel | - | now
C10 | close-both-ends | closing on both ends at the same moment settles on both | channel | - | now
C11 | send-after-close | send on a closed channel returns false and delivers nothing, now or later | channel | - | now
C12 | one-life | a closed channel never works again; a new dial gives a new one | channel | - | now
C13 | peer-loss-seen | destroying one end gives the other closed with a reason | channel | - | now
C14 | dial-cancelled | a signal aborted before or during the dial rejects CANCELLED and leaves no socket | channel | - | now
C15 | dial-refused | nobody listening: UNAVAILABLE at once, the endpoint in the message | channel | - | now
C16 | endpoint-checked | an endpoint with an unknown parameter or of another scheme is refused when the transport is created | channel | - | now
C17 | listen-twice | a second listener on the same endpoint fails, the first works on | channel | - | now
C18 | listener-close-spares-channels | closing the listener stops accepting and does not touch open channels | channel | - | now
C19 | empty-unary | empty input, empty output | call | - | now
C20 | large-unary | 271,828 bytes in, 314,159 bytes out | call | - | now
C21 | concurrent-unary | 1,000 calls at once on one transport, each gets its own reply, in whatever order they finish | call | - | now
C22 | slow-does-not-block-fast | a slow call does not hold up a fast one from the same caller | call | - | now
C23 | value-matrix | every dynamic value of the table round-trips, with exactly the losses that the transport documents | call | - | now
C24 | args-and-kwargs | a dynamic call keeps positional and keyword arguments apart and intact | call | - | later: comes with the dynamic face
C25 | unimplemented-method | unknown method of a served contract: UNIMPLEMENTED, transport usable | call | - | now
C26 | unimplemented-contract | contract not served here: UNIMPLEMENTED, said differently from the above | call | - | now
C27 | every-status | each status code travels with its message | call | - | now
C28 | special-status-message | tabs, CR LF, characters in and beyond the BMP arrive unchanged in an error message | call | - | now
C29 | error-details | details declared in the contract arrive typed; others as plain values | call | - | now
C30 | error-metadata | metadata set by a failing handler reaches the caller | call | metadata | now
C31 | handler-throws | a plain throw gives UNKNOWN with the message; stack only with exposeStacks | call | - | now
C32 | metadata-roundtrip | text and binary metadata travel both ways, keys without regard to case | call | metadata | now
C33 | metadata-repeated | a key given twice ends the same way on every transport | call | metadata | now
C34 | input-validated | input that fails the contract: INVALID_ARGUMENT with the path, handler not run | call | - | now
C35 | output-validated | output that fails the contract: INTERNAL at the caller, logged at the server | call | - | now
C36 | newer-peer | extra fields and methods of a newer contract do not disturb an older peer | call | - | now
C37 | identity-known | ctx.peer.identity is what authentication established, in every handler | call | authentication | now
C38 | auth-required | without a valid proof no handler runs and the caller gets UNAUTHENTICATED | call | authentication | now
C39 | per-call-credentials | an interceptor gives each call its own credentials | call | metadata | now
C40 | interceptor-order | interceptors wrap outside-in on both sides and see request, response and error | call | - | now
C41 | forward-transparent | through forward, output, status, details, metadata, deadline and cancel equal the direct call | call | - | now
C42 | notify-one-way | notify settles when handed over; the handler runs; its error goes to the log | call | notify | now
C43 | notify-in-order | notifications and calls of one caller start in the order sent | call | notify, ordering per-peer | now
C44 | call-back | a handler calls its caller over the same connection and uses the output | call | duplex | now
C45 | call-back-nested | calls that alternate between both ends five deep finish | call | duplex | now
C46 | call-idle-client | the server calls a client that has no call open | call | duplex | now
C47 | batch-settles-apart | calls sent as one batch settle one by one; a failing one fails alone | call | batch | later: comes with batches
C48 | compressed-unary | compressed input and output, each direction by itself | call | compression | now
C49 | size-limit-input | input of exactly the limit works; one byte more: RESOURCE_EXHAUSTED, next call works | call | - | now
C50 | size-limit-output | output over the caller's limit: RESOURCE_EXHAUSTED at the caller, next call works | call | - | now
C51 | call-id | handle.id equals the id in the handler's context and in logs of both ends | call | - | now
C52 | trace-context | traceparent reaches the handler; a nested call carries a child of it | call | metadata | now
C53 | idempotency-key | the same key twice in its time: handler runs once, both callers get the same reply | call | replyCache
C54 | retry-when-safe | withRetry repeats idempotent calls on UNAVAILABLE with growing delays and a visible attempt; others never after a byte has left | call | -
C55 | reflection | the served contracts can be listed and one called from the listing alone | call | - | now
C56 | health | serving, draining and unknown contract give the three declared states | call | - | now
C57 | deadline-sleeping-server | a sleeping handler: DEADLINE_EXCEEDED at the deadline, within tolerance, also when the server never replies | call | - | now
C58 | deadline-reaches-handler | ctx.deadline is the caller's, within tolerance; the signal aborts there | call | deadline propagated | now
C59 | deadline-nested | a nested call gets the time that remains, never more | call | deadline propagated | now
C60 | deadline-met | a call that finishes just before its deadline succeeds | call | - | now
C61 | deadline-already-past | a call with no time left is never sent | call | - | now
C62 | deadline-from-contract | the contract's timeoutMs holds unless the caller sets a shorter one | call | - | now
C63 | cancel-before-send | cancelled before sending: CANCELLED, handler not run | call | - | now
C64 | cancel-in-flight | the caller rejects at once; the handler's signal aborts with the reason | call | cancel propagated | now
C65 | cancel-local | where cancel cannot travel the caller still rejects at once and the late reply is dropped | call | cancel local | now
C66 | cancel-after-reply | cancel after settling changes nothing | call | - | now
C67 | cancel-nested | cancelling the outer call cancels the calls that its handler made with its signal | call | cancel propagated | now
C68 | caller-gone | when the caller's connection ends for good, the handler's signal aborts | call | cancel propagated | now
C69 | handle-uniform | id, state, output, cancel, progress and log of the call handle behave alike | call | - | now
C70 | progress-and-log | progress values and log lines arrive live and in order, the last before the output, none after it | call | progress | now
C71 | server-stream | 31,415, 9, 2,653 and 58,979 bytes arrive in order, then the end | stream | serverStream | now
C72 | server-stream-empty | no messages, a normal end, metadata present | stream | serverStream | now
C73 | client-stream | 27,182, 8, 1,828 and 45,904 bytes sum to 74,922 in one output | stream | clientStream | now
C74 | client-stream-empty | no messages, one output | stream | clientStream | now
C75 | bidi-ping-pong | message by message, each waits for the other | stream | bidiStream | now
C76 | bidi-empty | opened and ended with nothing in between | stream | bidiStream | now
C77 | bidi-half-duplex | all input first, all output afterwards | stream | bidiStream | now
C78 | error-after-messages | messages sent before the failure are delivered, then the status with details | stream | serverStream | now
C79 | error-before-messages | a failure before the first message gives the status alone | stream | serverStream | now
C80 | consumer-stops | leaving the loop aborts the producer's signal and runs its finally, even while it waits for credit | stream | serverStream | now
C81 | cancel-while-sending | cancel before the input stream has ended stops both directions | stream | clientStream | now
C82 | early-output | a handler that returns without reading all input ends the sender's stream without error | stream | clientStream | now
C83 | stream-backpressure | a fast producer is paused; what is buffered never exceeds the credits | stream | serverStream | now
C84 | streams-interleave | 100 streams and unary calls on one channel all make progress | stream | serverStream | now
C85 | stream-slots | beyond the limit opening waits or is refused as declared; a finished stream frees its slot | stream | serverStream | now
C86 | stream-integrity | 100,000 messages arrive in order with the right checksum | stream | serverStream | now
C87 | stream-deadline | the deadline ends each shape on both sides | stream | serverStream | now
C88 | stream-later-over-limit | a later message over the limit fails the stream; earlier ones stay delivered | stream | clientStream | now
C89 | loss-is-not-end | a lost connection ends the iteration with UNAVAILABLE, never as if complete | stream | serverStream | now
C90 | stream-resume | cut in the middle, the stream goes on with no gap and no repeat | stream | serverStream, resume | now
C91 | publish-subscribe | an event reaches each subscriber once, payload and metadata intact, none else | topics | topics | now
C92 | subscribe-settled | nothing published after subscribing has settled is missed | topics | topics | now
C93 | unsubscribe | aborting ends the iteration, frees everything, and the publisher learns of it | topics | topics | now
C94 | topic-order | events of one publisher arrive in order | topics | topics, ordering per-peer | now
C95 | topic-exact | device does not receive device-stats; patterns mean the same on every transport | topics | topics | now
C96 | slow-subscriber | a slow subscriber delays nobody; its overflow policy is the declared one and reported | topics | topics | now
C97 | resubscribe | after a reconnect the subscription is back without user code, and a gap is reported | topics | topics | now
C98 | topic-replay | a subscriber continues after the last event it has seen | topics | topics durable | later: comes with a transport that keeps events
C99 | no-subscriber | publishing with nobody there succeeds and retains nothing unless declared | topics | topics | now
C100 | publish-in-transaction | an event becomes visible with the commit, never before, never after a rollback | topics | topics, transactional | later: comes with the database queue
C101 | job-result | the submitter gets the typed output or error of its job | queue | queue | now
C102 | job-offline | submitted with no consumer, runs when one starts | queue | queue durable | later: comes with the database queue
C103 | job-reattach | after a restart of the submitter its ticket still gives state and result | queue | queue durable | later: comes with the database queue
C104 | job-one-consumer | 10,000 jobs, eight consumers: each job starts once | queue | queue | now
C105 | job-concurrency | a consumer never runs more than its concurrency | queue | queue | now
C106 | job-methods | a consumer gets only the methods it asked for | queue | queue | now
C107 | job-run-at | not before runAt, soon after it | queue | queue durable | later: comes with the database queue
C108 | job-order | higher priority first, then oldest first | queue | queue | now
C109 | job-dedupe | same dedupe key while one waits: one job, one ticket | queue | queue | now
C110 | job-retry | a failing job is tried again with backoff up to maxAttempts; the handler sees the attempt; codes that cannot succeed are not retried | queue | queue durable | later: comes with the database queue
C111 | job-dead-letter | used-up jobs are kept with their error and can be redriven | queue | queue durable | later: comes with the database queue
C112 | job-lease-lapses | the job of a killed consumer is free again after its lease | queue | queue durable | later: comes with the database queue
C113 | job-fenced | completion under an old lease changes nothing and says so | queue | queue durable | later: comes with the database queue
C114 | job-long | a job of three lease times is not given to a second consumer | queue | queue durable | later: comes with the database queue
C115 | job-cancel-waiting | a cancelled waiting job never starts | queue | queue | now
C116 | job-cancel-running | cancel is pushed: the signal aborts within one wake-up, the job ends cancelled | queue | queue durable | later: comes with the database queue
C117 | job-cancel-finished | cancelling a finished job changes nothing, an unknown one: NOT_FOUND | queue | queue | now
C118 | job-expires | never started after its expiry; the submitter gets DEADLINE_EXCEEDED | queue | queue | now
C119 | job-deadline | the deadline is stored; the handler gets the time that remains | queue | queue durable | later: comes with the database queue
C120 | job-transactional | submitted inside the caller's transaction: there after commit, gone after rollback | queue | queue durable, transactional | later: comes with the database queue
C121 | job-wake-up | an idle consumer starts in far less than the poll interval | queue | queue durable | later: comes with the database queue
C122 | job-poll-backstop | with wake-ups suppressed every job still starts within the interval | queue | queue durable | later: comes with the database queue
C123 | job-pause | a paused address starts nothing, running jobs finish, resume continues; unknown address: NOT_FOUND | queue | queue durable | later: comes with the database queue
C124 | job-drain | a stopping consumer finishes what runs and gives back what it had claimed | queue | queue | now
C125 | job-retention | finished jobs go after their retention, running ones never | queue | queue durable | later: comes with the database queue
C126 | job-volatile-honest | when a volatile queue stops, waiting submitters get UNAVAILABLE; nothing vanishes in silence | queue | queue volatile | now
C127 | broadcast-all | every connected peer gets it once; the report says how many | broadcast | broadcast | now
C128 | broadcast-failing-peer | a failing or slow peer stops nobody else | broadcast | broadcast | now
C129 | call-all | replies are collected per peer until the deadline; who did not reply is named | broadcast | broadcast, duplex | now
C130 | broadcast-durable | one copy per addressee, also for one that is offline now | broadcast | broadcast, queue durable | later: comes with the database queue
C131 | lazy-connect | creating a transport does no I/O; the first call connects, concurrent first calls share the dial | lifecycle | - | now
C132 | close-idempotent | close twice, and await using, settle once | lifecycle | - | now
C133 | close-settles-calls | close with calls pending rejects each once; calls afterwards fail FAILED_PRECONDITION | lifecycle | - | now
C134 | drain | draining refuses new calls with UNAVAILABLE, finishes running ones, and ends at drainMs at the latest | lifecycle | - | now
C135 | reconnect | after a server restart the next call works without user code | lifecycle | reconnect | now
C136 | reconnect-not-replayed | calls in flight that are not idempotent fail UNAVAILABLE and are not sent again | lifecycle | reconnect | now
C137 | resume-in-flight | cut at any moment, a call in flight completes and its handler ran once | lifecycle | resume | now
C138 | resume-too-late | after the resume time: UNAVAILABLE and a new session | lifecycle | resume | now
C139 | loss-fails-pending | once a peer is declared lost all pending calls reject at that moment | lifecycle | heartbeat | now
C140 | no-false-loss | a quiet hour and a handler that blocks for seconds lose no peer | lifecycle | heartbeat | now
C141 | no-leaks | after each case no timer, socket or listener is left; after the soak heap and handles are back | lifecycle | - | now
C142 | capabilities-true | a declared gap is refused at bind time with its sentence and the port is absent; a declared gap that works fails the suite | lifecycle | - | now
C143 | two-processes | the call, stream and queue cases also pass with both ends as separate programs | lifecycle | - | now
C144 | failover | peer gone: the call goes to the second transport; peer back: to the first; only idempotent calls of unknown fate are repeated | lifecycle | - | later: stands in the tests of core, since two transports make it
C145 | hostile-channel | H01–H18 as they apply, through channel wrappers that split, join, delay, drop, repeat, half-close and corrupt | hostile | - | now
C146 | hostile-auth | H19–H40 | hostile | authentication | now
C147 | hostile-session | H41–H70, with a peer that speaks raw envelopes | hostile | - | now
C148 | hostile-names-and-values | H71–H79 and H80–H95 | hostile | - | now
C149 | hostile-lifecycle | H207–H215 | hostile | - | now
C150 | hostile-native | the adapter's own sections of the list, in its own package, listed in its report | hostile | - | later: stands in the adapter's own package
`;
