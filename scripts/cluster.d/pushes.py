"""A push service, and what devices of a cluster are told: by one node, once, whichever node their users are at."""

import base64
import http.server
import threading
import time

from people import Client

# A turn of a node that was killed ends in 4 s, and that nobody is there any more is seen in 10 s; a slow machine may take
# much longer for all else.
PATIENCE = 60
# The generator of the curve: a point, and nobody needs to open what is sealed for it.
POINT = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e16"
                      "2bce33576b315ececbb6406837bf51f5")


class Service(http.server.ThreadingHTTPServer):
    """Takes pushes by their devices, or answers what it `says` instead."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.says, self.told, self.refused, self.changed = 201, [], 0, threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, device):
        return f"http://127.0.0.1:{self.server_address[1]}/{device}"

    def until(self, device, count):
        """Waits until a device was told so often, and returns the keys by which it was."""
        with self.changed:
            found = lambda: [key for path, key in self.told if path == f"/{device}"]
            assert self.changed.wait_for(lambda: len(found()) >= count, PATIENCE), f"{device}: {self.told}, {self.refused} refused"
            assert len(found()) == count, self.told
            return found()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        with self.server.changed:
            code = self.server.says
            if code == 201:
                self.server.told.append((self.path, self.headers["authorization"].split(", k=")[1]))
            else:
                self.server.refused += 1
            self.server.changed.notify_all()
        self.send_response(code)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def subscribe(client, endpoint):
    return client.ask("push_subscribe", endpoint=endpoint, p256dh=unpadded(POINT), auth=unpadded(bytes(16)))["id"]


def devices(client):
    return client.ask("push_subscriptions")["items"]


def until(is_so, what):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def pushed(engine, nodes):
    """Who is written to at one node is told by its device, unless it is active or has read at another; also if nodes die."""
    service, (one, other) = Service(), nodes
    sid, wes = Client(one, "sid"), Client(other, "wes")
    keys = [client.ask("push_subscriptions")["key"] for client in (sid, wes)]
    assert keys[0] == keys[1], keys
    subscribe(sid, service.url("a"))
    there = Client(other, "sid")
    until(lambda: len(devices(there)) == 1, "the other node does not know the device")

    def say(text):
        return wes.ask("send", to="sid", text=text)["seq"]

    def untold():
        return engine.rows("SELECT count(*) FROM chinwag.push_news WHERE NOT told")

    def looked():
        return engine.rows("SELECT until FROM chinwag.push_sender")

    # Active at one of two nodes; and then at none, but it has read it there.
    sid.ask("status", status="away")
    first = say("one")
    # Whoever sends has looked at it since.
    for _ in range(2):
        before = looked()
        until(lambda: looked() != before, "nobody looks for what is due")
    assert not service.told, service.told
    there.ask("ack", room="@sid:wes", read=first, recv=first)
    until(lambda: untold() == "0", "what was read is still to be told")
    there.ask("status", status="away")
    say("two")
    assert service.until("a", 1) == keys[:1]
    say("three")
    service.until("a", 2)
    until(lambda: untold() == "0", "it is not known that it was told")
    # The one that sends is killed while it has something to send.
    name = engine.rows("SELECT n.name FROM chinwag.push_sender s JOIN chinwag.node n ON n.id = s.node")
    service.says, before = 503, service.refused
    say("four")
    with service.changed:
        assert service.changed.wait_for(lambda: service.refused > before, PATIENCE), "nothing is sent"
    at = next(place for place, node in enumerate(nodes) if node.name == name)
    nodes[at].end("kill")
    service.says = 201
    assert service.until("a", 3) == 3 * keys[:1], "by the same key"
    until(lambda: untold() == "0", "it is not known that it was told")
    nodes[at].start()
    nodes[at].await_ready()
    # A device that its service does not know any more is over at both.
    service.says = 410
    wes, sid, there = Client(nodes[1 - at], "wes"), Client(one, "sid"), Client(other, "sid")
    for client in (sid, there):
        client.ask("status", status="away")
    say("five")
    until(lambda: not devices(sid) and not devices(there), "the device is not over")
    assert engine.rows("SELECT count(*) FROM chinwag.push_news") == "0"
    service.shutdown()
