"""What the peers have in common: the frames of RFC 7 and RFC 18, lines of JSON on standard output, and an end on SIGTERM."""
import argparse
import json
import signal
import sys
import time

import zmq


class Version:
    """The frames of MDP 0.1 (RFC 7) or MDP 0.2 (RFC 18), as they follow the identity that a ROUTER knows. PARTIAL is there in 0.2 alone."""

    def __init__(self, number):
        self.number = number
        self.lead = [b""] if number == 1 else []
        self.client = b"MDPC01" if number == 1 else b"MDPC02"
        self.worker = b"MDPW01" if number == 1 else b"MDPW02"
        self.READY, self.REQUEST = b"\x01", b"\x02"
        self.PARTIAL = None if number == 1 else b"\x03"
        self.FINAL, self.HEARTBEAT, self.DISCONNECT = (b"\x03", b"\x04", b"\x05") if number == 1 else (b"\x04", b"\x05", b"\x06")

    def of_worker(self, command, *frames):
        """Between broker and worker, either way."""
        return [*self.lead, self.worker, command, *frames]

    def request(self, service, body):
        return [*self.lead, self.client, *([] if self.number == 1 else [b"\x01"]), service, *body]

    def reply(self, service, body, is_final=True):
        kind = [] if self.number == 1 else [b"\x03" if is_final else b"\x02"]
        return [*self.lead, self.client, *kind, service, *body]


MDP1 = Version(1)
MDP2 = Version(2)


def say(**members):
    """One line of JSON."""
    print(json.dumps(members), flush=True)


def text(frame):
    return frame.decode("utf-8", "backslashreplace")


def texts(frames):
    return [text(frame) for frame in frames]


def now():
    """Milliseconds of a clock that does not jump."""
    return time.monotonic() * 1000


def arguments(about, *positional):
    """A parser that knows the endpoint, which comes first, and these."""
    parser = argparse.ArgumentParser(description=about)
    for name in ("endpoint", *positional):
        parser.add_argument(name)
    return parser


def bind(context, kind, endpoint):
    """A bound socket, and where: a port `*` is chosen by the system."""
    socket = context.socket(kind)
    socket.linger = 0
    if kind == zmq.ROUTER:
        socket.router_handover = 0
    socket.bind(endpoint)
    return socket, socket.last_endpoint.decode().rstrip("\0")


def security(parser):
    """What a peer shows itself to be: keys of CURVE, or name and password of PLAIN."""
    for name in ("server-key", "public-key", "secret-key", "username", "password"):
        parser.add_argument("--" + name)


def connect(kind, options):
    """A new socket at the endpoint of the arguments, which say who it is."""
    socket = zmq.Context.instance().socket(kind)
    socket.linger = 0
    if options.server_key:
        socket.curve_serverkey = options.server_key.encode()
        socket.curve_publickey = options.public_key.encode()
        socket.curve_secretkey = options.secret_key.encode()
    if options.username:
        socket.plain_username = options.username.encode()
        socket.plain_password = options.password.encode()
    socket.connect(options.endpoint)
    return socket


def run(main):
    """Runs until the end of `main` or SIGTERM, which ends it as `sys.exit` does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        main()
    except KeyboardInterrupt:
        pass


def result_of(action):
    """The action of a reply: `.get` and `.do` become `.result`, which is appended to all others."""
    for ending in (".get", ".do"):
        if action.endswith(ending):
            return action[: -len(ending)] + ".result"
    return action + ".result"


def answer(action, data):
    """What every worker here serves: `add` and `divide` of a contract, `config.get` with one value, and an echo of any other action, pure for `echo.do`."""
    if action == "echo.do":
        return data
    if "args" not in data:
        value = {"value": "usb"} if action == "config.get" else {}
        return {**data, **value, "reason": "", "status": True}
    args = data["args"]
    verb = action.rsplit(".", 1)[-1]
    if verb == "add":
        return {"status": True, "result": args["a"] + args["b"]}
    if verb == "divide" and args["b"] == 0:
        error = {"code": "FAILED_PRECONDITION", "message": "division by zero"}
        return {"status": False, "reason": "division by zero", "error": error}
    return {"status": True, "result": args}


def answer_frames(body):
    """An action with a JSON object is answered as such; any other body comes back as it is."""
    action, data = action_of(body)
    if data is None:
        return body
    return [result_of(action).encode(), json.dumps(answer(action, data)).encode()]


def answer_parts(body):
    """The same for MDP 0.2, in parts: `count` answers each number in one, and an empty one ends it; a body without an action has a part for each frame."""
    action, data = action_of(body)
    if data is None:
        return [[frame] for frame in body]
    if action.endswith("count") and "args" in data:
        name = result_of(action).encode()
        items = [{"status": True, "result": number} for number in range(1, data["args"] + 1)]
        return [*([name, json.dumps(item).encode()] for item in items), [b""]]
    return [answer_frames(body)]


def action_of(body):
    """Action and data; the data of what is no action is None."""
    try:
        data = json.loads(body[1]) if len(body) == 2 else None
    except ValueError:
        data = None
    return text(body[0]), data if isinstance(data, dict) else None
