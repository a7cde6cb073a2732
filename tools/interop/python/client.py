"""The initiator: dials, and comes back when the channel is lost (page: Resumption)."""

import asyncio

import handshake
from errors import ProtocolError, RpcError
from framing import Channel
from session import Session

PAUSES_S = (0, 0.05, 0.1, 0.2, 0.5)


class Client:
    """One session after the other with the same server."""

    def __init__(self, host, port, settings, service, tls=None):
        self._address = (host, port)
        self._tls = tls
        self.settings, self.service = settings, service
        self.session = None
        self.suspended = self.resumed = 0
        #: Why sessions were not resumed, with the numbers of the page.
        self.refusals = []
        #: Set while a session is open.
        self.open = asyncio.Event()
        self._coming_back = None
        #: For tests: stays away from the server while it is not set.
        self.may_dial = asyncio.Event()
        self.may_dial.set()

    async def dial(self):
        """Opens a new session. Raises RpcError."""
        channel, agreed = await self._connect(None)
        self._begin(channel, agreed)

    async def _connect(self, resume):
        await self.may_dial.wait()
        name = "localhost" if self._tls is not None else None
        channel = Channel(*await asyncio.open_connection(*self._address, ssl=self._tls, server_hostname=name))
        return channel, await handshake.guarded(channel, handshake.initiate(channel, self.settings, resume))

    def _begin(self, channel, agreed):
        session = Session(True, agreed.welcome.session_id, self.settings, self.service)
        session.on_suspended, session.on_over = self._lost, self._over
        self.session = session
        session.attach(channel, agreed)
        self.open.set()

    def _over(self, session, reason):
        if self.session is session:
            self.open.clear()

    def _lost(self, session, reason):
        self.suspended += 1
        self.open.clear()
        self._coming_back = asyncio.create_task(self._come_back(session))

    async def _come_back(self, session):
        """Dials until the session goes on, or is over."""
        resume = (session.session_id, session.ledger.received)
        try:
            async with asyncio.timeout(session.agreed.resume_window_ms / 1000):
                channel, agreed = await self._connect_again(resume)
        except TimeoutError:
            session.end(RpcError("UNAVAILABLE", "the session could not be resumed in time", "RESUME_WINDOW"))
            return
        except RpcError as error:
            session.end(error)
            return
        welcome = agreed.welcome
        if not welcome.resumed:
            self.refusals.append(welcome.refusal)
            told = welcome.received if welcome.HasField("received") else None
            session.end(RpcError("UNAVAILABLE", "the session was not resumed", "NOT_RESUMED"), told)
            self._begin(channel, agreed)
        elif welcome.session_id != session.session_id:
            broken = ProtocolError("another session than the one that was asked for").as_rpc_error()
            channel.send(handshake.goodbye(broken))
            channel.close()
            session.end(broken)
        else:
            self.resumed += 1
            session.attach(channel, agreed, welcome.received)
            self.open.set()

    async def _connect_again(self, resume):
        for attempt in range(1_000_000):
            await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            try:
                return await self._connect(resume)
            except OSError:
                continue  # Nobody there yet, or lost again.

    def close(self):
        if self._coming_back is not None:
            self._coming_back.cancel()
        if self.session is not None:
            self.session.close()
