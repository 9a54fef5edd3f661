"""A server that receives webhooks, and what nodes of a cluster must tell it."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import threading
import time

from people import CHINWAG, Client

# A turn of a node that was killed ends in 4 s; a slow machine may take much longer for all else.
PATIENCE = 60


class Receiver(http.server.ThreadingHTTPServer):
    """Takes events, or answers 503 while it `fails`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fails, self.refused, self.events, self.changed = False, 0, [], threading.Condition()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def until(self, is_so):
        with self.changed:
            assert self.changed.wait_for(is_so, PATIENCE), f"{self.refused} refused, {len(self.events)} events: {self.events[-3:]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.server.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        with self.server.changed:
            is_taken = not self.server.fails and expected == self.headers["webhook-signature"]
            if is_taken:
                self.server.events += json.loads(body)["data"]["events"]
            else:
                self.server.refused += 1
            self.server.changed.notify_all()
        self.send_response(200 if is_taken else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def webhook(node, *words):
    """What a command about webhooks says."""
    env = {"PATH": os.environ["PATH"], "CHINWAG_CLUSTER_ENGINE": node.settings["ENGINE"], "CHINWAG_WEBHOOKS_HOSTS": "127.0.0.1"}
    done = subprocess.run([CHINWAG, "webhook", *words], capture_output=True, text=True, timeout=PATIENCE, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def checked(node):
    """What `cluster check` says."""
    command = [CHINWAG, "cluster", "check", node.settings["ENGINE"]]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env={"PATH": os.environ["PATH"]}).stdout


def await_join(receiver, node, name):
    """Has people join at the node until the receiver is told of one: it knows of the webhook then."""
    deadline, nth = time.monotonic() + PATIENCE, 0
    while not any(event.get("user", "").startswith(name) for event in receiver.events):
        assert time.monotonic() < deadline, f"{node.name} tells of no join"
        Client(node, f"{name}n{nth}").ask("join", room="told")
        nth += 1
        with receiver.changed:
            receiver.changed.wait(0.5)


def of_interest(receiver):
    """What it was told besides those joins."""
    return [event for event in receiver.events if not event.get("user", "").startswith("early")]


def told(engine, nodes):
    """A webhook is told by one node what is said at either. That one is killed while its receiver fails."""
    receiver = Receiver()
    receiver.secret = webhook(nodes[0], "add", "ci", "--url", receiver.url, "--rooms", "told", "--events", "message,join").split()[0]
    # Joins are told by nodes that know of the webhook: each has asked since.
    deadline = time.monotonic() + PATIENCE
    while engine.rows("SELECT count(*) FROM chinwag.sender_settings") != "2":
        assert time.monotonic() < deadline, "the nodes do not look at the webhooks"
        time.sleep(0.02)
    for place, node in enumerate(nodes):
        await_join(receiver, node, f"early{place}")
    people = [Client(node, name) for node, name in zip(nodes, ("tess", "theo"))]
    said = []

    def say(clients, count):
        for nth in range(count):
            client = clients[nth % len(clients)]
            sent = client.ask("send", room="told", text=f"number {len(said)}", cid=f"t{len(said)}")
            said.append((sent["seq"], f"number {len(said)}"))

    for client in people:
        client.ask("join", room="told")
    say(people, 30)
    receiver.until(lambda: len(of_interest(receiver)) >= 32)
    name = engine.rows("SELECT n.name FROM chinwag.sender s JOIN chinwag.node n ON n.id = s.node")
    at = next(place for place, node in enumerate(nodes) if node.name == name)
    receiver.fails, before = True, receiver.refused
    say(people, 10)
    receiver.until(lambda: receiver.refused > before)
    nodes[at].end("kill")
    say([people[1 - at]], 20)
    receiver.fails = False
    receiver.until(lambda: len({event["id"] for event in of_interest(receiver)}) >= 62)
    firsts = {}
    for event in of_interest(receiver):
        firsts.setdefault(event["id"], event)
    messages = [(event["seq"], event["text"]) for event in firsts.values() if event["ev"] == "message"]
    assert messages == said, (messages, said)
    joins = sorted(event["user"] for event in firsts.values() if event["ev"] == "join")
    assert joins == ["tess", "theo"], joins
    # It comes back with other settings, which is said.
    nodes[at].settings["webhooks_timeout"] = "2s"
    nodes[at].start()
    nodes[at].await_ready()
    deadline = time.monotonic() + PATIENCE
    while "[webhooks] settings: one, two" not in (said_of_it := checked(nodes[0])):
        assert time.monotonic() < deadline, said_of_it
        time.sleep(0.02)
    # What the first one had begun to retry is over, and nothing has been given up.
    deadline = time.monotonic() + PATIENCE
    while (state := webhook(nodes[0], "list")).count(";"):
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    assert "everything was delivered" in webhook(nodes[0], "dead", "ci")
    webhook(nodes[0], "end", "ci")
    receiver.shutdown()
