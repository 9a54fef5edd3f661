"""Runs the proxies of Debian in front of the server, each with the file of this folder that a user copies.

usage: run.py HTTP_HOST:PORT TCP_HOST:PORT [NAME…]

For each proxy: messages both ways and the answers to pings; a stream of events, of which each comes at once; a silence
longer than the proxy's timeout for both; a reload of the
proxy, after which a client comes back to what it has missed; a TCP connection of which the client has ended its side; a
WebSocket by HTTP/2, where it takes one; and, without the setting that the proxy needs, an answer that says so. Leaves with 1
if anything is not as it should be.
"""

import asyncio
import http.client
import json
import shutil
import socket
import sys
import tempfile
import time
import urllib.request

import websockets

from http2 import Http2Line
from proxies import ALL, IDLE, PATIENCE

MESSAGES = 100


class Client:
    """A client of `chinwag.v1` over WebSocket."""

    def __init__(self, port, room):
        self.url, self.room, self.next_id, self.waiting = f"ws://127.0.0.1:{port}/ws", room, 1, []

    async def open(self, name, resume=None):
        self.socket = await websockets.connect(self.url, subprotocols=["chinwag.v1"], ping_interval=None)
        assert self.socket.subprotocol == "chinwag.v1"
        self.name = name
        welcome = await self.ask(op="hello", name=name, **({"resume": resume} if resume else {}))
        self.session = welcome["session"]
        return welcome

    async def join(self):
        joined = await self.ask(op="join", room=self.room)
        self.epoch, self.seq = joined["epoch"], joined["seq"]

    async def say(self, **request):
        await self.socket.send(json.dumps(request))

    async def ask(self, **request):
        self.next_id += 1
        await self.say(id=self.next_id, **request)
        answer = await self.expect(lambda message: message.get("id") == self.next_id)
        assert answer["code"] == 0, f"{request} was answered with {answer}"
        return answer["data"]

    async def expect(self, is_wanted):
        for index, message in enumerate(self.waiting):
            if is_wanted(message):
                return self.waiting.pop(index)
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if is_wanted(message):
                return message
            self.waiting.append(message)

    async def hear(self, text):
        """Waits for a message, live or as what was missed, and checks that it is the next."""
        def records(message):
            return message.get("items", []) if message.get("ev") == "replay" else [message]

        found = lambda message: any(record.get("text") == text for record in records(message))
        message = await self.expect(found)
        record = next(record for record in records(message) if record.get("text") == text)
        self.seq = record["seq"]


async def talks(proxy, room):
    """Messages both ways, the server's pings answered, ours too."""
    ann, bob = Client(proxy.port, room), Client(proxy.port, room)
    await ann.open("ann")
    await bob.open("bob")
    await ann.join()
    await bob.join()
    for number in range(MESSAGES):
        length = 20_000 if number % 10 == 0 else 10
        text = f"{number} " + "x" * (length if length < 16_000 else 15_000)
        sent = await ann.ask(op="send", room=room, text=text)
        await bob.hear(text)
        assert bob.seq == sent["seq"]
    pong = await ann.socket.ping()
    await asyncio.wait_for(pong, PATIENCE)
    return ann, bob


class Stream:
    """A reader of Server-Sent Events."""

    def __init__(self, port, room):
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.line.request("GET", f"/rooms/{room}/events?as=screen")
        self.answer = self.line.getresponse()
        assert self.answer.status == 200, self.answer.status
        self.hear('"ev":"live"')

    def hear(self, wanted):
        while True:
            line = self.answer.readline().decode()
            assert line, f"the end instead of {wanted}"
            if wanted in line:
                return


async def stays(proxy, ann, bob, room):
    """Silence of twice the proxy's timeout: the server's pings keep the line, and its comments the stream."""
    stream = await asyncio.to_thread(Stream, proxy.port, room)
    # A proxy that gathers an answer before it passes it on would hold the first one back.
    for text in ("at once", "still here"):
        await ann.ask(op="send", room=room, text=text)
        await bob.hear(text)
        await asyncio.to_thread(stream.hear, f'"text":"{text}"')
        if text == "at once":
            await asyncio.sleep(2 * IDLE + 1)
    stream.line.close()


async def comes_back(proxy, ann, bob, room):
    """A reload: who was cut comes back, and nothing is missed. Says what the proxy does to connections."""
    position = [bob.epoch, bob.seq]
    proxy.reload()
    # What a client notices: the line is closed, or goes on.
    try:
        await asyncio.wait_for(bob.socket.wait_closed(), 4)
        is_kept = False
    except asyncio.TimeoutError:
        is_kept = True
    if is_kept:
        await ann.ask(op="send", room=room, text="after the reload")
        await bob.hear("after the reload")
    else:
        code = bob.socket.close_code
        proxy.wait_for(proxy.port)
        await ann.open("ann", {"session": ann.session, "rooms": {room: [ann.epoch, ann.seq]}})
        await ann.ask(op="send", room=room, text="after the reload")
        welcome = await bob.open("bob", {"session": bob.session, "rooms": {room: position}})
        assert welcome["resumed"], welcome
        await bob.hear("after the reload")
        assert bob.seq == position[1] + 1
    late = Client(proxy.port, room)
    await late.open("late")
    await late.socket.close()
    await bob.ask(op="send", room=room, text="bye")
    for client in (ann, bob):
        await client.socket.close()
    return "keeps connections" if is_kept else f"closes connections ({code})"


def half_closed(proxy, room):
    """A client that ends its side at once, as `nc -N` does, has all its answers."""
    requests = [
        {"op": "hello", "id": 1, "name": "nc"},
        {"op": "join", "id": 2, "room": room},
        *({"op": "send", "id": 3 + number, "room": room, "text": f"line {number}"} for number in range(20)),
    ]
    with socket.create_connection(("127.0.0.1", proxy.tcp_port), PATIENCE) as line:
        line.sendall("".join(json.dumps(request) + "\n" for request in requests).encode())
        line.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := line.recv(65536):
            heard += piece
    answers = [message for message in map(json.loads, heard.splitlines()) if "id" in message]
    assert [answer["id"] for answer in answers] == list(range(1, 23)), answers
    assert all(answer["code"] == 0 for answer in answers), answers


def page(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/", timeout=PATIENCE) as answer:
        assert answer.status == 200 and b"<html" in answer.read()


def says_what_is_missing(proxy):
    """The answer to an upgrade that the proxy has taken away."""
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as line:
        line.sendall(request.encode())
        line.settimeout(PATIENCE)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        words = answer.read().decode()
    assert answer.status == 426 and "a proxy" in words, f"{answer.status}: {words}"


def talks_over_http2(proxy, room):
    """By extended CONNECT: messages both ways, and the server's pings over twice the time that the proxy waits in silence."""
    line = Http2Line(proxy.port, PATIENCE)
    line.say(op="hello", id=1, name="http2")
    line.say(op="join", id=2, room=room)
    line.say(op="send", id=3, room=room, text="x" * 15_000, echo=True)
    said = line.hear(lambda message: message.get("ev") == "message" and message["from"] == "http2")
    assert said["text"] == "x" * 15_000, said
    end = time.monotonic() + 2 * IDLE
    while time.monotonic() < end:
        line.hear(lambda message: "ping" in message)
    line.say(op="ping", id="still here")
    line.hear(lambda message: message.get("id") == "still here")
    line.line.close()


def run(proxy_type, web, tcp):
    folder = tempfile.mkdtemp(prefix="chinwag-proxy-")
    proxy = proxy_type(folder, web, tcp)
    room = proxy.name.lower()

    async def all_of_it():
        ann, bob = await talks(proxy, room)
        await stays(proxy, ann, bob, room)
        return await comes_back(proxy, ann, bob, room)

    try:
        proxy.start()
        page(proxy)
        on_reload = asyncio.run(asyncio.wait_for(all_of_it(), 60))
        if proxy.keeps_half_closed is not None:
            half_closed(proxy, room)
        if proxy.takes_http2:
            talks_over_http2(proxy, room)
    finally:
        proxy.stop()
        shutil.rmtree(folder)
    folder = tempfile.mkdtemp(prefix="chinwag-proxy-")
    stripping = proxy_type(folder, web, tcp, is_stripping=True)
    try:
        stripping.start()
        says_what_is_missing(stripping)
    finally:
        stripping.stop()
        shutil.rmtree(folder)
    print(f"  {proxy.version()}: {MESSAGES} messages, idle {2 * IDLE + 1} s; a reload {on_reload}", flush=True)


def main():
    web, tcp, *names = sys.argv[1:]
    chosen = [proxy for proxy in ALL if not names or proxy.name.lower() in names]
    failed = 0
    for proxy in chosen:
        try:
            run(proxy, web, tcp)
        except Exception as error:  # Each proxy is tried, whatever became of the one before.
            failed += 1
            print(f"  {proxy.name}: failed: {type(error).__name__}: {error!s:.400}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


main()
