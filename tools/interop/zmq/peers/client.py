"""A client by RFC 7 (MDP 0.1, REQ or DEALER) or RFC 18 (MDP 0.2, DEALER). Sends requests whose last body frame is their number, and counts the replies.

REQ: one request after the other; a request without a reply is sent again on a new socket, `--retries` times.
DEALER: `--window` requests are under way at once. There is no correlation: a reply tells its number by what the worker has echoed."""
import zmq

from wire import MDP1, MDP2, arguments, connect, now, run, say, security, texts


class Client:
    def __init__(self, options):
        self.options = options
        self.version = MDP1 if options.mdp == 1 else MDP2
        self.kind = zmq.DEALER if options.window > 1 or options.mdp == 2 else zmq.REQ
        self.socket = None
        self.late = 0
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = connect(self.kind, self.options)

    def body(self, number):
        given = [frame.replace("{n}", str(number)).encode() for frame in self.options.body]
        return given or [b"%d" % number]

    def send(self, number):
        frames = self.version.request(self.options.service.encode(), self.body(number))
        # A REQ socket writes the empty frame by itself.
        self.socket.send_multipart(frames[1:] if self.kind == zmq.REQ else frames)

    def receive(self):
        """The body of the next reply and whether it is the last part; None when there is none in time."""
        if not self.socket.poll(self.options.timeout):
            return None
        frames = self.socket.recv_multipart()
        if self.kind == zmq.REQ:
            frames = [b"", *frames]
        name = self.options.service.encode()
        for is_final in (True, False):
            header = self.version.reply(name, [], is_final)
            if frames[: len(header)] == header and len(frames) > len(header):
                return frames[len(header) :], is_final
        raise ValueError(f"not a reply: {frames}")

    def one_by_one(self):
        counts = {"replies": 0, "timeouts": 0, "retries": 0}
        for number in range(self.options.count):
            for attempt in range(self.options.retries + 1):
                counts["retries"] += attempt > 0
                self.send(number)
                reply = self.whole()
                if reply is not None:
                    break
                self.connect()
            counts["replies" if reply is not None else "timeouts"] += 1
            if not self.options.quiet:
                say(number=number, body=None if reply is None else texts(reply))
            elif self.options.every and (number + 1) % self.options.every == 0:
                say(number=number)
        return counts

    def whole(self):
        """All parts of a reply."""
        parts = []
        while True:
            reply = self.receive()
            if reply is None:
                return None
            parts += reply[0]
            if reply[1]:
                return parts

    def pipelined(self):
        sent, open_numbers, wrong = 0, set(), 0
        while sent < self.options.count or open_numbers:
            while sent < self.options.count and len(open_numbers) < self.options.window:
                self.send(sent)
                open_numbers.add(b"%d" % sent)
                sent += 1
            reply = self.receive()
            if reply is None:
                break
            number = reply[0][-1]
            wrong += number not in open_numbers
            open_numbers.discard(number)
        return {"replies": sent - len(open_numbers), "timeouts": len(open_numbers), "wrong": wrong}


def main():
    parser = arguments(__doc__, "service")
    parser.add_argument("--mdp", type=int, choices=(1, 2), default=1)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=2500, help="milliseconds for each reply")
    parser.add_argument("--retries", type=int, default=0)
    parser.add_argument("--body", action="append", default=[], help="a body frame; {n} is the number of the request, which is also the only frame where none is given")
    parser.add_argument("--quiet", action="store_true", help="replies are counted and not told")
    parser.add_argument("--every", type=int, default=0, help="with --quiet: tells every so many replies that they are there")
    security(parser)
    client = Client(parser.parse_args())
    say(ready=True)
    started = now()
    counts = client.one_by_one() if client.options.window == 1 else client.pipelined()
    say(done=True, **counts, ms=round(now() - started))


run(main)
