"""The cases, from CPython's xmlrpc.client. Arguments: open URL, database URL, user name and password of it. One JSON line for each case."""
import datetime
import json
import sys
import urllib.parse
import xmlrpc.client

OPEN, DATABASE, USER, PASSWORD = sys.argv[1:5]

VALUES = {
    "int": -2147483648,
    "i8": 9007199254740993,
    "boolean": True,
    "string": "a < b && c > d ]]> \"e\" 'f'",
    "unicode": "Grüße, 世界",
    "astral": "🎉",
    "lines": " one\r\ntwo\rthree\n\tfour ",
    "double": -1.5e-7,
    "date": xmlrpc.client.DateTime("19980717T14:08:55"),
    "base64": xmlrpc.client.Binary(bytes(range(256))),
    "struct": {"lowerBound": 18, "upper": {"text": "x"}},
    "names": {"naïve <key> & co": "x", "": "no name"},
    "array": [1, "two", [3.5, [True, []]], {"four": [4]}],
    "empty": ["", [], {}],
    "nil": [None, {"nothing": None}],
    "large": "0123456789abcdef" * 655360,
}


def server(url, **options):
    return xmlrpc.client.ServerProxy(url, allow_none=True, **options)


def report(case, outcome):
    print(json.dumps({"case": case, "outcome": outcome}), flush=True)


def outcome_of(check):
    """What a check says: "ok", what was wrong, or the error in one line."""
    try:
        return check() or "ok"
    except xmlrpc.client.Fault as fault:
        return f"fault {fault.faultCode}: {fault.faultString}"[:200]
    except xmlrpc.client.ProtocolError as error:
        return f"HTTP {error.errcode}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]


def differs(got, wanted):
    return None if type(got) is type(wanted) and got == wanted else f"got {got!r}"[:200]


def both_ways(proxy, name, value):
    sent = outcome_of(lambda: proxy.matrix.tell(name, value))
    received = outcome_of(lambda: differs(proxy.matrix.give(name), value))
    wrong = [f"{way}: {said}" for way, said in (("sent", sent), ("received", received)) if said != "ok"]
    return "; ".join(wrong) or "ok"


def fault(proxy, code, text, call):
    try:
        return f"no fault but {call()!r}"
    except xmlrpc.client.Fault as got:
        fits = got.faultCode == code and (text is None or got.faultString == text)
        return None if fits else f"fault {got.faultCode}: {got.faultString}"


def refused(url, status):
    try:
        with server(url) as proxy:
            return f"no refusal but {proxy.system.listMethods()!r}"
    except xmlrpc.client.ProtocolError as error:
        return None if error.errcode == status else f"HTTP {error.errcode}"


def multicall(proxy):
    calls = xmlrpc.client.MultiCall(proxy)
    calls.matrix.add(1, 2)
    calls.matrix.fail(17, "no")
    calls.matrix.add(3, 4)
    results = calls()
    said = fault(proxy, 17, "no", lambda: results[1])
    return said or differs([results[0], results[2]], [3, 7])


def introspection(proxy):
    if "matrix.add" not in proxy.system.listMethods():
        return "system.listMethods does not name matrix.add"
    return differs(proxy.system.methodHelp("matrix.add"), "Adds two integers.") or differs(
        proxy.system.methodSignature("matrix.add"), [["int", "int", "int"], ["int", "struct"]])


def keep_alive(proxy):
    first, second = proxy.matrix.wire(), proxy.matrix.wire()
    return differs(second["connections"], first["connections"])


def gzip(url):
    class Transport(xmlrpc.client.Transport):
        encode_threshold = 100

    with server(url, transport=Transport()) as proxy:
        said = proxy.matrix.tell("unicode", VALUES["unicode"]) or differs(proxy.matrix.give("large"), VALUES["large"])
        wire = proxy.matrix.wire()
    return said or (None if wire["gzipRequests"] and wire["gzipReplies"] else f"not compressed: {wire!r}")


def with_credentials(user, password):
    parts = urllib.parse.urlsplit(DATABASE)
    quoted = [urllib.parse.quote(part, safe="") for part in (user, password)]
    return parts._replace(netloc=":".join(quoted) + "@" + parts.netloc).geturl()


def subject_form(proxy):
    ids = proxy.res.partner.search([], [[["is_company", "=", True]]])
    return differs(ids, [1, 3]) or differs(
        proxy.res.partner.read({"records": ids, "context": {"lang": "de_DE"}}, {"fields": ["name"]}),
        [{"id": 1, "name": "Azure GmbH"}, {"id": 3, "name": "Gemini GmbH"}])


def single_struct(proxy):
    return differs(
        proxy.res.partner.read({"records": [2], "context": {"lang": "en_US"}, "args": [["name"]]}),
        [{"id": 2, "name": "Ada"}])


def main():
    with server(OPEN) as proxy:
        for name, value in VALUES.items():
            report(name, both_ways(proxy, name, value))
        report("integral", outcome_of(lambda: differs(proxy.matrix.give("integral"), 3.0)))
        report("positional", outcome_of(lambda: differs(proxy.matrix.add(1, 2), 3)))
        report("named", outcome_of(lambda: differs(proxy.matrix.add({"a": 1, "b": 2}), 3)))
        text = "Ünïcode <&> ]]>"
        report("fault", outcome_of(lambda: fault(proxy, 17, text, lambda: proxy.matrix.fail(17, text))))
        report("unknown-method", outcome_of(lambda: fault(proxy, -32601, None, lambda: proxy.matrix.nothing())))
        report("wrong-arguments", outcome_of(lambda: fault(proxy, -32602, None, lambda: proxy.matrix.add("x"))))
        report("multicall", outcome_of(lambda: multicall(proxy)))
        report("introspection", outcome_of(lambda: introspection(proxy)))
        report("keep-alive", outcome_of(lambda: keep_alive(proxy)))
    report("gzip", outcome_of(lambda: gzip(OPEN)))
    report("no-credentials", outcome_of(lambda: refused(DATABASE, 401)))
    report("wrong-password", outcome_of(lambda: refused(with_credentials(USER, "wrong"), 403)))
    with server(with_credentials(USER, PASSWORD)) as proxy:
        report("subject-form", outcome_of(lambda: subject_form(proxy)))
        report("struct-form", outcome_of(lambda: single_struct(proxy)))


main()
