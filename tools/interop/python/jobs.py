"""Jobs: submitting them, consuming them, and a small queue in memory (page: Jobs)."""

import asyncio
import itertools

from rpc.v1 import envelope_pb2 as pb

import values
from calls import payload_of
from errors import RpcError

DEFAULT_ATTEMPTS = 5
#: What the queue takes out of the metadata.
OPTIONS = {"rpc-job-delay-ms", "rpc-job-priority", "rpc-job-key", "rpc-job-max-attempts"}


async def submit(session, job, value, timeout_s=None, metadata=None):
    """A job that the queue has accepted: the call (its `reply` is the job's output) and the ticket."""
    call = await session.call(job, value, pb.SUBMIT, timeout_s=timeout_s, metadata=metadata or {})
    accepted = await call.accepted
    return call, accepted["ticket"]


class Consumer:
    """Takes jobs of one queue. `handle(value, item)` answers with the output, or raises RpcError."""

    def __init__(self, session, handle):
        self._session, self._handle = session, handle
        self._running = {}
        self.call = None

    async def start(self, job, at_once=1):
        self.call = await self._session.call(job, None, pb.CONSUME, window=at_once)
        self.call.abandoned = self._abandon
        await self.call.accepted
        self._taking = asyncio.create_task(self._take())

    async def finish(self):
        """Takes no more, and waits until everything is settled."""
        self.call.finish_input()
        await self.call.reply

    async def _take(self):
        async for item, value in self.call.output:
            self._running[item.delivery] = asyncio.create_task(self._work(item, value))

    async def _work(self, item, value):
        settle = pb.Settle(id=self.call.id, delivery=item.delivery)
        try:
            output = await self._handle(value, item)
            settle.outcome, settle.codec, settle.payload = pb.ACK, pb.JSON, values.encode(output)
        except RpcError as error:
            settle.outcome = pb.RETRY if error.retryable else pb.REJECT
            settle.error.CopyFrom(error.to_wire())
        except asyncio.CancelledError:
            settle.outcome = pb.REJECT
            settle.error.CopyFrom(RpcError("CANCELLED", "the job was given up", "CANCELLED").to_wire())
        self._running.pop(item.delivery, None)
        if not self.call.reply.done():
            # The settled job gives its credit back.
            self.call.output.returned(1)
            self._session.send(pb.Envelope(settle=settle))

    def _abandon(self, delivery, error):
        task = self._running.get(delivery)
        if task is not None:
            task.cancel()


class _Job:
    def __init__(self, ticket, value, call):
        self.ticket, self.value, self.call = ticket, value, call
        options = call.metadata
        self.metadata = {key: text for key, text in options.items() if key not in OPTIONS}
        self.priority = int(options.get("rpc-job-priority", "0"))
        self.attempts_left = int(options.get("rpc-job-max-attempts", DEFAULT_ATTEMPTS))
        self.attempt = 1
        self.deadline = call.deadline


class _Taker:
    """One consumer at this queue."""

    def __init__(self, queue, call):
        self.queue, self.call = queue, call
        self.open = {}
        self.finishing = False
        self.done = asyncio.Event()

    def give(self, job):
        delivery = self.call.output.seq + 1
        metadata = dict(job.metadata)
        if job.deadline is not None:
            left = job.deadline - asyncio.get_running_loop().time()
            metadata["rpc-job-deadline-ms"] = str(max(0, round(left * 1000)))
        self.open[delivery] = job
        self.call.output.put(job.value, delivery=delivery, attempt=job.attempt, metadata=metadata)

    def settled(self, settle):
        """A Settle, or None for the End of a consumer that takes no more."""
        if settle is None:
            self.finishing = True
        else:
            job = self.open.pop(settle.delivery, None)
            if job is None:
                return
            self.call.output.granted(1)
            self.queue.settle(job, settle)
        if self.finishing and not self.open:
            self.done.set()
        self.queue.hand_out()


class Queue:
    """A queue without delays and keys: enough to show both sides of the wire."""

    def __init__(self):
        self._waiting, self._takers = [], []
        self._tickets = itertools.count(1)

    async def submit(self, value, call):
        if "rpc-job-delay-ms" in call.metadata or "rpc-job-key" in call.metadata:
            raise RpcError("UNIMPLEMENTED", "this queue has no delays and no keys", "NO_DELAYS")
        job = _Job(f"t-{next(self._tickets)}", value, call)
        call.confirm({"ticket": job.ticket})
        self._waiting.append(job)
        self.hand_out()
        await call.closed.wait()  # Until it is answered or cancelled, or its time has passed.

    async def consume(self, call):
        taker = _Taker(self, call)
        call.settled = taker.settled
        call.confirm()
        self._takers.append(taker)
        try:
            self.hand_out()
            await taker.done.wait()
            call.finish()
        finally:
            self._takers.remove(taker)
            for job in taker.open.values():
                self._again(job)
            self.hand_out()

    def hand_out(self):
        self._waiting = [job for job in self._waiting if not job.call.ended]
        self._waiting.sort(key=lambda job: -job.priority)
        for taker in self._takers:
            while self._waiting and taker.call.output.writable and not taker.finishing and not taker.call.ended:
                taker.give(self._waiting.pop(0))

    def settle(self, job, settle):
        if settle.outcome == pb.ACK:
            job.call.result(payload_of(settle))
        elif settle.outcome == pb.RETRY and (settle.error.delivered == pb.NO or job.attempts_left > 1):
            self._again(job, counts=settle.error.delivered != pb.NO)
        else:
            job.call.fail(RpcError.from_wire(settle.error))

    def _again(self, job, counts=True):
        if counts:
            job.attempt += 1
            job.attempts_left -= 1
        if job.attempts_left < 1:
            job.call.fail(RpcError("UNAVAILABLE", "the job's attempts are used up", "ATTEMPTS_USED_UP"))
        else:
            self._waiting.append(job)
