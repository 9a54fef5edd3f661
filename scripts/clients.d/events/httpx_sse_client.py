"""PyPI httpx-sse, which leaves it to its caller to come back. See ../events.py for what it does."""

import json
import sys
import time
from importlib.metadata import version

import httpx
from httpx_sse import connect_sse

url, count = sys.argv[1], int(sys.argv[2])
heard = lost = 0
last, wait_ms = "", 0
with httpx.Client(timeout=30) as client:
    while heard < count:
        fields = {"Last-Event-ID": last} if last else {}
        try:
            with connect_sse(client, "GET", url, headers=fields) as source:
                for event in source.iter_sse():
                    last, wait_ms = event.id or last, event.retry or wait_ms
                    if event.event == "message":
                        said = json.loads(event.data)
                        assert last.endswith(f":{said['seq']}"), (last, said)
                        print(json.dumps([said["seq"], said["data"]]), flush=True)
                        heard += 1
                        if heard == count:
                            break
                else:
                    raise httpx.ReadError("the end")
        except httpx.TransportError:
            lost += 1
            time.sleep(wait_ms / 1000)
print(f"httpx-sse {version('httpx-sse')}, cut off {lost} times")
