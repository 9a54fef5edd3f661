"""PyPI websocket-client. See ../others.py for what it does."""

import json
import sys

import websocket

url, room, name, count = sys.argv[1:]
line = websocket.create_connection(url, subprotocols=["chinwag.v1"], timeout=30)


def ask(**request):
    line.send(json.dumps({"id": "a", **request}))
    while (message := json.loads(line.recv())).get("id") != "a":
        pass
    assert message["code"] == 0, message


ask(op="hello", name=name)
ask(op="join", room=room)
for number in range(int(count)):
    ask(op="send", room=room, text=f"websocket_client {number}")
while json.loads(line.recv()).get("text") != f"good bye {name}":
    pass
print("websocket-client", websocket.__version__)
line.close(websocket.STATUS_NORMAL)
