"""Events: subscribing to them, and publishing them to whoever has (page: Events)."""

import asyncio
from collections import deque

from rpc.v1 import envelope_pb2 as pb

from errors import RpcError

POLICIES = ("drop-oldest", "drop-newest", "block", "disconnect")
MAX_LEVELS, MAX_BYTES = 16, 256


async def subscribe(session, event, window=16, **options):
    """A confirmed subscription: its `output` yields (Item, value). `options`: pattern, lastValue, overflow, buffer."""
    call = await session.call(event, options or None, pb.SUBSCRIBE, window=window)
    await call.accepted
    return call


def check_levels(text):
    """The levels of a sub-topic or a pattern; none for an empty one."""
    levels = text.split(".") if text else []
    if len(levels) > MAX_LEVELS or len(text.encode()) > MAX_BYTES:
        raise RpcError("RESOURCE_EXHAUSTED", f"{text!r} is too long", "maxTopicBytes")
    if not all(levels):
        raise RpcError("INVALID_ARGUMENT", f"{text!r} has an empty level", "INVALID_ARGUMENT")
    return levels


def matches(pattern, levels):
    """Whether a pattern (levels, or None for all) takes a sub-topic (levels; none of them for the event itself)."""
    if pattern is None:
        return True
    if pattern and pattern[-1] == "**":
        head = pattern[:-1]
        return len(levels) >= len(head) and matches_exactly(head, levels[: len(head)])
    return len(levels) == len(pattern) and matches_exactly(pattern, levels)


def matches_exactly(pattern, levels):
    return all(wanted in ("*", level) for wanted, level in zip(pattern, levels, strict=True))


class _Subscriber:
    def __init__(self, call, options):
        self.call = call
        pattern = options.get("pattern")
        self.pattern = None if pattern is None else check_levels(pattern)
        self.overflow = options.get("overflow", "drop-oldest")
        self.size = options.get("buffer", 1000)
        if self.overflow not in POLICIES:
            raise RpcError("INVALID_ARGUMENT", f"{self.overflow!r} is no overflow policy", "INVALID_ARGUMENT")
        self.waiting = deque()
        #: How many were left out since the last one that went into `waiting`.
        self.lost = 0
        self.room = asyncio.Event()

    def add(self, topic, value):
        if len(self.waiting) >= self.size and not self.call.output.writable:
            if self.overflow == "disconnect":
                self.call.fail(RpcError("RESOURCE_EXHAUSTED", "the subscriber is too slow", "SLOW_SUBSCRIBER"))
                return
            if self.overflow == "drop-newest" or not self.waiting:
                self.lost += 1
                return
            if self.overflow == "drop-oldest":
                _, _, lost = self.waiting.popleft()
                # What is left out stands at the next one that goes out.
                if self.waiting:
                    topic_next, value_next, lost_next = self.waiting[0]
                    self.waiting[0] = (topic_next, value_next, lost_next + lost + 1)
                else:
                    self.lost += lost + 1
        self.waiting.append((topic, value, self.lost))
        self.lost = 0
        self.flush()

    def flush(self):
        output = self.call.output
        while self.waiting and output.writable and not self.call.ended:
            topic, value, lost = self.waiting.popleft()
            output.put(value, topic=topic, lost=lost)
        if len(self.waiting) < self.size:
            self.room.set()


class Publisher:
    """One event that this end publishes."""

    def __init__(self, name, keep_last=False):
        self.name = name
        self._last = {} if keep_last else None
        self._subscribers = set()

    async def publish(self, value, sub_topic=""):
        levels = check_levels(sub_topic)
        topic = f"{self.name}.{sub_topic}" if sub_topic else self.name
        if self._last is not None:
            self._last[topic] = (levels, value)
        takers = [subscriber for subscriber in self._subscribers if matches(subscriber.pattern, levels)]
        for subscriber in takers:
            while subscriber.overflow == "block" and len(subscriber.waiting) >= subscriber.size and not subscriber.call.ended:
                subscriber.room.clear()
                await subscriber.room.wait()
            subscriber.add(topic, value)
        return len(takers)

    async def subscribe(self, options, call):
        """Serves one subscription, until it ends."""
        subscriber = _Subscriber(call, options)
        if options.get("lastValue") and self._last is None:
            raise RpcError("FAILED_PRECONDITION", f"{self.name} keeps no last values", "LAST_VALUE")
        call.confirm()
        self._subscribers.add(subscriber)
        try:
            if options.get("lastValue"):
                for topic, (levels, value) in self._last.items():
                    if matches(subscriber.pattern, levels):
                        subscriber.add(topic, value)
            while not call.ended:
                await call.output.changed()
                subscriber.flush()
        finally:
            self._subscribers.discard(subscriber)
            subscriber.room.set()
