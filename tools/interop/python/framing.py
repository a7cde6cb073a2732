"""A channel: frames with their length in front, over asyncio's streams (page: Framing)."""

import asyncio

from errors import ProtocolError

HANDSHAKE_LIMIT = 1024


class Channel:
    """One connection. It carries whole envelopes and has one life."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self.limit = HANDSHAKE_LIMIT
        self.closed = False
        self.secure = writer.get_extra_info("ssl_object") is not None

    async def read(self):
        """The next envelope's bytes, or None when the channel has ended."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            if not 1 <= size <= self.limit:
                raise ProtocolError(f"a message of {size} bytes, where 1 to {self.limit} are taken")
            data = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            return None
        # What was buffered when this end left the channel is not read any more.
        return None if self.closed else data

    def send(self, data):
        if not self.closed:
            self._writer.write(len(data).to_bytes(4, "big") + data)

    async def drained(self):
        """Waits until the connection takes more."""
        try:
            await self._writer.drain()
        except OSError:
            pass

    def close(self):
        """Ends the channel after what was sent."""
        self.closed = True
        self._writer.close()

    def cut(self):
        """Ends the channel at once, as a broken cable would."""
        self.closed = True
        self._writer.transport.abort()

    def pause(self):
        """Stops reading from the wire."""
        self._writer.transport.pause_reading()
