"""Tells each event that begins with one of the prefixes; without a prefix, all. The category is the id without its last two words."""
import json

import zmq

from wire import arguments, run, say, text


def main():
    parser = arguments(__doc__)
    parser.add_argument("prefixes", nargs="*", default=[""])
    parser.add_argument("--bind", action="store_true")
    parser.add_argument("--count", type=int, default=0, help="ends after so many")
    options = parser.parse_args()
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.linger = 0
    for prefix in options.prefixes:
        socket.subscribe(prefix)
    socket.bind(options.endpoint) if options.bind else socket.connect(options.endpoint)
    say(ready=True, endpoint=socket.last_endpoint.decode().rstrip("\0"))
    told = 0
    while not options.count or told < options.count:
        frames = socket.recv_multipart()
        told += 1
        try:
            name, content = frames
            say(id=text(name), category=text(name).rsplit(".", 2)[0], content=json.loads(content))
        except ValueError:
            say(event="malformed", frames=[text(frame) for frame in frames])


run(main)
