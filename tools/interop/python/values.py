"""Payloads in JSON, with tags for what JSON does not have (page: Payloads)."""

import base64
import datetime
import json
import math

SAFE = 2**53 - 1


def encode(value):
    """Bytes of a payload; None is "nothing" and has none."""
    if value is None:
        return b""
    return json.dumps(_tag(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode(data):
    """The value of a payload. Raises ValueError for bytes that are no JSON, or tags that hold something else."""
    if not data:
        return None
    return _untag(json.loads(bytes(data).decode(), parse_constant=_no_constant))


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def _tag(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -SAFE <= value <= SAFE else {"$bigint": str(value)}
    if isinstance(value, float):
        if math.isnan(value):
            return {"$number": "NaN"}
        if math.isinf(value):
            return {"$number": "Infinity" if value > 0 else "-Infinity"}
        return {"$number": "-0"} if value == 0 and math.copysign(1, value) < 0 else value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$date": value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    if isinstance(value, dict):
        return {("$" + key if key.startswith("$") else key): _tag(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tag(item) for item in value]
    raise ValueError(f"a {type(value).__name__} cannot travel")


def _untag(value):
    if isinstance(value, list):
        return [_untag(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key.startswith("$") and not key.startswith("$$"):
            if key not in _TAGS or not isinstance(item, str):
                raise ValueError(f"wrong content for the tag {key}")
            return _TAGS[key](item)
    return {(key[1:] if key.startswith("$$") else key): _untag(item) for key, item in value.items()}


_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}
_TAGS = {
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$bigint": int,
    "$date": datetime.datetime.fromisoformat,
    "$number": _NUMBERS.__getitem__,
}
