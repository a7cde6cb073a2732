"""The validator suite of 1998, the echo tests of the interop round of 2001, the server half of CPython's own tests, and a login as OdooRPC does it.
Arguments: URL of all suites, URL of the fixture of CPython's tests, URL of the server with the old endpoints. One JSON line for each case."""
import json
import sys
import urllib.request
import xmlrpc.client

SUITES, FIXTURE, LEGACY = sys.argv[1:4]


def report(case, check):
    try:
        outcome = check() or "ok"
    except xmlrpc.client.Fault as fault:
        outcome = f"fault {fault.faultCode}: {fault.faultString}"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    print(json.dumps({"case": case, "outcome": outcome[:200]}), flush=True)


def same(got, wanted):
    return None if type(got) is type(wanted) and got == wanted else f"got {got!r}"


def fault_of(call):
    try:
        return f"no fault but {call()!r}"
    except xmlrpc.client.Fault as fault:
        return fault


def check(case, call, wanted):
    report(case, lambda: same(call(), wanted))


def validator1(test):
    stooges = [{"moe": 1, "larry": 2, "curly": -3}, {"moe": 4, "larry": 5, "curly": 60}]
    check("arrayOfStructsTest", lambda: test.arrayOfStructsTest(stooges), 57)
    counts = {"ctLeftAngleBrackets": 2, "ctRightAngleBrackets": 1, "ctAmpersands": 3, "ctApostrophes": 4, "ctQuotes": 0}
    check("countTheEntities", lambda: test.countTheEntities("<<>&&&''''x"), counts)
    check("easyStructTest", lambda: test.easyStructTest(stooges[1]), 69)
    check("echoStructTest", lambda: test.echoStructTest({"a": {"b": [1, "ü"]}}), {"a": {"b": [1, "ü"]}})
    many = [7, True, "text", 2.5, xmlrpc.client.DateTime("19980717T14:08:55"), xmlrpc.client.Binary(b"\0\1\xff")]
    check("manyTypesTest", lambda: test.manyTypesTest(*many), many)
    check("moderateSizeArrayCheck", lambda: test.moderateSizeArrayCheck(["Wis"] + ["x"] * 150 + ["consin"]), "Wisconsin")
    calendar = {"1999": {"04": {"01": stooges[0]}}, "2000": {"04": {"01": stooges[1]}}}
    check("nestedStructTest", lambda: test.nestedStructTest(calendar), 69)
    check("simpleStructReturnTest", lambda: test.simpleStructReturnTest(3), {"times10": 30, "times100": 300, "times1000": 3000})


def echo(test):
    date = xmlrpc.client.DateTime("20010704T12:00:00")
    for name, value in {
        "echoString": "Grüße <&>",
        "echoStringArray": ["one", "", "three"],
        "echoInteger": -42,
        "echoIntegerArray": [1, -2, 3],
        "echoFloat": 0.005,
        "echoFloatArray": [5.5, -12.25],
        "echoStruct": {"varString": "x", "varInt": 1, "varFloat": 1.5},
        "echoStructArray": [{"varInt": 1}, {"varInt": 2}],
        "echoValue": [1, {"a": [True]}],
        "echoBase64": xmlrpc.client.Binary(bytes(range(256))),
        "echoDate": date,
    }.items():
        check(name, lambda: getattr(test, name)(value), value)
    toolkit = {"toolkitDocsUrl", "toolkitName", "toolkitVersion", "toolkitOperatingSystem"}
    report("whichToolkit", lambda: same(set(test.whichToolkit()), toolkit))


def cpython(url):
    """What test_xmlrpc.py asks of a server of its own, with its names."""
    proxy = xmlrpc.client.ServerProxy(url)
    check("test_simple1", lambda: proxy.pow(6, 8), 6**8)
    check("test_nonascii", lambda: getattr(proxy, "têšt")(42), 42)
    check("test_404", lambda: status_of(url.replace("/RPC2", "/this/is/not/valid")), 404)
    methods = {"pow", "my_function", "add", "div", "Fixture.getData"}
    system = {"system.listMethods", "system.methodHelp", "system.methodSignature", "system.multicall"}
    report("test_introspection1", lambda: None if methods | system <= set(proxy.system.listMethods()) else "a method is missing")
    check("test_introspection2", lambda: proxy.system.methodHelp("div"), "This is the div function")
    check("test_introspection3", lambda: proxy.system.methodHelp("my_function"), "This is my function")
    check("test_introspection4", lambda: proxy.system.methodSignature("div"), "signatures not supported")

    def multicall():
        calls = xmlrpc.client.MultiCall(proxy)
        calls.add(2, 3)
        calls.pow(6, 8)
        calls.div(127, 42)
        return list(calls())

    check("test_multicall", multicall, [5, 6**8, 127 // 42])

    def non_existing():
        calls = xmlrpc.client.MultiCall(proxy)
        calls.this_is_not_exists()
        result = calls()
        return fault_of(lambda: result[0]).faultString.count("not supported")

    check("test_non_existing_multicall", non_existing, 1)
    check("test_dotted_attribute", lambda: proxy.Fixture.getData(), "42")
    report("test_unicode_host", lambda: same(xmlrpc.client.ServerProxy(url.replace("127.0.0.1", "localhost")).add("a", "\xe9"), "a\xe9"))
    report("test_fail_no_info", lambda: same(fault_of(lambda: proxy.div(1, 0)).faultCode, 1))
    report("test_partial_post", lambda: partial_post(url))

    def kept():
        with xmlrpc.client.ServerProxy(url) as own:
            return [own.pow(6, 8) for _ in range(3)]

    check("test_two", kept, [6**8] * 3)


def status_of(url):
    try:
        return xmlrpc.client.ServerProxy(url).add(1, 2)
    except xmlrpc.client.ProtocolError as error:
        return error.errcode


def partial_post(url):
    """A connection that ends in the middle of its body hurts nobody else."""
    import http.client
    address = url.split("/")[2]
    connection = http.client.HTTPConnection(address)
    connection.putrequest("POST", "/RPC2")
    connection.putheader("Content-Type", "text/xml")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"<methodCall>")
    connection.close()
    return same(xmlrpc.client.ServerProxy(url).add(1, 2), 3)


def legacy(url):
    """What a script after Odoo's own manual does, over both services."""
    common = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/common")
    models = xmlrpc.client.ServerProxy(f"{url}/xmlrpc/2/object")
    report("legacy-version", lambda: None if "server_version" in common.version() else "no server_version")
    uid = common.authenticate("demo", "ada", "secret", {})
    report("legacy-login", lambda: None if isinstance(uid, int) and uid > 0 else f"uid {uid!r}")
    check("legacy-refused", lambda: common.authenticate("demo", "ada", "wrong", {}), False)

    def ask(*call):
        return models.execute_kw("demo", uid, "secret", "res.partner", *call)

    check("legacy-search", lambda: ask("search", [[["is_company", "=", True]]]), [1, 3])
    rows = [{"id": 2, "name": "Ada"}]
    check("legacy-read", lambda: ask("read", [[2]], {"fields": ["name"]}), rows)
    # OdooRPC's own wire.
    body = {"service": "common", "method": "login", "args": ["demo", "ada", "secret"]}
    request = {"jsonrpc": "2.0", "method": "call", "params": body, "id": 1}

    def json_login():
        answer = urllib.request.urlopen(
            urllib.request.Request(f"{url}/jsonrpc", json.dumps(request).encode(), {"Content-Type": "application/json"}))
        return same(json.load(answer)["result"], uid)

    report("legacy-json", json_login)


validator1(xmlrpc.client.ServerProxy(SUITES).validator1)
echo(xmlrpc.client.ServerProxy(SUITES).interopEchoTests)
cpython(FIXTURE)
legacy(LEGACY)
