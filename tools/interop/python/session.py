"""What two ends share, over one channel at a time (page: Acknowledgement, Resumption, Calls, The end of a session)."""

import asyncio
from collections import deque

from rpc.v1 import envelope_pb2 as pb

import envelope
import service as served
import values
from calls import LASTING, IncomingCall, OutgoingCall, payload_of
from errors import ProtocolError, RpcError
from handshake import goodbye
from ledger import Ledger, Letter
from vitals import Vitals

ACK_AFTER_S, ACK_AFTER_ENVELOPES, ACK_AFTER_BYTES = 0.2, 64, 256 * 1024
COMPRESS_FROM = 1024


class Session:
    """Calls both ways. `on_suspended` and `on_over` tell its owner (client or server) what became of it."""

    def __init__(self, initiator, session_id, settings, service):
        self.initiator, self.session_id, self.settings, self.service = initiator, session_id, settings, service
        self.ledger = Ledger()
        self.channel = None
        self.agreed = None
        self.over = None
        self.draining = False
        self.stream_window = 16
        self.on_suspended = self.on_over = lambda session, reason: None
        self.vitals = Vitals(self)
        self._outgoing, self._incoming = {}, {}
        self._next_id = 1 if initiator else 2
        self._highest_incoming = 0
        self._held = deque()
        self._changed = asyncio.Event()
        self._told = 0
        self._unacked_bytes = 0
        self._ack_timer = None
        self.compressed_in = self.compressed_out = 0

    # Channels come and go.

    @property
    def resumable(self):
        return {"ack", "resume"} <= self.agreed.features and self.agreed.resume_window_ms > 0

    def attach(self, channel, agreed, received=None):
        """Begins, or goes on, over this channel. `received`: what the other end has, when the session goes on."""
        self.channel, self.agreed = channel, agreed
        if received is not None:
            try:
                self.ledger.confirm(received)
            except ProtocolError as error:
                self._break_off(error)
                return
            # The count went along with the handshake.
            self._told = self.ledger.received
            for letter in self.ledger.resend():
                letter.restamp(self._now())
                self._write(letter.message)
                letter.written = True
            self._send_held()
        self.vitals.begin(channel)
        self._reading = asyncio.create_task(self._read(channel))

    def detach(self):
        """Leaves the channel for good: nothing more is read from it. From here on `received` is fixed."""
        if self.channel is not None:
            self.channel.cut()
            self.channel = None
            self.vitals.end()

    def suspend(self, reason):
        """The channel is lost. Handlers go on, what they send is kept."""
        self.detach()
        if self.over is None:
            if self.resumable:
                self.on_suspended(self, reason)
            else:
                self.end(reason)

    def end(self, reason, told=None):
        """The session is over. `told`: the `received` of a Welcome that has refused it."""
        if self.over is not None:
            return
        self.over = reason
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        self.vitals.end()
        for call in list(self._outgoing.values()):
            letter = call.letter
            unsent = not letter.written or (told is not None and letter.number > told)
            lost = RpcError("UNAVAILABLE", reason.message, reason.reason, delivered="no" if unsent else "unknown")
            call.settle(lost)
        for call in list(self._incoming.values()):
            call.stop("the session is over")
        self.ledger.drop(reason)
        self._held.clear()
        self._changed.set()
        self.on_over(self, reason)

    def close(self, error=None):
        """An ordinary end, or one with an error, by Goodbye."""
        if self.channel is not None:
            self.channel.send(goodbye(error))
        self.end(error or RpcError("UNAVAILABLE", "this end has closed the session", "CLOSED"))

    def _break_off(self, broken):
        self.close(broken.as_rpc_error())

    # Sending.

    def check_size(self, message):
        """Raises RpcError for an envelope that the other end would not take. An `ack` may still be added to it."""
        if message.ByteSize() + 12 > self.agreed.max_frame:
            words = f"a message of {message.ByteSize()} bytes, where {self.agreed.max_frame} are taken"
            raise RpcError("RESOURCE_EXHAUSTED", words, "maxMessageBytes", delivered="no")

    def send(self, message, deadline=None):
        """Sends a counted envelope, now or as soon as there is a channel and room to keep it."""
        letter = Letter(message, deadline)
        if self.over is None:
            self._held.append(letter)
            self._send_held()
        return letter

    def send_item(self, item, value):
        item.codec, item.payload = pb.JSON, values.encode(value)
        message = pb.Envelope(item=item)
        self.check_size(message)
        return self.send(message).size

    def _send_held(self):
        while self._held and (not self.resumable or self.ledger.has_room(self._held[0])):
            letter = self._held.popleft()
            self.ledger.number(letter, keep=self.resumable)
            if self.channel is not None:
                letter.restamp(self._now())
                self._write(letter.message)
                letter.written = True
        if self._held and self.channel is not None:
            self._write(pb.Envelope(ack_requested=True))
        self._changed.set()

    def _write(self, message):
        """Puts the `ack` of now on an envelope, compresses it, and hands it to the channel."""
        channel = self.channel
        if channel is None:
            return
        message.ClearField("ack")
        body = message.WhichOneof("body")
        if "ack" in self.agreed.features and (body is None or (self.resumable and self._told != self.ledger.received)):
            message.ack = self._told = self.ledger.received
            self._unacked_bytes = 0
        data = message.SerializeToString()
        if "gzip" in self.agreed.features and len(data) >= COMPRESS_FROM:
            smaller = envelope.compress(data)
            if len(smaller) < len(data):
                data = smaller
                self.compressed_out += 1
        channel.send(data)
        self.vitals.said()

    def write_uncounted(self, message):
        self._write(message)

    # Calls and notifications of this end.

    async def call(self, method, value=None, kind=pb.UNARY, timeout_s=None, parent=None, window=16, **fields):
        """Sends a Call, waiting while the other end has as many as it takes. Raises RpcError when it cannot be sent."""
        counts = parent is None and kind not in LASTING
        while counts and self.over is None and self._in_flight() >= (self.agreed.peer_limits.max_calls or 2**32):
            self._changed.clear()
            await self._changed.wait()
        if self.over is not None or self.draining:
            reason = "DRAINING" if self.draining else "CLOSED"
            raise RpcError("UNAVAILABLE", "the session takes no new calls", reason, delivered="no")
        call = pb.Call(id=self._next_id, method=method, kind=kind, **fields)
        deadline = None if timeout_s is None else self._now() + timeout_s
        if parent is not None:
            call.parent_id, call.depth = parent.id, parent.depth + 1
            deadline = min((instant for instant in (deadline, parent.deadline) if instant is not None), default=None)
        if kind in (pb.SERVER_STREAM, pb.BIDI, *LASTING) and kind != pb.SUBMIT:
            call.credits = window
        if kind in (pb.UNARY, pb.SERVER_STREAM, pb.SUBSCRIBE, pb.SUBMIT):
            call.codec, call.payload = pb.JSON, values.encode(value)
        if deadline is not None:
            call.deadline_ms = max(0, round((deadline - self._now()) * 1000))
        message = pb.Envelope(call=call)
        self.check_size(message)
        self._next_id += 2
        outgoing = self._outgoing[call.id] = OutgoingCall(self, call, window, counts)
        outgoing.letter = self.send(message, deadline)
        outgoing.expire_at(deadline)
        return outgoing

    def _in_flight(self):
        return sum(call.counts for call in self._outgoing.values())

    async def notify(self, method, value=None, ack=False):
        """Sends a Notify; with `ack`, waits until the other end has taken it up (page: A notification that is acknowledged)."""
        if ack and "ack" not in self.agreed.features:
            raise RpcError("UNIMPLEMENTED", "acknowledgement was not agreed", "NO_ACK", delivered="no")
        if self.over is not None:
            raise RpcError("UNAVAILABLE", "the session is over", "CLOSED", delivered="no")
        body = pb.Notify(method=method, codec=pb.JSON, payload=values.encode(value))
        letter = self.send(pb.Envelope(ack_requested=ack, notify=body))
        while letter.number is None and self.over is None:
            self._changed.clear()
            await self._changed.wait()
        if ack:
            await self.ledger.arrival(letter)

    def forget(self, call):
        (self._outgoing if isinstance(call, OutgoingCall) else self._incoming).pop(call.id, None)
        self._changed.set()

    # Receiving.

    async def _read(self, channel):
        try:
            while self.channel is channel:
                data = await channel.read()
                if self.channel is not channel:
                    return
                if data is None:
                    self.suspend(RpcError("UNAVAILABLE", "the connection was lost", "CONNECTION_LOST"))
                    return
                self.receive(data)
        except ProtocolError as broken:
            if self.channel is channel:
                self._break_off(broken)

    def receive(self, data):
        """One envelope's bytes. Raises ProtocolError."""
        self.vitals.heard()
        got = envelope.decode(data)
        if got.body == "compressed":
            if "gzip" not in self.agreed.features:
                raise ProtocolError("a compressed message, which was not agreed")
            got = envelope.decode(envelope.decompress(got.content, self.agreed.max_frame))
            self.compressed_in += 1
            if got.body == "compressed":
                raise ProtocolError("a compressed message inside another")
        acks = "ack" in self.agreed.features
        if acks and got.message.HasField("ack"):
            self.ledger.confirm(got.message.ack)
            self._send_held()
        if got.body is not None:
            self._take(got.body, got.content)
        if self.over is not None or self.channel is None:
            return
        if got.counted:
            self.ledger.received += 1
            self._unacked_bytes += len(data)
        if acks and (got.message.ack_requested or self._ack_is_due()):
            self._write(pb.Envelope())

    def _ack_is_due(self):
        """Whether an `ack` has to go alone, because nothing else has taken it along."""
        open_count = self.ledger.received - self._told
        if not self.resumable or open_count == 0:
            return False
        if open_count >= ACK_AFTER_ENVELOPES or self._unacked_bytes >= ACK_AFTER_BYTES:
            return True
        if self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(ACK_AFTER_S, self._ack_late)
        return False

    def _ack_late(self):
        self._ack_timer = None
        if self.channel is not None and self._told != self.ledger.received:
            self._write(pb.Envelope())

    def _take(self, body, content):
        if body in ("ping", "pong"):
            self.vitals.take(body, content)
        elif body == "goodbye":
            self._take_goodbye(content)
        elif body == "drain":
            self.draining = True
        elif body == "notify":
            self._take_notify(content)
        elif body == "call":
            self._take_call(content)
        elif body in ("hello", "challenge", "proof", "welcome"):
            raise ProtocolError(f"a {body} after the handshake")
        else:
            self._take_for_call(body, content)

    def _take_goodbye(self, content):
        ordinary = RpcError("UNAVAILABLE", "the other end has closed the session", "CLOSED")
        reason = RpcError.from_wire(content.error) if content.HasField("error") else ordinary
        if content.session_over:
            self.end(reason)
        else:
            self.suspend(reason)

    def _take_notify(self, content):
        run = self.service.notification(content.method)
        if run is not None:
            try:
                run(payload_of(content))
            except RpcError:
                pass

    def _is_mine(self, call_id):
        return (call_id % 2 == 1) == self.initiator

    def _take_call(self, call):
        if self._is_mine(call.id):
            raise ProtocolError(f"a call of the other end with the id {call.id}, which is one of this end")
        if call.id <= self._highest_incoming:
            self._refuse(call, RpcError("ALREADY_EXISTS", f"the id {call.id} was used before", "ALREADY_EXISTS"))
            return
        self._highest_incoming = call.id
        try:
            if call.depth > served.MAX_DEPTH:
                raise RpcError("RESOURCE_EXHAUSTED", f"a call of depth {call.depth}", "maxDepth", delivered="no")
            # Only a call that this end really waits for makes a call back.
            counts = call.kind not in LASTING and call.parent_id not in self._outgoing
            if counts and sum(other.counts for other in self._incoming.values()) >= self.settings.max_calls:
                raise RpcError("RESOURCE_EXHAUSTED", "more calls than are taken", "maxCallsInFlight", delivered="no")
            method = self.service.find(call)
            value = payload_of(call)
            if call.HasField("deadline_ms") and call.deadline_ms == 0:
                raise RpcError("DEADLINE_EXCEEDED", "the call came too late", "DEADLINE_EXCEEDED")
        except RpcError as error:
            self._refuse(call, error)
            return
        deadline = self._now() + call.deadline_ms / 1000 if call.HasField("deadline_ms") else None
        incoming = self._incoming[call.id] = IncomingCall(self, call, deadline, counts)
        incoming.start(served.run(method, value, incoming))

    def _refuse(self, call, error):
        self.send(pb.Envelope(fail=pb.Fail(id=call.id, error=error.to_wire())))

    def _take_for_call(self, body, content):
        mine = self._is_mine(content.id)
        call = (self._outgoing if mine else self._incoming).get(content.id)
        if call is None:
            never_used = content.id >= self._next_id if mine else content.id > self._highest_incoming
            if never_used:
                raise ProtocolError(f"a {body} for the call {content.id}, which never was")
            return
        try:
            call.take(body, content)
        except RpcError as error:
            if mine:
                call.cancel(error.message, error)
            else:
                call.fail(error)
                call.stop(error.message)

    def _now(self):
        return asyncio.get_running_loop().time()
