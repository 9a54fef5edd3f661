"""Receives webhooks and verifies them with the libraries of Standard Webhooks, for Python and for Node.

usage: webhooks.py COUNT WS_URL SERVER_BINARY DATA

A webhook is added to the server, COUNT messages are said in a room, and each request must be taken by both libraries
as it came, and refused with another body, another id or another secret. The first request is answered with 503, so
that one is sent again; the secret is changed in the middle.
"""

import asyncio
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import websockets
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PATIENCE = 30
here = Path(__file__).parent
requests = Queue()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        requests.put(({key.lower(): value for key, value in self.headers.items()}, body.decode()))
        Receiver.count += 1
        self.send_response(503 if Receiver.count == 1 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def by_python(secret, headers, body):
    try:
        return Webhook(secret).verify(body, headers) is not None
    except WebhookVerificationError:
        return False


class Node:
    """A process that verifies what it is told, a line for each."""

    def __init__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["node", here / "webhooks.mjs"], stdin=pipe, stdout=pipe, text=True)

    def verify(self, secret, headers, body):
        self.process.stdin.write(json.dumps([secret, headers, body]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


async def say(url, count, between):
    async with websockets.connect(url, subprotocols=["chinwag.v1"]) as line:
        await line.send(json.dumps({"op": "hello", "id": 0, "name": "teller"}))
        await line.send(json.dumps({"op": "join", "id": 1, "room": "told"}))
        for n in range(count):
            if n == count // 2:
                await asyncio.to_thread(between)
            await line.send(json.dumps({"op": "send", "id": n + 2, "room": "told", "text": f"message {n} – ü 👋"}))
            while json.loads(await line.recv()).get("id") != n + 2:
                pass


def main():
    count, url, binary, data = int(sys.argv[1]), *sys.argv[2:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def chinwag(*args):
        hosts = {"CHINWAG_WEBHOOKS_HOSTS": "127.0.0.1"}
        argv = [binary, "--data", data, "webhook", *args]
        return subprocess.run(argv, env=hosts, capture_output=True, text=True, check=True).stdout

    address = f"http://127.0.0.1:{server.server_port}/in"
    secrets = [chinwag("add", "verified", "--rooms", "told", "--url", address).splitlines()[0]]
    # A running server knows it within two seconds; what was said before is not told.
    while True:
        asyncio.run(say(url, 1, lambda: None))
        try:
            requests.get(timeout=1)
            break
        except Exception:
            continue
    asyncio.run(say(url, count, lambda: secrets.append(chinwag("rotate", "verified").splitlines()[0])))
    node, taken, seen, double = Node(), 0, set(), 0
    while len(seen) < count:
        headers, body = requests.get(timeout=PATIENCE)
        for name, verify in (("Python", by_python), ("Node", node.verify)):
            assert any(verify(secret, headers, body) for secret in secrets), f"{name} refuses {headers} {body}"
            other = {**headers, "webhook-id": "msg_other"}
            forged = "whsec_" + "A" * 32
            assert not verify(secrets[0], headers, body + " "), f"{name} takes another body"
            assert not verify(secrets[0], other, body), f"{name} takes another id"
            assert not verify(forged, headers, body), f"{name} takes another secret"
        double += " " in headers["webhook-signature"]
        taken += 1
        texts = [event["text"] for event in json.loads(body)["data"]["events"]]
        seen.update(text for text in texts if int(text.split()[1]) < count)
        # The message by which it was learned that the webhook is there comes again.
        if len(seen) == count:
            break
    node.process.stdin.close()
    node.process.wait(PATIENCE)
    print(f"  {taken} requests with {len(seen)} messages verified by standardwebhooks of Python and Node, {double} by two secrets")


main()
