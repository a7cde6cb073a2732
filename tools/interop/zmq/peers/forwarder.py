"""A forwarder: publishers connect to the first endpoint (XSUB), subscribers to the second (XPUB); events go down, subscriptions up."""
import zmq

from wire import arguments, bind, run, say


def main():
    options = arguments(__doc__, "subscribers").parse_args()
    context = zmq.Context.instance()
    upper, publishers = bind(context, zmq.XSUB, options.endpoint)
    lower, subscribers = bind(context, zmq.XPUB, options.subscribers)
    say(ready=True, publishers=publishers, subscribers=subscribers)
    poller = zmq.Poller()
    poller.register(upper, zmq.POLLIN)
    poller.register(lower, zmq.POLLIN)
    while True:
        for socket, _ in poller.poll():
            other = lower if socket is upper else upper
            other.send_multipart(socket.recv_multipart())


run(main)
