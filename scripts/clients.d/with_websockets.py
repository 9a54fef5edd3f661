"""One participant of scripts/clients: Python `websockets`. See run.py for what a participant does."""

import asyncio
import json
import re
import sys

import websockets
from websockets.asyncio.client import connect

url, room, name, count, peer_list = sys.argv[1:]
count = int(count)
peers = peer_list.split(",")
json_peers = [peer for peer in peers if peer != "nc"]


class Participant:
    def __init__(self, connection):
        self.connection = connection
        self.heard = dict.fromkeys(peers, 0)
        self.present = set()
        self.typing = set()
        self.last_seq = None
        self.replies = 0

    async def say(self, op, **fields):
        await self.connection.send(json.dumps({"op": op, **fields}))

    def advance(self, seq):
        """Rule 7 of the protocol: the seqs of events and replies together only rise; here, one by one."""
        assert seq == self.last_seq + 1, f"seq {seq} came after {self.last_seq}"
        self.last_seq = seq

    async def receive(self):
        text = await self.connection.recv()
        assert isinstance(text, str), "a binary message"
        message = json.loads(text)
        assert ("ev" in message) != ("code" in message), f"neither event nor reply, or both: {text}"
        assert message.get("code", 0) == 0, f"refused: {text}"
        if "code" in message:
            if "at" in message["data"]:
                self.advance(message["data"]["seq"])
                self.replies += 1
        elif message["ev"] == "message":
            self.hear(message)
        elif message["ev"] == "replay":
            # We send faster than we read, so we may be caught up: the same messages, several in one.
            for item in message["items"]:
                self.hear(item)
        elif message["ev"] == "presence":
            # A change, or after a while behind the whole state.
            self.present.update(message.get("on", []), (user for user, _ in message.get("users", [])))
        elif message["ev"] == "typing":
            self.typing.update(message["users"])
        else:
            assert message["ev"] not in ("gap", "reset"), f"something was lost: {text}"
        return message

    def hear(self, message):
        """Notes a message `<from> says <n>`, which must be the next one of its sender."""
        self.advance(message["seq"])
        said = re.match(r"(\w+) says (\d+)", message["text"])
        assert said and said[1] == message["from"], f"a strange message: {message}"
        assert int(said[2]) == self.heard[said[1]], f"{said[0]}, expected {self.heard[said[1]]}"
        self.heard[said[1]] += 1

    async def reply(self, id):
        while (message := await self.receive()).get("id") != id:
            pass
        return message["data"]


async def command(expected):
    told = (await asyncio.to_thread(sys.stdin.readline)).strip()
    assert told == expected, f"told {told!r} instead of {expected}"


async def main():
    async with connect(url, subprotocols=["chinwag.v1"]) as connection:
        me = Participant(connection)
        await me.say("hello", id=1, name=name, agent="websockets")
        await me.reply(1)
        await me.say("join", id=2, room=room)
        me.last_seq = (await me.reply(2))["seq"]
        print("joined", flush=True)

        await command("type")
        await me.say("presence", id=3, room=room)
        me.present.update(user for user, _ in (await me.reply(3))["users"])
        await me.say("typing", room=room)
        while not (me.typing.issuperset(json_peers) and me.present.issuperset(peers)):
            await me.receive()
        print("typed", flush=True)

        await command("go")
        for n in range(count):
            # Each tenth is long enough for either side to compress it.
            text = f"{name} says {n}" + ("" if n % 10 else " so" * 700)
            await me.say("send", id=1000 + n, room=room, cid=f"{name}-{n}", text=text)
        while me.replies < count or any(heard < count for heard in me.heard.values()):
            await me.receive()
        extensions = [extension.name for extension in connection.protocol.extensions]
        report = {
            "library": f"Python websockets {websockets.__version__}",
            "sent": count,
            "heard": me.heard,
            "present": len(me.present),
            "typing": len(me.typing),
            "compressed": "permessage-deflate" in extensions,
            "subprotocol": connection.subprotocol,
        }
        print(json.dumps(report), flush=True)
        await command("end")
    assert connection.close_code == 1000, f"closed with {connection.close_code}"


asyncio.run(main())
