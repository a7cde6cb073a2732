"""A broker by RFC 7 (MDP 0.1) or RFC 18 (MDP 0.2), with RFC 8 (MMI). It knows one address frame, forwards any body as it is, and answers nothing by itself."""
import collections
import signal

import zmq

from wire import MDP1, MDP2, arguments, bind, now, run, say, text


class Service:
    def __init__(self, name):
        self.name = name
        self.requests = collections.deque()
        # The one that waits longest is first.
        self.waiting = collections.deque()
        self.workers = 0


class Worker:
    def __init__(self, identity, service):
        self.identity = identity
        self.service = service
        self.expires_at = 0
        self.client = None


class Broker:
    def __init__(self, socket, version, heartbeat, liveness):
        self.socket = socket
        self.version = version
        self.heartbeat = heartbeat
        self.liveness = liveness
        self.services = {}
        self.workers = {}

    def serve(self):
        beat_at = now() + self.heartbeat
        while True:
            if self.socket.poll(max(0, beat_at - now())):
                self.receive(self.socket.recv_multipart())
            if now() >= beat_at:
                beat_at = now() + self.heartbeat
                self.beat()

    def receive(self, frames):
        identity, *rest = frames
        version = self.version
        if rest[: len(version.lead)] != version.lead:
            return say(event="malformed", why="no empty frame")
        header, *rest = rest[len(version.lead) :] or [b""]
        if header == version.client:
            self.from_client(identity, rest)
        elif header == version.worker and rest:
            self.from_worker(identity, rest[0], rest[1:])
        else:
            say(event="malformed", why="header " + text(header))

    def from_client(self, identity, rest):
        if self.version is MDP2:
            if rest[:1] != [b"\x01"]:
                return say(event="malformed", why="not a REQUEST")
            rest = rest[1:]
        if len(rest) < 2:
            return say(event="malformed", why="REQUEST without a body")
        name, *body = rest
        if name.startswith(b"mmi."):
            self.reply(identity, name, [self.mmi(name, body)])
        else:
            service = self.service(name)
            service.requests.append((identity, body))
            self.dispatch(service)

    def mmi(self, name, body):
        if name != b"mmi.service":
            return b"501"
        asked = self.services.get(body[-1])
        return b"200" if asked and asked.workers else b"404"

    def from_worker(self, identity, command, rest):
        version, worker = self.version, self.workers.get(identity)
        if command == version.READY:
            if worker or not rest or rest[0].startswith(b"mmi."):
                self.disconnect(identity)
            else:
                worker = self.workers[identity] = Worker(identity, self.service(rest[0]))
                worker.service.workers += 1
                say(event="worker", service=text(rest[0]))
                self.is_free(worker)
        elif worker is None:
            if command != version.DISCONNECT:
                self.disconnect(identity)
        elif command == version.HEARTBEAT:
            self.is_alive(worker)
        elif command in (version.FINAL, version.PARTIAL):
            address, empty, *body = rest if len(rest) > 2 else [None, None]
            if empty != b"" or address != worker.client:
                return self.disconnect(identity)
            is_final = command == version.FINAL
            self.reply(address, worker.service.name, body, is_final)
            if is_final:
                self.is_free(worker)
            else:
                self.is_alive(worker)
        elif command == version.DISCONNECT:
            self.forget(worker, "disconnected")
        else:
            self.disconnect(identity)

    def service(self, name):
        return self.services.setdefault(name, Service(name))

    def reply(self, client, service, body, is_final=True):
        self.socket.send_multipart([client, *self.version.reply(service, body, is_final)])

    def is_alive(self, worker):
        worker.expires_at = now() + self.heartbeat * self.liveness

    def is_free(self, worker):
        worker.client = None
        worker.service.waiting.append(worker)
        self.is_alive(worker)
        self.dispatch(worker.service)

    def dispatch(self, service):
        while service.requests and service.waiting:
            worker = service.waiting.popleft()
            worker.client, body = service.requests.popleft()
            self.to_worker(worker.identity, self.version.REQUEST, worker.client, b"", *body)

    def to_worker(self, identity, command, *frames):
        self.socket.send_multipart([identity, *self.version.of_worker(command, *frames)])

    def disconnect(self, identity):
        self.to_worker(identity, self.version.DISCONNECT)
        if identity in self.workers:
            self.forget(self.workers[identity], "refused")

    def forget(self, worker, why):
        del self.workers[worker.identity]
        worker.service.workers -= 1
        if worker in worker.service.waiting:
            worker.service.waiting.remove(worker)
        say(event="gone", service=text(worker.service.name), why=why, busy=worker.client is not None)

    def beat(self):
        for worker in list(self.workers.values()):
            if worker.expires_at <= now():
                self.forget(worker, "expired")
            else:
                self.to_worker(worker.identity, self.version.HEARTBEAT)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--mdp", type=int, choices=(1, 2), default=1)
    parser.add_argument("--heartbeat", type=float, default=2500, help="milliseconds")
    parser.add_argument("--liveness", type=int, default=3)
    options = parser.parse_args()
    socket, endpoint = bind(zmq.Context.instance(), zmq.ROUTER, options.endpoint)
    broker = Broker(socket, MDP1 if options.mdp == 1 else MDP2, options.heartbeat, options.liveness)
    # All workers have to go, and may come again.
    signal.signal(signal.SIGUSR1, lambda *_: [broker.disconnect(worker) for worker in list(broker.workers)])
    say(ready=True, endpoint=endpoint)
    broker.serve()


run(main)
