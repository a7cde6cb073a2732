"""A client of RFC 9 (Titanic): `request SERVICE FRAME…`, `reply UUID`, `close UUID`. Tells status and frames of the answer; `reply` asks again while it is 300."""
import time

import zmq

from wire import MDP1, arguments, now, run, say, texts


def main():
    parser = arguments(__doc__, "verb")
    parser.add_argument("frames", nargs="+")
    parser.add_argument("--timeout", type=float, default=2500, help="milliseconds for the answer, and for all asking again")
    options = parser.parse_args()
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(options.endpoint)
    service = ("titanic." + options.verb).encode()
    body = [frame.encode() for frame in options.frames]
    until = now() + options.timeout
    while True:
        socket.send_multipart(MDP1.request(service, body)[1:])
        if not socket.poll(max(0, until - now())):
            return say(status=None)
        header, name, status, *rest = socket.recv_multipart()
        assert (header, name) == (MDP1.client, service), (header, name)
        # Text may follow the three digits.
        status = status[:3]
        if options.verb != "reply" or status != b"300" or now() > until:
            return say(status=status.decode(), frames=texts(rest))
        time.sleep(0.05)


run(main)
