"""Publishes events as Domogik MQ does: two frames, `category.time.version` and JSON. Connects to a forwarder, or binds with `--bind`."""
import json
import time

import zmq

from wire import arguments, run, say, text


def message_id(category):
    return f"{category}.{repr(time.time()).replace('.', '_')}.0_1"


def main():
    parser = arguments(__doc__, "category")
    parser.add_argument("contents", nargs="+", help="JSON")
    parser.add_argument("--bind", action="store_true")
    parser.add_argument("--await", dest="awaited", action="append", default=[], help="waits for the subscription of this prefix before it publishes")
    parser.add_argument("--id", help="the id to send, instead of one made of the time")
    options = parser.parse_args()
    # XPUB says the same as PUB, and hears who subscribes: nothing need be sent before somebody listens.
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.linger = 1000
    socket.bind(options.endpoint) if options.bind else socket.connect(options.endpoint)
    say(ready=True, endpoint=socket.last_endpoint.decode().rstrip("\0"))
    awaited = set(options.awaited)
    while awaited:
        subscription = socket.recv()
        say(event="subscription", isOn=subscription[0] == 1, prefix=text(subscription[1:]))
        awaited.discard(text(subscription[1:]))
    for content in options.contents:
        socket.send_multipart([(options.id or message_id(options.category)).encode(), json.dumps(json.loads(content)).encode()])
    socket.close()
    say(done=True)


run(main)
