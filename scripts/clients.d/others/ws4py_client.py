"""PyPI ws4py, whose Origin is of the scheme ws. See ../others.py for what it does."""

import json
import sys

import ws4py
from ws4py.client.threadedclient import WebSocketClient

url, room, name, count = sys.argv[1:]


class Client(WebSocketClient):
    said, code = 0, None

    def opened(self):
        self.say(op="hello", id="h", name=name)

    def say(self, **request):
        self.send(json.dumps(request))

    def received_message(self, text):
        message = json.loads(text.data)
        assert not message.get("code"), message
        if message.get("id") == "h":
            self.say(op="join", id="j", room=room)
        elif "id" in message and self.said < int(count):
            self.say(op="send", id="s", room=room, text=f"ws4py {self.said}")
            self.said += 1
        elif message.get("text") == f"good bye {name}":
            print("ws4py", ws4py.__version__, flush=True)
            self.close(1000)

    def closed(self, code, reason=None):
        self.code = code


client = Client(url, protocols=["chinwag.v1"])
client.connect()
client.run_forever()
assert client.code == 1000, client.code
