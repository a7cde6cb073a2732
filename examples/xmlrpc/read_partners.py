import sys
import xmlrpc.client

db = xmlrpc.client.ServerProxy(sys.argv[1])
companies = db.res.partner.search([], [[["is_company", "=", True]]])
for partner in db.res.partner.read({"records": companies}, {"fields": ["name", "city"]}):
    print(partner["name"], "in", partner["city"])
try:
    db.res.partner.read({"records": [99]}, {"fields": ["name"]})
except xmlrpc.client.Fault as fault:
    print(fault.faultCode, fault.faultString)
