"""A client of RFC 8 (MMI): asks the broker whether each of these services has a worker, or, with `--of`, another management service."""
import zmq

from wire import MDP1, arguments, run, say, text


def main():
    parser = arguments(__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--of", default="mmi.service")
    parser.add_argument("--timeout", type=float, default=2500)
    options = parser.parse_args()
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(options.endpoint)
    for name in options.names or [""]:
        socket.send_multipart(MDP1.request(options.of.encode(), [name.encode()])[1:])
        if not socket.poll(options.timeout):
            return say(name=name, code=None)
        header, service, code = socket.recv_multipart()
        assert header == MDP1.client and service == options.of.encode(), (header, service)
        say(name=name, code=text(code))


run(main)
