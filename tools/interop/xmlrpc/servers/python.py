"""The methods of the cases on CPython's SimpleXMLRPCServer. Prints its URL and serves until its input ends. `--apache` answers with the `ex:`
extensions of Apache ws-xmlrpc where CPython's own marshaller would refuse."""
import socketserver
import sys
import threading
import xmlrpc.client
import xmlrpc.server

VALUES = {
    "int": -2147483648,
    "i8": 9007199254740993,
    "boolean": True,
    "string": "a < b && c > d ]]> \"e\" 'f'",
    "unicode": "Grüße, 世界",
    "astral": "🎉",
    "lines": " one\r\ntwo\rthree\n\tfour ",
    "double": -1.5e-7,
    "integral": 3.0,
    "date": xmlrpc.client.DateTime("19980717T14:08:55"),
    "base64": xmlrpc.client.Binary(bytes(range(256))),
    "struct": {"lowerBound": 18, "upper": {"text": "x"}},
    "names": {"naïve <key> & co": "x", "": "no name"},
    "array": [1, "two", [3.5, [True, []]], {"four": [4]}],
    "empty": ["", [], {}],
    "nil": [None, {"nothing": None}],
    "large": "0123456789abcdef" * 655360,
}
APACHE = "--apache" in sys.argv
EXTENSIONS = "http://ws.apache.org/xmlrpc/namespaces/extensions"
# What only the extensions can say, as Apache's own writer spells it.
APACHE_VALUES = {
    "i1": "<ex:i1>-128</ex:i1>",
    "i2": "<ex:i2>32767</ex:i2>",
    "i8": "<ex:i8>9007199254740993</ex:i8>",
    "float": "<ex:float>0.5</ex:float>",
    "bigdecimal": "<ex:bigdecimal>12345678901234567890.123456789</ex:bigdecimal>",
    "biginteger": "<ex:biginteger>123456789012345678901234567890</ex:biginteger>",
    "nil": "<array><data><value><ex:nil/></value></data></array>",
    "serializable": "<ex:serializable>rO0ABXNyABFqYXZhLnV0aWw=</ex:serializable>",
}


class Handler(xmlrpc.server.SimpleXMLRPCRequestHandler):
    rpc_paths = ("/RPC2",)
    protocol_version = "HTTP/1.1"


# With a thread for each connection: one that is kept alive would stop all others.
class Server(socketserver.ThreadingMixIn, xmlrpc.server.SimpleXMLRPCServer):
    daemon_threads = True
    connections = 0

    def get_request(self):
        self.connections += 1
        return super().get_request()

    def _marshaled_dispatch(self, data, dispatch_method=None, path=None):
        if APACHE:
            params, method = xmlrpc.client.loads(data)
            if method == "matrix.give" and params[0] in APACHE_VALUES:
                return (
                    f'<?xml version="1.0" encoding="UTF-8"?><methodResponse xmlns:ex="{EXTENSIONS}"><params><param>'
                    f"<value>{APACHE_VALUES[params[0]]}</value></param></params></methodResponse>"
                ).encode()
            if method == "matrix.document":
                return xmlrpc.client.dumps((data.decode(),), methodresponse=True).encode()
        return super()._marshaled_dispatch(data, dispatch_method, path)


class Matrix:
    def tell(self, name, value):
        if type(value) is type(VALUES[name]) and value == VALUES[name]:
            return ""
        return f"got {value!r}"[:200]

    def give(self, name):
        return VALUES[name]

    def add(self, a, b):
        """Adds two integers."""
        return a + b

    def fail(self, code, text):
        raise xmlrpc.client.Fault(code, text)

    def wire(self):
        return {"connections": server.connections, "gzipRequests": 0, "gzipReplies": 0}


class Root:
    def __init__(self):
        self.matrix = Matrix()

    def _listMethods(self):
        return [f"matrix.{name}" for name in ("tell", "give", "add", "fail", "wire")]


server = Server(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
server.register_introspection_functions()
server.register_multicall_functions()
server.register_instance(Root(), allow_dotted_names=True)
threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
print(f"http://127.0.0.1:{server.server_address[1]}/RPC2", flush=True)
sys.stdin.read()
