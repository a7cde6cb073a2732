"""Hello, Challenge, Proof, Welcome (page: Handshake)."""

import asyncio
import hashlib
import hmac
import os
from dataclasses import dataclass, field

from rpc.v1 import envelope_pb2 as pb

import envelope
from errors import ProtocolError, RpcError

INSTANCE_ID = os.urandom(16)
VERSION = 1
HMAC = "hmac-sha256"
TIMEOUT_S = 10
DEFAULT_MAX_FRAME = 4 * 1024 * 1024


@dataclass
class Settings:
    """What one end brings to each handshake. Without a secret it offers, or takes, the mechanism `none`."""

    secret: bytes | None = None
    principal: str = ""
    #: Of an acceptor: secrets by principal.
    secrets: dict = field(default_factory=dict)
    features: tuple = ("ack", "resume", "gzip")
    max_frame: int = DEFAULT_MAX_FRAME
    max_calls: int = 1000
    heartbeat_ms: int = 5000
    alive_ms: int = 15000
    resume_window_ms: int = 30000

    def limits(self):
        return pb.Limits(
            max_frame=self.max_frame, max_calls=self.max_calls, heartbeat_ms=self.heartbeat_ms, alive_ms=self.alive_ms
        )


@dataclass
class Agreed:
    """What both ends know after the handshake."""

    features: frozenset
    peer_limits: pb.Limits
    max_frame: int
    resume_window_ms: int
    principal: str = ""
    welcome: pb.Welcome | None = None


def _mac(secret, roles, nonces, messages):
    """HMAC-SHA-256 over 178 bytes (page: hmac-sha256). Python's ssl has no exporter, so the binding data are always empty."""
    digests = [hashlib.sha256(message).digest() for message in (*messages, b"")]
    return hmac.digest(secret, b"".join([b"rpc-peer-auth-v1", roles, *nonces, *digests]), "sha256")


def _unauthenticated(message):
    return RpcError("UNAUTHENTICATED", message, "UNAUTHENTICATED")


def _check_nonce(nonce, own):
    if len(nonce) != 32 or not any(nonce) or nonce == own:
        raise _unauthenticated("a nonce that is none")


async def _expect(channel, body):
    """The next envelope, which has to be this one; its bytes and its content."""
    while True:
        data = await channel.read()
        if data is None:
            raise ConnectionError("the connection ended during the handshake")
        received = envelope.decode(data)
        if received.body == "goodbye":
            error = received.content.error
            raise GoodbyeReceived(RpcError.from_wire(error) if received.content.HasField("error") else _ordinary_end())
        if received.body == body:
            return data, received.content
        if received.body is not None:
            raise ProtocolError(f"a {received.body} instead of a {body}")


def _ordinary_end():
    return RpcError("UNAVAILABLE", "the other end said goodbye", "CLOSED", delivered="no")


class GoodbyeReceived(Exception):
    """The other end has ended the handshake; nothing is answered."""

    def __init__(self, error):
        super().__init__(error.message)
        self.error = error


def goodbye(error=None, session_over=True):
    message = pb.Envelope(goodbye=pb.Goodbye(session_over=session_over))
    if error is not None:
        message.goodbye.error.CopyFrom(error.to_wire())
    return message.SerializeToString()


async def guarded(channel, steps):
    """Runs one side of a handshake; answers what goes wrong with Goodbye (page: What goes wrong before Welcome)."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await steps
    except GoodbyeReceived as received:
        channel.close()
        raise received.error from None
    except ProtocolError as broken:
        error = broken.as_rpc_error()
    except RpcError as refused:
        error = refused
    except TimeoutError:
        error = RpcError("UNAVAILABLE", "the handshake took too long", "unauthenticatedTimeoutMs")
    except ConnectionError:
        channel.close()
        raise
    channel.send(goodbye(error))
    channel.close()
    raise error


def _agreed(settings, features, peer_limits, resume_window_ms):
    peer_max = peer_limits.max_frame or DEFAULT_MAX_FRAME
    return Agreed(frozenset(features), peer_limits, min(settings.max_frame, peer_max), resume_window_ms)


async def initiate(channel, settings, resume=None):
    """The initiator's side. `resume`: session id and `received` of the session that is to go on."""
    nonce = os.urandom(32)
    hello = pb.Hello(
        versions=[VERSION],
        nonce=nonce,
        instance_id=INSTANCE_ID,
        principal=settings.principal if settings.secret else "",
        mechanisms=[HMAC if settings.secret else "none"],
        limits=settings.limits(),
        features=settings.features,
        software="interop-python",
    )
    if resume is not None:
        hello.resume.session_id, hello.resume.received = resume
    first = pb.Envelope(hello=hello).SerializeToString()
    channel.send(first)

    second, challenge = await _expect(channel, "challenge")
    if challenge.version != VERSION:
        raise RpcError("FAILED_PRECONDITION", f"version {challenge.version} was not offered", "VERSION")
    if challenge.mechanism not in hello.mechanisms:
        raise _unauthenticated(f"the mechanism {challenge.mechanism} was not offered")
    if challenge.binding != pb.NONE:
        raise _unauthenticated("a binding that was not offered")
    _check_nonce(challenge.nonce, nonce)
    nonces = (nonce, challenge.nonce)
    if challenge.mechanism == HMAC:
        proof = pb.Proof(mac=_mac(settings.secret, b"IA", nonces, (first, second)))
        channel.send(pb.Envelope(proof=proof).SerializeToString())

    _, welcome = await _expect(channel, "welcome")
    if challenge.mechanism == HMAC:
        wanted = _mac(settings.secret, b"AI", nonces, (first, second))
        if not hmac.compare_digest(wanted, welcome.mac):
            raise _unauthenticated("the other end does not know the secret")
    features = set(challenge.features) & set(settings.features)
    agreed = _agreed(settings, features, challenge.limits, min(welcome.resume_window_ms, settings.resume_window_ms))
    agreed.welcome = welcome
    channel.limit = agreed.max_frame
    return agreed


class Introduced:
    """An initiator that has proved who it is, and waits for its Welcome."""

    def __init__(self, channel, agreed, resume, answer):
        self._channel, self.agreed, self.resume, self._answer = channel, agreed, resume, answer

    def welcome(self, session_id, **what):
        """Sends Welcome: `resumed`, `received`, `refusal` as the page says."""
        window = self.agreed.resume_window_ms
        message = pb.Welcome(mac=self._answer, session_id=session_id, resume_window_ms=window, **what)
        self._channel.send(pb.Envelope(welcome=message).SerializeToString())
        self._channel.limit = self.agreed.max_frame


async def accept(channel, settings):
    """The acceptor's side, up to the moment when it may send Welcome."""
    first, hello = await _expect(channel, "hello")
    if VERSION not in hello.versions:
        raise RpcError("FAILED_PRECONDITION", "no common version", "VERSION")
    nonce = os.urandom(32)
    _check_nonce(hello.nonce, nonce)
    mechanism = HMAC if settings.secrets else "none"
    if mechanism not in hello.mechanisms:
        raise _unauthenticated("no common mechanism")
    features = [name for name in hello.features if name in settings.features]
    challenge = pb.Challenge(
        version=VERSION, nonce=nonce, instance_id=INSTANCE_ID, mechanism=mechanism, limits=settings.limits(), features=features
    )
    second = pb.Envelope(challenge=challenge).SerializeToString()
    channel.send(second)

    principal, answer = "", b""
    if mechanism == HMAC:
        _, proof = await _expect(channel, "proof")
        nonces, messages = (hello.nonce, nonce), (first, second)
        principal, secret = _who(settings, hello.principal, proof.mac, nonces, messages)
        answer = _mac(secret, b"AI", nonces, messages)
    window = settings.resume_window_ms if {"ack", "resume"} <= set(features) else 0
    agreed = _agreed(settings, features, hello.limits, window)
    agreed.principal = principal
    return Introduced(channel, agreed, hello.resume if hello.HasField("resume") else None, answer)


def _who(settings, principal, mac, nonces, messages):
    """The principal whose secret made this proof, and the secret."""
    if principal:
        # A secret that nobody has: the answer takes as long, and says as much, as for a wrong one.
        candidates = {principal: settings.secrets.get(principal, os.urandom(32))}
    else:
        candidates = settings.secrets
    for name, secret in candidates.items():
        if hmac.compare_digest(_mac(secret, b"IA", nonces, messages), mac):
            return name, secret
    raise _unauthenticated("the proof does not fit")
