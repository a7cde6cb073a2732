"""A worker as Domogik MQ has it: an action with a JSON object, one thread, so that no heartbeat leaves while a handler runs. What it does not do is marked FAULT."""
import json
import time

import zmq

from wire import MDP1, answer, arguments, now, result_of, run, say, text, texts


class Worker:
    def __init__(self, options):
        self.options = options
        self.handled = 0
        self.socket = None
        self.connect()

    def connect(self):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(self.options.endpoint)
        self.send(MDP1.READY, self.options.service.encode())
        self.lives = self.options.liveness
        self.beat_at = now() + self.options.heartbeat

    def send(self, command, *frames):
        self.socket.send_multipart(MDP1.of_worker(command, *frames))

    def serve(self):
        while True:
            if self.socket.poll(max(0, self.beat_at - now())):
                frames = self.socket.recv_multipart()
                try:
                    self.receive(frames)
                except Exception as error:
                    # FAULT: DISCONNECT without the empty frame, a body that is not an action with JSON: it fails, and nobody gets a reply.
                    say(event="failed", why=type(error).__name__, frames=texts(frames))
            if now() >= self.beat_at:
                self.beat()

    def beat(self):
        self.beat_at = now() + self.options.heartbeat
        self.lives -= 1
        if self.lives < 0:
            return self.reconnect("silence")
        self.send(MDP1.HEARTBEAT)

    def reconnect(self, why):
        say(event="reconnect", why=why)
        self.socket.close()
        time.sleep(self.options.reconnect / 1000)
        self.connect()

    def receive(self, frames):
        empty, header, command, *rest = frames
        if empty != b"" or header != MDP1.worker:
            raise ValueError("header")
        self.lives = self.options.liveness
        if command == MDP1.REQUEST:
            self.lives = 12
            self.request(rest)
        elif command == MDP1.DISCONNECT:
            self.reconnect("DISCONNECT")

    def request(self, rest):
        split = rest.index(b"")
        envelope, body = rest[:split], rest[split + 1 :]
        self.handled += 1
        say(event="request", number=self.handled, body=texts(body), depth=len(envelope))
        # More frames than two are ignored.
        action, data = text(body[0]), json.loads(body[1])
        if self.handled == self.options.silent_at:
            # FAULT: a handler may forget its reply.
            return
        time.sleep(self.options.delay / 1000)
        result = json.dumps(answer(action, data)).encode()
        self.send(MDP1.FINAL, *envelope, b"", result_of(action).encode(), result)


def main():
    parser = arguments(__doc__, "service")
    parser.add_argument("--heartbeat", type=float, default=1000, help="milliseconds")
    parser.add_argument("--liveness", type=int, default=3)
    parser.add_argument("--reconnect", type=float, default=1000, help="milliseconds before a new socket")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds for which each handler blocks")
    parser.add_argument("--silent-at", type=int, default=0, help="the number of a request that gets no reply")
    worker = Worker(parser.parse_args())
    say(ready=True)
    # FAULT: at its end it sends no DISCONNECT.
    worker.serve()


run(main)
