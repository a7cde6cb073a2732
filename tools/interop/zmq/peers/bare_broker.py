"""A broker for benchmarks: the frames of MDP 0.1, the workers in turn, and nothing else. A heartbeat is answered by one; no worker is ever missed."""
import collections

import zmq

from wire import MDP1, arguments, bind, run, say


def serve(socket):
    requests, waiting = collections.deque(), collections.deque()
    receive, send, request, reply = socket.recv_multipart, socket.send_multipart, MDP1.REQUEST, MDP1.FINAL
    service = b""
    while True:
        frames = receive()
        # identity, empty, header, …
        if frames[2] == MDP1.client:
            service = frames[3]
            requests.append([frames[0], b"", *frames[4:]])
        elif frames[3] == reply:
            empty = frames.index(b"", 4)
            send([*frames[4:empty], b"", MDP1.client, service, *frames[empty + 1 :]])
            waiting.append(frames[0])
        elif frames[3] == MDP1.READY:
            waiting.append(frames[0])
        elif frames[3] == MDP1.HEARTBEAT:
            send([frames[0], *MDP1.of_worker(MDP1.HEARTBEAT)])
        while requests and waiting:
            send([waiting.popleft(), b"", MDP1.worker, request, *requests.popleft()])


def main():
    socket, endpoint = bind(zmq.Context.instance(), zmq.ROUTER, arguments(__doc__).parse_args().endpoint)
    say(ready=True, endpoint=endpoint)
    serve(socket)


run(main)
