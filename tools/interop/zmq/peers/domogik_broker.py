"""A broker as Domogik MQ has it, with its faults: what it does where RFC 7 says otherwise is marked FAULT."""
import collections
import signal

import zmq

from wire import MDP1, arguments, bind, now, run, say, text


class Worker:
    def __init__(self, identity, service, lives):
        self.identity = identity
        self.service = service
        self.lives = lives
        # The heartbeat lock: until then there are no beats to it, and its own are not missed.
        self.locked_until = 0


class Broker:
    def __init__(self, socket, heartbeat, liveness):
        self.socket = socket
        self.heartbeat = heartbeat
        self.liveness = liveness
        self.workers = {}
        # By service: those that wait for work, and work that waits for one. A service is known from its first READY on.
        self.waiting = {}
        self.requests = {}

    def serve(self):
        beat_at = now() + self.heartbeat
        while True:
            if self.socket.poll(max(0, beat_at - now())):
                frames = self.socket.recv_multipart()
                try:
                    self.receive(frames)
                except Exception as error:
                    # FAULT: too few frames, a body that is none: an exception, and the message is lost.
                    say(event="lost", why=type(error).__name__)
            if now() >= beat_at:
                beat_at = now() + self.heartbeat
                self.beat()

    def receive(self, frames):
        identity, *rest = frames
        empty = rest.index(b"")
        address, header, rest = rest[:empty], rest[empty + 1], rest[empty + 2 :]
        # FAULT: the version is not looked at.
        if header.startswith(b"MDPC"):
            self.from_client([identity, *address], rest)
        elif header.startswith(b"MDPW"):
            self.from_worker(identity, rest)

    def from_client(self, envelope, rest):
        name, *body = rest
        timeout = None
        try:
            # FAULT: any text that Python takes for a number is eaten, `nan` too; the word None is not, and travels on as a body.
            timeout = float(body[0])
            body = body[1:]
        except ValueError:
            pass
        if name.startswith(b"mmi."):
            return self.reply(envelope, name, [self.mmi(name, body)])
        if name not in self.requests:
            # FAULT: nobody is told.
            return say(event="dropped", service=text(name))
        # FAULT: a queue without a limit, from which nothing is ever removed; a worker that comes back idle is asked before what waits.
        if self.waiting[name]:
            self.send_request(self.waiting[name].popleft(), envelope, body, timeout)
        else:
            self.requests[name].append((envelope, body))

    def mmi(self, name, body):
        if name == b"mmi.service":
            asked = body[0]
            return b"200" if any(worker.service == asked for worker in self.workers.values()) else b"404"
        if name == b"mmi.services":
            body[0]
            return b", ".join(worker.service for worker in self.workers.values())
        return b"501"

    def from_worker(self, identity, rest):
        command, *rest = rest
        worker = self.workers.get(identity)
        if command == MDP1.READY:
            # FAULT: `mmi.*` may be registered; a second READY is ignored; what waits is not sent to the newcomer.
            if worker is None:
                worker = self.workers[identity] = Worker(identity, rest[0], self.liveness)
                self.waiting.setdefault(rest[0], collections.deque()).append(worker)
                self.requests.setdefault(rest[0], collections.deque())
                say(event="worker", service=text(rest[0]))
        elif worker is None:
            # FAULT: an unknown worker is never told to come again.
            say(event="unknown")
        elif command == MDP1.FINAL:
            self.from_busy_worker(worker, rest)
        elif command == MDP1.HEARTBEAT:
            # FAULT: nothing but this one is a sign of life.
            worker.lives = self.liveness
        else:
            if command != MDP1.DISCONNECT:
                self.disconnect(worker)
            else:
                self.forget(worker, "DISCONNECT")

    def disconnect(self, worker):
        # FAULT: the empty frame is missing.
        self.socket.send_multipart([worker.identity, MDP1.worker, MDP1.DISCONNECT])
        self.forget(worker, "DISCONNECT")

    def from_busy_worker(self, worker, rest):
        empty = rest.index(b"")
        self.reply(rest[:empty], worker.service, rest[empty + 1 :])
        worker.locked_until = 0
        self.waiting[worker.service].append(worker)
        if self.requests[worker.service]:
            envelope, body = self.requests[worker.service].popleft()
            # FAULT: its time-out is forgotten.
            self.send_request(self.waiting[worker.service].popleft(), envelope, body, None)

    def send_request(self, worker, envelope, body, timeout):
        worker.locked_until = now() + timeout * 1000 if timeout else 0
        self.socket.send_multipart([worker.identity, *MDP1.of_worker(MDP1.REQUEST, *envelope, b"", *body)])

    def reply(self, envelope, service, body):
        self.socket.send_multipart([*envelope, *MDP1.reply(service, body)])

    def forget(self, worker, why):
        # FAULT: a request that it worked on is lost.
        del self.workers[worker.identity]
        if worker in self.waiting[worker.service]:
            self.waiting[worker.service].remove(worker)
        say(event="gone", service=text(worker.service), why=why)

    def beat(self):
        for worker in list(self.workers.values()):
            if worker.locked_until > now():
                continue
            worker.lives -= 1
            if worker.lives < 0:
                self.forget(worker, "expired")
            else:
                self.socket.send_multipart([worker.identity, *MDP1.of_worker(MDP1.HEARTBEAT)])


def main():
    parser = arguments(__doc__)
    parser.add_argument("--heartbeat", type=float, default=1000, help="milliseconds")
    parser.add_argument("--liveness", type=int, default=5)
    options = parser.parse_args()
    socket, endpoint = bind(zmq.Context.instance(), zmq.ROUTER, options.endpoint)
    broker = Broker(socket, options.heartbeat, options.liveness)
    # All workers have to go, and may come again.
    signal.signal(signal.SIGUSR1, lambda *_: [broker.disconnect(worker) for worker in list(broker.workers.values())])
    say(ready=True, endpoint=endpoint)
    # FAULT: at its end it disconnects nobody.
    broker.serve()


run(main)
