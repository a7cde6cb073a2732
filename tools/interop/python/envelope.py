"""Envelopes to bytes and back, with the checks that protobuf's library does not make (page: Rules for every envelope, Compression)."""

import gzip
import zlib

from google.protobuf.message import DecodeError
from rpc.v1 import envelope_pb2 as pb

from errors import ProtocolError

FIRST_BODY = 3
FIRST_COUNTED = 16
LARGEST = 2**53 - 1
RESERVED = {"log"}
BODIES = {field.number: field.name for field in pb.Envelope.DESCRIPTOR.oneofs_by_name["body"].fields if field.name not in RESERVED}
NUMBERS = {name: number for number, name in BODIES.items()}
LARGE_NUMBERS = {"id", "parent_id", "seq", "delivery", "lost", "token", "ack", "received"}
ENUMS = {"kind", "codec", "binding", "refusal", "outcome"}
GROUP_DEPTH = 100
MAX_ENTRIES = 10_000


class Received:
    """A decoded envelope: the name of its body (None: none that is known), and whether it counts."""

    def __init__(self, message, body, counted):
        self.message, self.body, self.counted = message, body, counted

    @property
    def content(self):
        return getattr(self.message, self.body)


def decode(data):
    """Raises ProtocolError for bytes that are no envelope."""
    if not data:
        raise ProtocolError("an empty message")
    numbers = [number for number, wire_type in _fields(data) if number >= FIRST_BODY and wire_type == 2]
    known = [number for number in numbers if number in BODIES]
    if len(known) > 1:
        raise ProtocolError(f"an envelope with {len(known)} bodies")
    message = pb.Envelope()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ProtocolError(f"no envelope: {error}") from None
    _check_numbers(message)
    if known:
        _check(message, BODIES[known[0]])
        return Received(message, BODIES[known[0]], known[0] >= FIRST_COUNTED)
    return Received(message, None, bool(numbers) and numbers[0] >= FIRST_COUNTED)


def _fields(data):
    """Number and wire type of each field at the top, groups skipped."""
    at, depth = 0, 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise ProtocolError("field number 0")
        if depth == 0:
            yield number, wire_type
        if wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type == 1:
            at += 8
        elif wire_type == 5:
            at += 4
        elif wire_type == 2:
            size, at = _varint(data, at)
            at += size
        elif wire_type == 3:
            depth += 1
        elif wire_type == 4:
            depth -= 1
        else:
            raise ProtocolError(f"wire type {wire_type}")
        if at > len(data) or not 0 <= depth <= GROUP_DEPTH:
            raise ProtocolError("a field that goes beyond the end, or groups that do not match")


def _varint(data, at):
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ProtocolError("a number that goes beyond the end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ProtocolError("a number of more than ten bytes")


def _check(message, body):
    content = getattr(message, body)
    if body == "compressed":
        return
    if "id" in content.DESCRIPTOR.fields_by_name and content.id == 0:
        raise ProtocolError(f"a {body} without id")
    if _check_numbers(content) > MAX_ENTRIES:
        raise ProtocolError("too many entries")


def _check_numbers(message):
    """Checks a message and those inside it; answers how many entries its maps and lists have."""
    entries = 0
    for field, value in message.ListFields():
        if field.name in LARGE_NUMBERS and isinstance(value, int) and value > LARGEST:
            raise ProtocolError(f"{field.name} is {value}")
        if field.name in ENUMS and value not in field.enum_type.values_by_number:
            raise ProtocolError(f"{field.name} is {value}")
        if field.label == field.LABEL_REPEATED:
            entries += len(value)
        elif field.message_type is not None and message.DESCRIPTOR.name != "Envelope":
            entries += _check_numbers(value)
    return entries


def is_counted(message):
    """Whether an envelope that is to be sent counts (page: Acknowledgement)."""
    body = message.WhichOneof("body")
    return body is not None and NUMBERS[body] >= FIRST_COUNTED


def compress(data):
    """An encoded envelope inside another one, as a gzip member."""
    return pb.Envelope(compressed=gzip.compress(data, mtime=0)).SerializeToString()


def decompress(data, limit):
    """The encoded envelope inside; never inflates more than `limit`."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise ProtocolError(f"a compressed message that cannot be inflated: {error}") from None
    if len(plain) > limit:
        raise ProtocolError(f"a compressed message of more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise ProtocolError("a compressed message that is cut off, or has bytes behind it")
    return plain
