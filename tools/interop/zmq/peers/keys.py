"""Makes so many pairs of CURVE keys."""
import sys

import zmq

from wire import say

for _ in range(int(sys.argv[1])):
    public, secret = zmq.curve_keypair()
    say(public=public.decode(), secret=secret.decode())
