"""The synchronous client as Domogik MQ has it: a REQ socket, and the patience in seconds in a frame of its own. Tells each reply, null when there was none."""
import json

import zmq

from wire import MDP1, arguments, run, say, text, texts


class Client:
    def __init__(self, options):
        self.options = options
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        # A REQ socket that waits for a reply does not send: without this it would wait for ever.
        self.socket.sndtimeo = 5000
        self.socket.connect(options.endpoint)

    def request(self, body):
        """The body of the reply, or None. FAULT: after a None the socket is of no use."""
        timeout = None if self.options.timeout == "None" else float(self.options.timeout)
        patience = [] if self.options.no_timeout_frame else [self.options.timeout.encode()]
        try:
            self.socket.send_multipart(MDP1.request(self.options.service.encode(), [*patience, *body])[1:])
        except zmq.ZMQError:
            return None
        if not self.socket.poll(None if timeout is None else timeout * 1000):
            return None
        header, service, *reply = self.socket.recv_multipart()
        assert (header, text(service)) == (MDP1.client, self.options.service), (header, service)
        return reply


def main():
    parser = arguments(__doc__, "service", "action")
    parser.add_argument("data", nargs="*", default=["{}"], help="one request for each; {n} is its number")
    parser.add_argument("--timeout", default="10", help="seconds, as they are written into the frame; the word None for ever")
    parser.add_argument("--no-timeout-frame", action="store_true", help="as up to 1.3")
    parser.add_argument("--count", type=int, default=1, help="how many times each")
    parser.add_argument("--raw", action="store_true", help="no JSON: the action is the only frame, as mmi.* has it")
    options = parser.parse_args()
    client = Client(options)
    say(ready=True)
    number = 0
    for data in options.data * options.count:
        body = [options.action.encode()] + ([] if options.raw else [data.replace("{n}", str(number)).encode()])
        reply = client.request(body)
        if reply is None or options.raw:
            say(number=number, reply=reply and texts(reply))
        else:
            try:
                say(number=number, action=text(reply[0]), reply=json.loads(reply[1]))
            except (ValueError, IndexError) as error:
                say(number=number, failed=type(error).__name__)
        number += 1
    say(done=True)


run(main)
