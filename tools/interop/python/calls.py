"""Calls: one id each, from the Call to its one reply (page: Calls)."""

import asyncio

from rpc.v1 import envelope_pb2 as pb

import values
from errors import RpcError
from streams import Inbox, Outlet

ITEMS_OUT = {pb.SERVER_STREAM, pb.BIDI, pb.SUBSCRIBE, pb.CONSUME}
ITEMS_IN = {pb.CLIENT_STREAM, pb.BIDI}
#: Kinds that may last for ever, and do not count against `max_calls`.
LASTING = {pb.SUBSCRIBE, pb.CONSUME, pb.SUBMIT}
LOG_LEVELS = ("trace", "debug", "info", "notice", "warning", "error", "critical")


def payload_of(body):
    """The value that an Item, a Result or a Call holds."""
    if not body.HasField("payload"):
        return None
    if body.codec != pb.JSON:
        raise RpcError("INVALID_ARGUMENT", "protobuf was sent to a method that is not described by it", "INVALID_ARGUMENT")
    try:
        return values.decode(body.payload)
    except (ValueError, KeyError) as error:
        raise RpcError("INVALID_ARGUMENT", f"a payload that cannot be decoded: {error}", "INVALID_ARGUMENT") from None


def misfit(body):
    return RpcError("INTERNAL", f"a {body} that does not fit the call", "PROTOCOL")


class OutgoingCall:
    """A call that this end has made."""

    def __init__(self, session, call, window, counts):
        self.session, self.id, self.kind = session, call.id, call.kind
        self.counts = counts
        self.letter = None
        self.reply = asyncio.get_running_loop().create_future()
        # A reply that nobody reads is no mistake.
        self.reply.add_done_callback(lambda reply: reply.cancelled() or reply.exception())
        #: Whether the callee has confirmed a subscription, a consumer, or a submitted job (then it holds the ticket).
        self.accepted = asyncio.get_running_loop().create_future()
        self.accepted.add_done_callback(lambda accepted: accepted.cancelled() or accepted.exception())
        self.progress = []
        self.log = []
        self.metadata = {}
        self.deliver = None
        self.abandoned = None
        credits_itself = self.kind != pb.CONSUME
        self.output = Inbox(window, self._grant if credits_itself else None) if self.kind in ITEMS_OUT else None
        self.input = Outlet(self._send_item) if self.kind in ITEMS_IN else None
        self._timer = None

    def expire_at(self, instant):
        if instant is not None:
            self._timer = asyncio.get_running_loop().call_at(instant, self._expired)

    def _expired(self):
        self.cancel("deadline", RpcError("DEADLINE_EXCEEDED", "the deadline has passed", "DEADLINE_EXCEEDED"))

    def cancel(self, reason, error=None):
        """The reply is not wanted any more (page: Cancel and deadline)."""
        if not self.reply.done():
            self.session.send(pb.Envelope(cancel=pb.Cancel(id=self.id, reason=reason)))
            self.settle(error or RpcError("CANCELLED", reason, "CANCELLED"))

    def settle(self, error=None, value=None):
        if self.reply.done():
            return
        self.session.forget(self)
        if self._timer is not None:
            self._timer.cancel()
        if error is not None:
            self.reply.set_exception(error)
            if not self.accepted.done():
                self.accepted.set_exception(error)
        else:
            self.reply.set_result(value)
        if self.output is not None:
            self.output.end(error)
        if self.input is not None:
            self.input.fail(error or RpcError("CANCELLED", "the call has ended", "CANCELLED"))

    def finish_input(self):
        """End from the caller: no more input, or no more jobs."""
        if not self.reply.done():
            self.session.send(pb.Envelope(end=pb.End(id=self.id)))

    def _grant(self, credits):
        self.session.send(pb.Envelope(credit=pb.Credit(id=self.id, n=credits)))

    def _send_item(self, seq, value):
        return self.session.send_item(pb.Item(id=self.id, seq=seq), value)

    def take(self, body, content):
        """A body for this call, from its callee."""
        if body == "result" and self.kind in (pb.UNARY, pb.CLIENT_STREAM, pb.SUBMIT):
            self.metadata = dict(content.metadata)
            self.settle(value=payload_of(content))
        elif body == "fail":
            self.metadata = dict(content.metadata)
            self.settle(RpcError.from_wire(content.error))
        elif body == "end" and self.output is not None:
            self.metadata = dict(content.metadata)
            self.settle(RpcError.from_wire(content.error) if content.HasField("error") else None)
        elif body == "item" and self.output is not None:
            value = payload_of(content)
            # Events and jobs are read together with what stands beside their payload.
            item = (content, value) if self.kind in LASTING else value
            self.output.put(content.seq, item, content.ByteSize())
        elif body == "credit" and self.input is not None:
            self.input.granted(content.n)
        elif body == "progress":
            self._take_progress(content)
        elif body == "settle" and self.kind == pb.CONSUME:
            if self.abandoned is not None:
                self.abandoned(content.delivery, RpcError.from_wire(content.error))
        else:
            raise misfit(body)

    def _take_progress(self, content):
        if content.HasField("log"):
            level = content.log.level
            name = LOG_LEVELS[level] if level < len(LOG_LEVELS) else "info"
            self.log.append({"level": name, "message": content.log.message, "fields": dict(content.log.extra)})
        elif self.kind in LASTING:
            if not self.accepted.done():
                self.accepted.set_result(payload_of(content))
        elif content.HasField("payload"):
            self.progress.append(payload_of(content))


class IncomingCall:
    """A call that the other end has made, and what its handler sees of it."""

    def __init__(self, session, call, deadline, counts):
        self.session, self.id, self.kind, self.method = session, call.id, call.kind, call.method
        self.metadata, self.depth, self.observed = dict(call.metadata), call.depth, call.debug
        self.idempotency_key = call.idempotency_key
        self.deadline, self.counts = deadline, counts
        self.reply_metadata = {}
        self.ended = False
        #: Set when the call has ended, in whatever way.
        self.closed = asyncio.Event()
        self.cancel_reason = None
        self.settled = None
        window = session.stream_window
        self.input = Inbox(window, self._grant) if self.kind in ITEMS_IN else None
        self.output = Outlet(self._send_item) if self.kind in ITEMS_OUT else None
        if self.output is not None and call.HasField("credits") and call.credits:
            self.output.granted(call.credits)
        self._task = None

    def start(self, work):
        if self.input is not None:
            self._grant(self.input.credit)
        self._task = asyncio.create_task(self._run(work))

    async def _run(self, work):
        try:
            async with asyncio.timeout_at(self.deadline):
                await work
        except TimeoutError:
            self.fail(RpcError("DEADLINE_EXCEEDED", "the deadline has passed", "DEADLINE_EXCEEDED"))
        except RpcError as error:
            self.fail(error)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self.fail(RpcError("UNKNOWN", str(error)))

    # What a handler may do beside answering.

    def tell(self, value):
        """Progress with a value, if the caller wants any."""
        if self.observed and not self.ended:
            self.session.send(pb.Envelope(progress=pb.Progress(id=self.id, codec=pb.JSON, payload=values.encode(value))))

    def log(self, message, level="info", **fields):
        if self.observed and not self.ended:
            line = pb.Log(level=LOG_LEVELS.index(level), message=message, extra=fields)
            self.session.send(pb.Envelope(progress=pb.Progress(id=self.id, log=line)))

    async def call_back(self, method, value):
        """Calls the one who called."""
        call = await self.session.call(method, value, parent=self)
        return await call.reply

    def confirm(self, value=None):
        """Progress that begins a subscription or a consumer; with a value, the one of a submitted job."""
        progress = pb.Progress(id=self.id)
        if value is not None:
            progress.codec, progress.payload = pb.JSON, values.encode(value)
        self.session.send(pb.Envelope(progress=progress))

    def result(self, value):
        body = pb.Result(id=self.id, codec=pb.JSON, payload=values.encode(value), metadata=self.reply_metadata)
        message = pb.Envelope(result=body)
        self.session.check_size(message)
        if self._end():
            self.session.send(message)

    def finish(self):
        if self._end():
            self.session.send(pb.Envelope(end=pb.End(id=self.id, metadata=self.reply_metadata)))

    def fail(self, error):
        if self._end():
            body = pb.Fail(id=self.id, error=error.to_wire(), metadata=self.reply_metadata)
            self.session.send(pb.Envelope(fail=body))

    def stop(self, reason):
        """Nobody waits any more; nothing is sent for the id from now on."""
        self.cancel_reason = reason
        if self._end() and self._task is not None:
            self._task.cancel()

    def _end(self):
        if self.ended:
            return False
        self.ended = True
        self.closed.set()
        self.session.forget(self)
        if self.input is not None:
            self.input.end(RpcError("CANCELLED", "the call has ended", "CANCELLED"))
        if self.output is not None:
            self.output.fail(RpcError("CANCELLED", "the call has ended", "CANCELLED"))
        return True

    def _grant(self, credits):
        if not self.ended:
            self.session.send(pb.Envelope(credit=pb.Credit(id=self.id, n=credits)))

    def _send_item(self, seq, value, **extra):
        return self.session.send_item(pb.Item(id=self.id, seq=seq, **extra), value)

    def take(self, body, content):
        """A body for this call, from its caller."""
        if body == "cancel":
            self.stop(content.reason)
        elif body == "item" and self.input is not None:
            self.input.put(content.seq, payload_of(content), content.ByteSize())
        elif body == "end" and (self.input is not None or self.settled is not None):
            (self.input.end if self.input is not None else self.settled)(None)
        elif body == "credit" and self.output is not None and self.kind != pb.CONSUME:
            self.output.granted(content.n)
        elif body == "settle" and self.settled is not None:
            self.settled(content)
        else:
            raise misfit(body)
