"""Decodes and encodes one reply with xmlrpc.client, as the lines of standard input ask: first the document, then one question a line."""
import json
import re
import sys
import time
from xmlrpc.client import dumps, loads


def decode():
    (value,), _ = loads(document)
    return value


def timed(work, seconds):
    documents = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        work()
        documents += 1
    return {"documents": documents, "elapsedMs": elapsed * 1000}


def memory(field):
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return int(re.search(rf"{field}:\s+(\d+) kB", status.read()).group(1)) * 1024
    except OSError:
        raise RuntimeError("Python tells its peak memory on Linux only") from None


def decode_once():
    before = memory("VmRSS")
    decoded = decode()
    return {"rows": len(decoded), "beforeBytes": before, "peakBytes": memory("VmHWM")}


def answer(word, milliseconds="0"):
    seconds = float(milliseconds) / 1000
    if word == "roundTrip":
        (value,), _ = loads(dumps((decode(),), methodresponse=True))
        return value
    if word == "decode":
        return timed(decode, seconds)
    if word == "encode":
        value = decode()
        return timed(lambda: dumps((value,), methodresponse=True), seconds)
    if word == "decodeOnce":
        return decode_once()
    raise ValueError(f"no question is called {word}")


document = sys.stdin.buffer.read(int(sys.argv[1]))
for question in iter(sys.stdin.buffer.readline, b""):
    try:
        reply = {"result": answer(*question.decode().split())}
    except Exception as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
