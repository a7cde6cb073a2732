"""The other side of python-interop.test.ts: protoc's own Python code encodes and decodes the same messages.

Arguments: the folder that protoc wrote into. Standard input: JSON {"repeat": [[message, hex], ...]}; the message Envelope is the wire's own.
Standard output: JSON {"repeated": [hex, ...], "matrix": [[message, hex], ...]}.
"""

import datetime
import json
import sys

sys.path.insert(0, sys.argv[1])
import bot_pb2 as bot  # noqa: E402
from rpc.v1 import envelope_pb2 as wire  # noqa: E402


def matrix():
    yield "Scalars", bot.Scalars()
    for sign in (1, -1):
        yield "Scalars", bot.Scalars(
            int32=sign * 2147483647, int64=sign * 9223372036854775807, uint32=4294967295, uint64=18446744073709551615,
            sint32=sign * 2147483647, sint64=sign * 9223372036854775807, fixed32=4294967295, fixed64=18446744073709551615,
            sfixed32=sign * 2147483647, sfixed64=sign * 9223372036854775807, float=sign * 1.5, double=sign * 1e300, bool=True,
            string="Größe 日本語 🎉", bytes=bytes(range(256)),
        )
    yield "Scalars", bot.Scalars(float=float("inf"), double=-0.0)
    yield "Lists", bot.Lists(
        int32=[0, 1, -1, 127, 128, 300], int64=[0, -1, 1 << 40], sint32=[0, -1, 1], sint64=[-(1 << 62)], fixed32=[1, 2], fixed64=[3],
        float=[0.0, 1.5], double=[0.1, -0.0], bool=[True, False], string=["", "a"], bytes=[b"", b"\0"], loose=[0, 1, -1],
        maybe=False, perhaps="",
    )
    yield "BuildOrder", full_order()
    order = bot.BuildOrder(repository="")
    order.created_at.FromDatetime(datetime.datetime(1969, 12, 31, 23, 59, 59, 999000))
    yield "BuildOrder", order
    order = bot.BuildOrder()
    order.generator.timeout.FromMilliseconds(-1500)
    order.extra.SetInParent()
    order.nickname.SetInParent()
    yield "BuildOrder", order


def full_order():
    order = bot.BuildOrder(
        commit="abc", order_number=-5, priority=0, state=bot.FAILED, history=[bot.RUNNING, bot.WAITING, bot.FAILED], archive=b"\1\2",
        constructor=2.5,
    )
    step = order.steps.add(command="make", arguments=["-j", ""])
    step.timeout.FromMilliseconds(1500)
    step.fallbacks.add(command="retry").fallbacks.add()
    order.environment["__proto__"] = "data"
    order.by_number[-7].command = "seventh"
    order.created_at.FromDatetime(datetime.datetime(2026, 2, 3, 4, 5, 6, 789000))
    order.extra["list"] = [None, True, 0, "x", {"deep": -1.5}]
    order.attachment.type_url = "type.googleapis.com/buildbot.Chunk"
    order.attachment.value = b"\x0a\x01\x00"
    order.nickname.value = "nick"
    order.seen[True].FromDatetime(datetime.datetime(1970, 1, 1))
    order.states[18446744073709551615] = bot.RUNNING
    order.notes.add().null_value = 0
    order.notes.add().string_value = ""
    order.tags.extend([1, "two"])
    return order


asked = json.load(sys.stdin)
repeated = []
for name, text in asked["repeat"]:
    message = wire.Envelope() if name == "Envelope" else getattr(bot, name)()
    message.ParseFromString(bytes.fromhex(text))
    repeated.append(message.SerializeToString(deterministic=True).hex())
json.dump({"repeated": repeated, "matrix": [[name, m.SerializeToString(deterministic=True).hex()] for name, m in matrix()]}, sys.stdout)
