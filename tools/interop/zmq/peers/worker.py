"""A worker by RFC 7 (MDP 0.1) or RFC 18 (MDP 0.2). It is strict: one address frame, then an empty one. It beats while a request is worked on."""
import os

import zmq

from wire import MDP1, MDP2, answer_frames, answer_parts, arguments, connect, now, run, say, security, texts


class Worker:
    def __init__(self, options):
        self.options = options
        self.version = MDP1 if options.mdp == 1 else MDP2
        self.reconnect_ms = options.reconnect
        self.handled = 0
        self.socket = None

    def connect(self):
        """A new socket, so that nothing of the last connection is left, and READY."""
        if self.socket:
            self.socket.close()
        self.socket = connect(zmq.DEALER, self.options)
        self.send(self.version.READY, self.options.service.encode())
        self.heard_at = now()
        self.beat_at = now() + self.options.heartbeat
        # The request that is worked on: when it will be done, its address and body.
        self.job = None

    def send(self, command, *frames):
        self.socket.send_multipart(self.version.of_worker(command, *frames))

    def serve(self):
        while True:
            until = [self.beat_at] if self.job is None else [self.beat_at, self.job[0]]
            if self.socket.poll(max(0, min(until) - now())):
                self.receive(self.socket.recv_multipart())
            if self.job and now() >= self.job[0]:
                self.finish()
            if now() >= self.beat_at:
                self.beat_at = now() + self.options.heartbeat
                self.send(self.version.HEARTBEAT)
            if now() - self.heard_at > self.options.heartbeat * self.options.liveness:
                self.reconnect("silence")

    def reconnect(self, why):
        say(event="reconnect", why=why)
        self.socket.poll(self.reconnect_ms, 0)
        self.connect()

    def receive(self, frames):
        self.heard_at = now()
        header = [*self.version.lead, self.version.worker]
        if frames[: len(header)] != header or len(frames) == len(header):
            return say(event="malformed", frames=texts(frames))
        command, *rest = frames[len(header) :]
        if command == self.version.REQUEST:
            self.request(rest)
        elif command == self.version.DISCONNECT:
            self.reconnect("DISCONNECT")
        elif command != self.version.HEARTBEAT:
            say(event="malformed", frames=texts(frames))

    def request(self, rest):
        if len(rest) < 3 or rest[1] != b"":
            return say(event="malformed", frames=texts(rest))
        address, _, *body = rest
        self.handled += 1
        if not self.options.quiet:
            say(event="request", number=self.handled, body=texts(body))
        if self.handled == self.options.die_at:
            os._exit(1)
        if self.handled != self.options.silent_at:
            self.job = (now() + self.options.delay, address, body)

    def finish(self):
        _, address, body = self.job
        self.job = None
        *parts, last = answer_parts(body) if self.version is MDP2 else [answer_frames(body)]
        for part in parts:
            self.send(self.version.PARTIAL, address, b"", *part)
        self.send(self.version.FINAL, address, b"", *last)


def main():
    parser = arguments(__doc__, "service")
    parser.add_argument("--mdp", type=int, choices=(1, 2), default=1)
    parser.add_argument("--heartbeat", type=float, default=2500, help="milliseconds")
    parser.add_argument("--liveness", type=int, default=3)
    parser.add_argument("--reconnect", type=int, default=2500, help="milliseconds before a new socket")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds that each request takes")
    parser.add_argument("--silent-at", type=int, default=0, help="the number of a request that gets no reply")
    parser.add_argument("--die-at", type=int, default=0, help="the number of a request that ends the process at once")
    parser.add_argument("--quiet", action="store_true", help="requests are not told")
    security(parser)
    worker = Worker(parser.parse_args())
    # From READY on it says DISCONNECT at its end, whenever that is.
    try:
        worker.connect()
        say(ready=True)
        worker.serve()
    finally:
        if worker.socket:
            worker.send(worker.version.DISCONNECT)
            worker.socket.close(linger=1000)
        say(event="end", handled=worker.handled)


run(main)
