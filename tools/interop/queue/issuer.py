"""Sends a command, waits for its end, prints what has become of it."""
import json, sys, xmlrpc.client
queue = xmlrpc.client.ServerProxy(sys.argv[1], allow_none=True).rpc.queue.v1.CommandService
sent = queue.send("bot:7", sys.argv[2], json.loads(sys.argv[3]), {}, {"expires": "1m"})
outcome = {"state": "queued"}
while outcome["state"] in ("queued", "claimed"):
    outcome = queue.result(sent["id"])
print(json.dumps(outcome), flush=True)
