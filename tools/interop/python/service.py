"""What one end serves: its methods by full name, and how each kind of call is run (page: Calls, Streams)."""

from rpc.v1 import envelope_pb2 as pb

from errors import RpcError

MAX_DEPTH = 32


class Service:
    """Methods by full name. A notification has the kind None; events and jobs are objects that serve themselves."""

    def __init__(self):
        self._methods = {}

    def add(self, name, kind, function):
        self._methods[(name, kind)] = function

    def notification(self, name):
        return self._methods.get((name, None))

    def find(self, call):
        """The method of a Call. Raises RpcError when there is none."""
        found = self._methods.get((call.method, call.kind))
        if found is not None:
            return found
        contract = call.method.rpartition(".")[0]
        known = any(name.rpartition(".")[0] == contract for name, _ in self._methods)
        reason = "METHOD_NOT_FOUND" if known else "CONTRACT_NOT_FOUND"
        raise RpcError("UNIMPLEMENTED", f"{call.method} is not served here", reason, delivered="no")


async def run(method, value, call):
    """The work of one incoming call."""
    if call.kind == pb.UNARY:
        call.result(await method(value, call))
    elif call.kind == pb.CLIENT_STREAM:
        call.result(await method(call.input, call))
    elif call.kind in (pb.SERVER_STREAM, pb.BIDI):
        async for item in method(call.input if call.kind == pb.BIDI else value, call):
            await call.output.write(item)
        call.finish()
    elif call.kind == pb.SUBSCRIBE:
        await method.subscribe(value or {}, call)
    elif call.kind == pb.CONSUME:
        await method.consume(call)
    else:
        await method.submit(value, call)
