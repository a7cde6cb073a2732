import sys
import threading
import xmlrpc.server

PARTNERS = {
    1: {"id": 1, "name": "Azure", "city": "Bruges", "is_company": True},
    2: {"id": 2, "name": "Ada", "city": "London", "is_company": False},
    3: {"id": 3, "name": "Gemini", "city": "Ghent", "is_company": True},
}


def search(companies_only):
    return [key for key, partner in PARTNERS.items() if partner["is_company"] or not companies_only]


def read(ids, fields):
    if unknown := set(ids) - set(PARTNERS):
        raise xmlrpc.client.Fault(404, f"no partner {min(unknown)}")
    return [{field: PARTNERS[key][field] for field in fields} for key in ids]


server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
server.register_function(search, "partner.search")
server.register_function(read, "partner.read")
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_address[1]}/RPC2", flush=True)
sys.stdin.read()
