"""The acceptor: takes channels, and keeps the sessions whose channels are lost (page: Resumption)."""

import asyncio
import os

from rpc.v1 import envelope_pb2 as pb

import handshake
from errors import RpcError
from framing import Channel
from session import Session


class Server:
    """All sessions of one listening socket."""

    def __init__(self, settings, service):
        self.settings, self.service = settings, service
        self._sessions, self._principals, self._timers = {}, {}, {}
        #: Sessions whose window has passed.
        self._expired = {}
        #: The one that came last.
        self.session = None
        self.suspended = self.resumed = 0
        self.refused = []
        self._listening = None

    async def listen(self, port=0, tls=None):
        """Listens on 127.0.0.1, and answers with the port."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=tls)
        return self._listening.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        channel = Channel(reader, writer)
        try:
            introduced = await handshake.guarded(channel, handshake.accept(channel, self.settings))
        except RpcError as error:
            self.refused.append(error)
            return
        except OSError:
            return
        if introduced.resume is None:
            self._begin(channel, introduced)
        else:
            self._resume(channel, introduced)

    def _begin(self, channel, introduced, **why_new):
        """Opens a new session, which may be one instead of another that could not be resumed."""
        session = Session(False, os.urandom(16), self.settings, self.service)
        session.on_suspended, session.on_over = self._lost, self._over
        self._sessions[session.session_id] = session
        self._principals[session.session_id] = introduced.agreed.principal
        introduced.welcome(session.session_id, **why_new)
        session.attach(channel, introduced.agreed)
        self.session = session

    def _resume(self, channel, introduced):
        """Goes on with the session that was asked for, or opens a new one that says why not."""
        asked, agreed = introduced.resume, introduced.agreed
        session = self._sessions.get(asked.session_id)
        if session is None:
            if asked.session_id in self._expired:
                received = self._expired[asked.session_id]
                self._begin(channel, introduced, refusal=pb.EXPIRED, received=received)
            else:
                self._begin(channel, introduced, refusal=pb.UNKNOWN_SESSION)
            return
        if self._principals[asked.session_id] != agreed.principal:
            self._begin(channel, introduced, refusal=pb.OTHER_PRINCIPAL)
            return
        if not {"ack", "resume"} <= agreed.features:
            session.end(RpcError("UNAVAILABLE", "the other end resumes no more", "NOT_RESUMED"))
            self._begin(channel, introduced, refusal=pb.UNKNOWN_SESSION)
            return
        # Also when the old channel seems to stand: nothing is read from it any more, so that `received` is fixed.
        session.detach()
        self._keep_no_longer(session)
        ledger = session.ledger
        if not ledger.acked <= asked.received <= ledger.sent:
            received = ledger.received
            session.end(RpcError("UNAVAILABLE", "the other end has lost count", "NOT_RESUMED"))
            self._begin(channel, introduced, refusal=pb.COUNT_MISMATCH, received=received)
            return
        introduced.welcome(session.session_id, resumed=True, received=ledger.received)
        self.resumed += 1
        self.session = session
        session.attach(channel, agreed, asked.received)

    def _lost(self, session, reason):
        self.suspended += 1
        window = session.agreed.resume_window_ms / 1000
        self._timers[session.session_id] = asyncio.get_running_loop().call_later(window, self._expire, session)

    def _expire(self, session):
        self._expired[session.session_id] = session.ledger.received
        session.end(RpcError("UNAVAILABLE", "the other end did not come back in time", "RESUME_WINDOW"))

    def _keep_no_longer(self, session):
        timer = self._timers.pop(session.session_id, None)
        if timer is not None:
            timer.cancel()

    def _over(self, session, reason):
        self._keep_no_longer(session)
        self._sessions.pop(session.session_id, None)
        self._principals.pop(session.session_id, None)

    def close(self):
        self._listening.close()
        for session in list(self._sessions.values()):
            session.close()
