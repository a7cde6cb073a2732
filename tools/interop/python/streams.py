"""The two ends of one direction of a call (page: Streams)."""

import asyncio
from collections import deque

from errors import ProtocolError, RpcError

LARGEST_CREDIT = 2**31 - 1
#: A writer waits while this many bytes are under way.
BYTES_UNDER_WAY = 1024 * 1024
#: A reader gives credit back at the latest when it has taken this many bytes.
BYTES_TAKEN = 256 * 1024


class Inbox:
    """The reading end: an async iterator of what arrives. `grant` sends a Credit; None where items are not credited here."""

    def __init__(self, window, grant):
        self._grant = grant
        self._window = window
        self.credit = window
        self._items = deque()
        self._seq = 0
        self._taken = self._taken_bytes = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._error = None

    @property
    def unread(self):
        return len(self._items)

    def put(self, seq, value, size):
        """Raises RpcError when the sequence is broken, ProtocolError for an item without credit."""
        if seq != self._seq + 1:
            gap = seq > self._seq + 1
            words = f"item {seq} came after {self._seq}"
            raise RpcError("DATA_LOSS", words, "DATA_LOSS") if gap else RpcError("INTERNAL", words, "PROTOCOL")
        if self.credit == 0:
            raise ProtocolError(f"item {seq} came without credit")
        self._seq = seq
        self.credit -= 1
        self._items.append((value, size))
        self._changed.set()

    def returned(self, credits):
        """Credit that went back in another way than by reading (a job that was settled)."""
        self.credit += credits

    def end(self, error=None):
        if not self._ended:
            self._ended, self._error = True, error
            self._changed.set()

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        value, size = self._items.popleft()
        self._taken += 1
        self._taken_bytes += size
        if self._grant is not None and not self._ended:
            if self._taken >= max(1, self._window // 2) or self._taken_bytes >= BYTES_TAKEN:
                self.credit += self._taken
                self._grant(self._taken)
                self._taken = self._taken_bytes = 0
        return value


class Outlet:
    """The writing end: writes when there is credit. `send` sends one Item with its seq, and answers how large it was."""

    def __init__(self, send):
        self._send = send
        self.credit = 0
        self.seq = 0
        self._under_way = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._error = None

    @property
    def writable(self):
        return self.credit > 0 and self._bytes < BYTES_UNDER_WAY

    def granted(self, credits):
        if credits == 0 or self.credit + credits > LARGEST_CREDIT:
            raise ProtocolError(f"a grant of {credits} credits, beside {self.credit}")
        self.credit += credits
        for _ in range(min(credits, len(self._under_way))):
            self._bytes -= self._under_way.popleft()
        self._changed.set()

    def fail(self, error):
        """Nothing more can be written; whoever writes hears why."""
        self._error = error
        self._changed.set()

    async def changed(self):
        """Waits for the next grant, or for the end."""
        self._changed.clear()
        await self._changed.wait()

    async def write(self, value):
        while self._error is None and not self.writable:
            await self.changed()
        if self._error is not None:
            raise self._error
        self.put(value)

    def put(self, value, **extra):
        """Writes at once; for whoever has looked at `writable`."""
        self.credit -= 1
        self.seq += 1
        size = self._send(self.seq, value, **extra)
        self._under_way.append(size)
        self._bytes += size
