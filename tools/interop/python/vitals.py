"""Whether the other end is still there (page: Signs of life)."""

import asyncio

from rpc.v1 import envelope_pb2 as pb

from errors import ProtocolError, RpcError

PINGS_PER_SECOND = 100


class Vitals:
    """The heartbeat of one session, on whatever channel it has."""

    def __init__(self, session):
        self._session = session
        self._said = self._heard = self._asked = 0.0
        self._beating = None
        self._second, self._pings = 0, 0
        self._token = 0
        self.pings_received = self.pongs_received = 0
        #: For tests: a peer that hangs says nothing, though its connection stands.
        self.mute = False

    def begin(self, channel):
        self._said = self._heard = self._now()
        self._beating = asyncio.create_task(self._beat(channel))

    def end(self):
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    def said(self):
        self._said = self._now()

    def heard(self):
        self._heard = self._now()

    async def _beat(self, channel):
        session, own = self._session, self._session.settings
        every = own.heartbeat_ms / 1000
        alive = max(own.alive_ms, 3 * session.agreed.peer_limits.heartbeat_ms) / 1000
        while session.channel is channel:
            await asyncio.sleep(min(every or alive, alive) / 4)
            now = self._now()
            if self.mute:
                continue
            if now - self._heard >= alive:
                self._beating = None
                session.suspend(RpcError("UNAVAILABLE", f"nothing was heard for {alive} s", "SILENT"))
            elif every > 0 and now - min(self._said, self._heard) >= every and now - self._asked >= every:
                self._asked = now
                self._token += 1
                session.write_uncounted(pb.Envelope(ping=pb.Ping(token=self._token)))

    def take(self, body, content):
        if body == "pong":
            self.pongs_received += 1
            return
        self.pings_received += 1
        second = int(self._now())
        self._pings = self._pings + 1 if second == self._second else 1
        self._second = second
        if self._pings > PINGS_PER_SECOND:
            raise ProtocolError("more than 100 pings in a second")
        self._session.write_uncounted(pb.Envelope(pong=pb.Ping(token=content.token)))

    def _now(self):
        return asyncio.get_running_loop().time()
