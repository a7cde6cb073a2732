"""A peer that is told what to do: one JSON object per line on stdin, one answer per line on stdout.

{"id": 1, "do": "call", "with": {"method": "interop.Demo.add", "input": {"a": 1, "b": 2}}}  ->  {"id": 1, "ok": 3}

Each name in `Driver` that begins with `do_` is a command. Commands run side by side.
"""

import asyncio
import datetime
import json
import math
import ssl
import sys

from rpc.v1 import envelope_pb2 as pb

import events
import jobs
from client import Client
from demo import CONTRACT, Demo
from errors import ProtocolError, RpcError
from handshake import Settings
from server import Server

KINDS = {"unary": pb.UNARY, "serverStream": pb.SERVER_STREAM, "clientStream": pb.CLIENT_STREAM, "bidiStream": pb.BIDI}


def settings(secret=None, secrets=None, **options):
    keys = {name: text.encode() for name, text in (secrets or {}).items()}
    return Settings(secret=secret.encode() if secret else None, secrets=keys, **options)


class Driver:
    def __init__(self):
        self.demo = Demo()
        self.end = None
        self.calls = {}
        self.consumer = None
        self.jobs = []

    @property
    def session(self):
        return self.end.session

    # Beginning, ending, being cut.

    async def do_serve(self, port=0, certificate=None, key=None, **options):
        self.end = Server(settings(**options), self.demo.service)
        tls = None
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate, key)
        return await self.end.listen(port, tls)

    async def do_dial(self, port, authority=None, **options):
        tls = ssl.create_default_context(cafile=authority) if authority is not None else None
        self.end = Client("127.0.0.1", port, settings(**options), self.demo.service, tls)
        await self.end.dial()

    async def do_cut(self, stay_away=False):
        """Loses the connection as if a cable broke."""
        if stay_away:
            self.end.may_dial.clear()
        self.session.channel.cut()

    async def do_come_back(self):
        self.end.may_dial.set()

    async def do_hang(self):
        """Says and hears nothing any more, though the connection stands."""
        self.session.vitals.mute = True
        self.session.channel.pause()

    async def do_goodbye(self, error=None):
        self.session.close(RpcError(*error) if error else None)

    async def do_drain(self, reason=""):
        self.session.send(pb.Envelope(drain=pb.Drain(reason=reason, deadline_ms=1000)))

    async def do_open(self):
        """Waits until a session is open."""
        await self.end.open.wait()

    async def do_status(self):
        session, ledger = self.session, self.session.ledger
        return {
            "sent": ledger.sent,
            "acked": ledger.acked,
            "received": ledger.received,
            "kept": ledger.kept,
            "suspended": self.end.suspended,
            "resumed": self.end.resumed,
            "refusals": getattr(self.end, "refusals", []),
            "refused": [error.code for error in getattr(self.end, "refused", [])],
            "over": session.over and describe(session.over),
            "features": sorted(session.agreed.features),
            "draining": session.draining,
            "pingsReceived": session.vitals.pings_received,
            "pongsReceived": session.vitals.pongs_received,
            "compressedIn": session.compressed_in,
            "compressedOut": session.compressed_out,
            "sessionId": session.session_id.hex(),
        }

    async def do_refused(self):
        return [error.code for error in self.end.refused]

    async def do_demo(self):
        demo = self.demo
        return {"counters": demo.counters, "notes": demo.notes, "cancelled": demo.cancelled, "flooded": demo.flooded}

    # Calls.

    async def do_call(self, method, input=None, timeoutMs=None, metadata=None, key="", observe=False):
        call = await self._start(method, input, "unary", timeoutMs, metadata, key, observe)
        output = await call.reply
        if not observe and not metadata:
            return output
        return {"output": output, "metadata": call.metadata, "progress": call.progress, "log": call.log}

    async def _start(self, method, input, kind, timeoutMs=None, metadata=None, key="", observe=False, window=16):
        fields = {"metadata": metadata or {}, "idempotency_key": key, "debug": observe}
        timeout_s = None if timeoutMs is None else timeoutMs / 1000
        return await self.session.call(f"{CONTRACT}.{method}", input, KINDS[kind], timeout_s, window=window, **fields)

    async def do_start(self, name, method, kind="unary", input=None, window=16):
        """Makes a call that is looked at later, under this name."""
        self.calls[name] = await self._start(method, input, kind, window=window)

    async def do_reply(self, name):
        return await self.calls[name].reply

    async def do_cancel(self, name, reason):
        self.calls[name].cancel(reason)

    async def do_write(self, name, items, end=True):
        call = self.calls[name]
        for item in items:
            await call.input.write(item)
        if end:
            call.finish_input()

    async def do_read(self, name, count=None):
        """The next items, all of them without a count."""
        items = []
        while count is None or len(items) < count:
            try:
                item = await anext(self.calls[name].output)
            except StopAsyncIteration:
                break
            items.append(item)
        return items

    async def do_unread(self, name):
        return self.calls[name].output.unread

    async def do_stream(self, method, kind, input=None, items=None, window=16):
        """A whole stream: writes the items, and reads what comes meanwhile."""
        call = await self._start(method, input, kind, window=window)
        writing = asyncio.create_task(self._write(call, items or []))
        read = [item async for item in call.output] if call.output is not None else None
        reply = await call.reply
        await writing
        return reply if read is None else read

    async def _write(self, call, items):
        if call.input is not None:
            for item in items:
                await call.input.write(item)
            call.finish_input()

    async def do_increment(self, key, times):
        """Many calls at once; the sum of errors, and the highest answer."""
        replies = await asyncio.gather(*(self.do_call("increment", key) for _ in range(times)))
        return max(replies)

    async def do_notify(self, method, input=None, ack=False):
        await self.session.notify(f"{CONTRACT}.{method}", input, ack)

    async def do_echo_special_values(self):
        """Sends what JSON cannot say, and compares what comes back."""
        date = datetime.datetime(2026, 2, 3, 4, 5, 6, 789_000, datetime.UTC)
        value = {"bytes": bytes(range(256)), "big": 2**70, "date": date, "$key": {"$$": [None]}, "huge": math.inf, "text": "Größe 🎉"}
        back = await self.do_call("echo", value)
        zero, nan = await self.do_call("echo", [-0.0, math.nan])
        return back == value and math.copysign(1, zero) < 0 and math.isnan(nan)

    async def do_send_raw(self, hex, counted=False):
        """Sends these bytes as one message."""
        self.session.channel.send(bytes.fromhex(hex))
        self.session.ledger.sent += counted

    # Events and jobs.

    async def do_subscribe(self, name, window=16, **options):
        self.calls[name] = await events.subscribe(self.session, f"{CONTRACT}.printed", window, **options)

    async def do_events(self, name, count):
        found = await self.do_read(name, count)
        own = f"{CONTRACT}.printed"  # What an event without a topic belongs to (Topics).
        return [{"topic": item.topic or own, "lost": item.lost, "value": value} for item, value in found]

    async def do_publish(self, value, topic=""):
        return await self.demo.printed.publish(value, topic)

    async def do_submit(self, name, input, timeoutMs=None, metadata=None):
        timeout_s = None if timeoutMs is None else timeoutMs / 1000
        self.calls[name], ticket = await jobs.submit(self.session, f"{CONTRACT}.print", input, timeout_s, metadata)
        return ticket

    async def do_consume(self, atOnce=1):
        self.consumer = jobs.Consumer(self.session, self._print)
        await self.consumer.start(f"{CONTRACT}.print", atOnce)

    async def _print(self, value, item):
        self.jobs.append({"value": value, "attempt": item.attempt, "metadata": sorted(item.metadata)})
        if value["copies"] == 0:
            raise RpcError("INVALID_ARGUMENT", "nothing to print", "NothingToPrint")
        if value["copies"] < 0 and item.attempt == 1:
            raise RpcError("UNAVAILABLE", "no paper", "NoPaper", retryable=True)
        if "busyMs" in value and item.attempt == 1:
            raise RpcError("ABORTED", "busy", "JOB_RETRY", {"delayMs": value["busyMs"]}, retryable=True)
        if "slow" in value:
            await asyncio.sleep(60)
        return {"sheets": abs(value["copies"]) * 4}

    async def do_jobs(self):
        return self.jobs

    async def do_stop_consuming(self):
        await self.consumer.finish()


def describe(error):
    if isinstance(error, RpcError):
        names = ("code", "message", "reason", "details", "retryable", "delivered")
        return {name: getattr(error, name) for name in names}
    return {"code": type(error).__name__, "message": str(error)}


async def main():
    driver = Driver()
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    running = set()

    async def run(order):
        try:
            words = {"ok": await getattr(driver, "do_" + order["do"])(**order.get("with", {}))}
        except (RpcError, ProtocolError, OSError) as error:
            words = {"error": describe(error)}
        print(json.dumps({"id": order["id"], **words}), flush=True)

    while line := await commands.readline():
        task = asyncio.create_task(run(json.loads(line)))
        running.add(task)
        task.add_done_callback(ended)
        task.add_done_callback(running.discard)


def ended(task):
    """A mistake in this program ends it, with its story on stderr."""
    if not task.cancelled() and task.exception() is not None:
        raise task.exception()


if __name__ == "__main__":
    asyncio.run(main())
