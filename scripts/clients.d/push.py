"""A device and its push service: opens what the server pushes, with libraries that nobody here wrote.

usage: push.py COUNT WS_URL

COUNT direct messages are written to somebody who is away, one after the other was pushed. Each push must be opened by
http-ece (RFC 8291) with the keys of the device, and be signed, as PyJWT and cryptography verify, by the key that
browsers subscribe with (RFC 8292). The service answers the first one with 503, so that it comes again.
"""

import asyncio
import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import urlsplit

import http_ece
import jwt
import websockets
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PATIENCE = 30
requests = Queue()


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def padded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Service.count += 1
        is_taken = Service.count > 1
        if is_taken:
            requests.put(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(201 if is_taken else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Line:
    """A connection that answers its requests; events are passed over."""

    def __init__(self, line):
        self.line, self.last = line, 0

    async def ask(self, op, **fields):
        self.last += 1
        await self.line.send(json.dumps({"op": op, "id": self.last, **fields}))
        while (reply := json.loads(await asyncio.wait_for(self.line.recv(), PATIENCE))).get("id") != self.last:
            pass
        assert reply["code"] == 0, reply
        return reply["data"]


def check_signature(field, key, endpoint):
    token, named = field.removeprefix("vapid t=").split(", k=")
    assert named == key, field
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), padded(key))
    parts = urlsplit(endpoint)
    jwt.decode(token, public, algorithms=["ES256"], audience=f"{parts.scheme}://{parts.netloc}", options={"require": ["exp"]})


async def talk(count, url, endpoint):
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    secret = b"sixteen bytes of"
    options = {"subprotocols": ["chinwag.v1"]}
    async with websockets.connect(url, **options) as device, websockets.connect(url, **options) as writer:
        device, writer = Line(device), Line(writer)
        await device.ask("hello", name="sleeper")
        await writer.ask("hello", name="waker")
        await device.ask("push_subscribe", endpoint=endpoint, p256dh=unpadded(point), auth=unpadded(secret))
        key = (await device.ask("push_subscriptions"))["key"]
        await device.ask("status", status="away")
        for n in range(1, count + 1):
            text = f"message {n} that nobody but its reader sees"
            seq = (await writer.ask("send", to="sleeper", text=text))["seq"]
            fields, body = await asyncio.to_thread(requests.get, timeout=PATIENCE)
            assert (fields["content-encoding"], fields["ttl"], len(fields["topic"])) == ("aes128gcm", "86400", 32), fields
            check_signature(fields["authorization"], key, endpoint)
            told = json.loads(http_ece.decrypt(body, private_key=private, auth_secret=secret, version="aes128gcm"))
            assert (told["room"], told["seq"], told["unread"], told["why"]) == ("@sleeper:waker", seq, n, "direct"), told
            assert text not in json.dumps(told) and (len(body) - 16 - 5 - 65 - 16) % 128 == 0, (told, len(body))
        await device.ask("push_unsubscribe", endpoint=endpoint)
        assert (await device.ask("push_subscriptions"))["items"] == []


def main():
    count, url = int(sys.argv[1]), sys.argv[2]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asyncio.run(talk(count, url, f"http://127.0.0.1:{server.server_port}/device"))
    print(f"   http-ece and PyJWT: {count} pushes opened and verified, {Service.count} requests")


main()
