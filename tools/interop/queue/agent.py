import sys, xmlrpc.client
queue = xmlrpc.client.ServerProxy(sys.argv[1], allow_none=True).rpc.queue.v1.CommandService
me, topic, since = ("bot:7", "python", "python-1"), "command on: bot:7", None
methods = {"add": lambda a, b: a + b, "divide": lambda a, b: a / b, "greet": lambda name: "Hello " + name}
queue.subscribe(*me)
while True:
    for job in queue.pop(*me, 10):
        try: result = methods[job["method"]](*job["args"], **job["kwargs"])
        except Exception as error: queue.pushException(job["id"], job["token"], {"message": str(error), "type": type(error).__name__})
        else: queue.pushResult(job["id"], job["token"], result)
    since = queue.wait(topic, since)["seq"]
