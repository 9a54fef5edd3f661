"""PyPI wsproto, which brings no socket of its own. See ../others.py for what it does."""

import json
import socket
import sys
from urllib.parse import urlsplit

import wsproto
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

url, room, name, count = sys.argv[1:]
where = urlsplit(url)
line = socket.create_connection((where.hostname, where.port), 30)
state = WSConnection(ConnectionType.CLIENT)
asked = Request(host=where.netloc, target=where.path, subprotocols=["chinwag.v1"], extensions=[PerMessageDeflate()])
line.sendall(state.send(asked))
text = ""


def events():
    global text
    while True:
        data = line.recv(65536)
        state.receive_data(data or None)
        for event in state.events():
            if isinstance(event, Ping):
                line.sendall(state.send(event.response()))
            elif isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    yield json.loads(text)
                    text = ""
            else:
                yield event


def say(**request):
    line.sendall(state.send(TextMessage(data=json.dumps(request))))


said = 0
for event in events():
    if isinstance(event, AcceptConnection):
        assert event.subprotocol == "chinwag.v1" and event.extensions
        say(op="hello", id="h", name=name)
    elif isinstance(event, CloseConnection):
        assert event.code == 1000, event
        break
    elif event.get("code"):
        raise SystemExit(str(event))
    elif event.get("id") == "h":
        say(op="join", id="j", room=room)
    elif "id" in event and said < int(count):
        say(op="send", id="s", room=room, text=f"wsproto {said}")
        said += 1
    elif event.get("text") == f"good bye {name}":
        print("wsproto", wsproto.__version__)
        line.sendall(state.send(CloseConnection(code=1000)))
