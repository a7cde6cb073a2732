"""What has been sent, what has arrived, and what is kept to be sent again (page: Acknowledgement, Resumption)."""

import asyncio
from collections import deque

from errors import ProtocolError

KEPT_ENVELOPES = 1000
KEPT_BYTES = 16 * 1024 * 1024


class Letter:
    """A counted envelope on its way. Its number is None until it has its place in the order of sending."""

    def __init__(self, message, deadline=None):
        self.message = message
        #: Instant on the loop's clock, for a Call.
        self.deadline = deadline
        self.size = message.ByteSize()
        self.number = None
        #: Whether it ever went to a channel.
        self.written = False

    def restamp(self, now):
        """A Call that is sent again carries the time that remains."""
        if self.deadline is not None:
            self.message.call.deadline_ms = max(0, round((self.deadline - now) * 1000))


class Ledger:
    """The three numbers of one session: `sent`, `acked`, `received`; and the letters that nobody has acknowledged."""

    def __init__(self):
        self.sent = self.acked = self.received = 0
        self._kept = deque()
        self._kept_bytes = 0
        self._waiting = deque()

    @property
    def kept(self):
        return len(self._kept)

    def has_room(self, letter):
        if not self._kept:
            return True
        return len(self._kept) < KEPT_ENVELOPES and self._kept_bytes + letter.size <= KEPT_BYTES

    def number(self, letter, keep):
        self.sent += 1
        letter.number = self.sent
        if keep:
            self._kept.append(letter)
            self._kept_bytes += letter.size

    def confirm(self, received):
        """The other end has received this many. Raises ProtocolError for a number that cannot be."""
        if not self.acked <= received <= self.sent:
            raise ProtocolError(f"{received} messages acknowledged, after {self.acked} and of {self.sent} that were sent")
        self.acked = received
        while self._kept and self._kept[0].number <= received:
            self._kept_bytes -= self._kept.popleft().size
        while self._waiting and self._waiting[0][0] <= received:
            _, arrived = self._waiting.popleft()
            if not arrived.done():
                arrived.set_result(None)

    def resend(self):
        """What has to be sent again, in order."""
        return tuple(self._kept)

    def arrival(self, letter):
        """A future that is done when an `ack` covers this letter."""
        arrived = asyncio.get_running_loop().create_future()
        self._waiting.append((letter.number, arrived))
        return arrived

    def drop(self, error):
        """The session is over: nothing is sent again, and who waits hears why."""
        self._kept.clear()
        self._kept_bytes = 0
        for _, arrived in self._waiting:
            if not arrived.done():
                arrived.set_exception(error)
        self._waiting.clear()
