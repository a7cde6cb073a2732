"""Wishes for a build of a builder, with nothing but the standard library."""
import sys
import xmlrpc.client

url, builder = sys.argv[1:]
db = xmlrpc.client.ServerProxy(url, allow_none=True)
requests = db.software_dev.buildrequest
number = requests.create([], [{"builder": builder, "reason": "from Python"}])
[request] = requests.read([number], [["builder", "state", "submitted_by", "reason"]])
print("request {id} of {builder} is {state}, wished by {submitted_by}: {reason}".format(**request))
try:
    requests.search([], [[["colour", "=", "red"]]])
except xmlrpc.client.Fault as fault:
    print(fault.faultString.split(":")[0])
