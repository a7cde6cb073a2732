"""The Python half of the contract `interop.Demo`, as contract.ts has it."""

import asyncio
from collections import Counter

from rpc.v1 import envelope_pb2 as pb

from errors import RpcError
from events import Publisher
from jobs import Queue
from service import Service

CONTRACT = "interop.Demo"


class Demo:
    """The handlers and what they remember."""

    def __init__(self):
        self.counters = Counter()
        self.notes = []
        self.cancelled = []
        self.flooded = 0
        self.printed = Publisher(f"{CONTRACT}.printed", keep_last=True)
        self.print = Queue()
        self.service = Service()
        for kind, names in {
            pb.UNARY: ("add", "divide", "echo", "wait", "call_back", "increment", "describe", "work"),
            pb.SERVER_STREAM: ("count", "flood"),
            pb.CLIENT_STREAM: ("sum",),
            pb.BIDI: ("double",),
        }.items():
            for name in names:
                first, *rest = name.split("_")
                wire_name = first + "".join(word.capitalize() for word in rest)
                self.service.add(f"{CONTRACT}.{wire_name}", kind, getattr(self, name))
        self.service.add(f"{CONTRACT}.note", None, self.notes.append)
        self.service.add(f"{CONTRACT}.printed", pb.SUBSCRIBE, self.printed)
        for kind in (pb.SUBMIT, pb.CONSUME):
            self.service.add(f"{CONTRACT}.print", kind, self.print)

    async def add(self, value, call):
        return value["a"] + value["b"]

    async def divide(self, value, call):
        if value["b"] == 0:
            raise RpcError("FAILED_PRECONDITION", "division by zero", "DivisionByZero", {"dividend": value["a"]})
        return value["a"] / value["b"]

    async def echo(self, value, call):
        return value

    async def wait(self, value, call):
        try:
            await asyncio.sleep(value / 1000)
            return "waited"
        except asyncio.CancelledError:
            self.cancelled.append(call.cancel_reason or "deadline")
            raise

    async def call_back(self, value, call):
        return 1 + await call.call_back(f"{CONTRACT}.add", value)

    async def increment(self, value, call):
        self.counters[value] += 1
        await asyncio.sleep(0.001)
        return self.counters[value]

    async def describe(self, value, call):
        call.reply_metadata["answered-by"] = "python"
        return {"metadata": call.metadata, "depth": call.depth, "key": call.idempotency_key, "timed": call.deadline is not None}

    async def work(self, value, call):
        for step in range(1, value + 1):
            call.tell(step)
        call.log("worked", "notice", steps=str(value))
        return value

    async def count(self, value, call):
        for number in range(1, value + 1):
            yield number

    async def flood(self, value, call):
        """Larger and larger numbers, for as long as somebody takes them."""
        self.flooded = 0
        while True:
            self.flooded += 1
            yield self.flooded if value is None else "x" * value

    async def sum(self, numbers, call):
        total = 0
        async for number in numbers:
            total += number
        return total

    async def double(self, numbers, call):
        async for number in numbers:
            yield 2 * number
