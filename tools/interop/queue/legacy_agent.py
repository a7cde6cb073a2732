"""An agent as they were: models and functions of old, no tokens. Runs one command, then says goodbye."""
import sys, xmlrpc.client
db = xmlrpc.client.ServerProxy(sys.argv[1])
name, incarnation = "old", "old-" + sys.argv[2]
[address] = db.base.command.address.search([], [[["name", "=", "bot:7"]]])
db.base.command.address.subscribe([address], [name, incarnation])
who = {"address_name": "bot:7", "agent_name": name, "agent_incarnation": incarnation}
while True:
    job = db.base.command.command.pop_command([], [], who)
    if job: break
    db.wait([], ["command on: bot:7"])
if sys.argv[3:] == ["late"]:
    print(job["id"], flush=True)
    sys.stdin.readline()
try:
    if job["method"] == "add": db.base.command.command.push_result([job["id"]], [sum(job["args"])])
    elif job["method"] == "refuse": db.base.command.command.push_exception([job["id"]], [{"code": 7, "message": "Error!", "error": "is not active"}])
    else: db.base.command.command.push_failure([job["id"]], [{"code": 100, "message": "no " + job["method"], "error": ""}])
    print("pushed", flush=True)
except xmlrpc.client.Fault as fault:
    print(fault.faultString, flush=True)
db.base.command.address.unsubscribe([address], [name])
