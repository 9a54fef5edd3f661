#!/usr/bin/env bash
# Guess:   `vapid_claims={"sub": …}` is what the program says of itself, and is only read: one dictionary serves for all
#          subscriptions, and each push names the service that it goes to (`aud`, RFC 8292, 2).
# Truth:   `webpush` writes `aud` and `exp` into the caller's dictionary, and leaves an `aud` that is there. With one
#          dictionary all pushes name the service of the first: those to Firefox may say that they are for Chrome's. A
#          test with one browser shows nothing.
# Version: pywebpush 2.5.0 (PyPI). Source: `webpush` in its __init__.py, `vapid_claims["aud"] = aud`.
# So:      give each call a dictionary of its own, `dict(claims)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pywebpush==2.5.0

cat >find.py <<'PYTHON'
import base64
import http.server
import json
import os
import threading
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02
from pywebpush import webpush

def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers["Authorization"].split("t=")[1].split(",")[0]
        self.server.said = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

def pushes(claims):
    """For two push services one after the other: whether the push names the service that it came to."""
    key = Vapid02()
    key.generate_keys()
    named = []
    for _ in range(2):
        service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{service.server_port}"
        device = ec.generate_private_key(ec.SECP256R1()).public_key()
        point = device.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        keys = {"p256dh": text(point), "auth": text(os.urandom(16))}
        webpush({"endpoint": f"{origin}/device", "keys": keys}, "hello", vapid_private_key=key, vapid_claims=claims())
        named.append(service.said["aud"] == origin)
    return named

claims = {"sub": "mailto:admin@example.org"}
copied, shared = pushes(lambda: dict(claims)), pushes(lambda: claims)
print("a dictionary for each push: names its service:", copied)
print("one dictionary for both:    names its service:", shared)
print("what is in that one afterwards:", sorted(claims))
assert copied == [True, True]
assert shared == [True, False], "the dictionary can be used again now"
assert sorted(claims) == ["aud", "exp", "sub"]
PYTHON
venv/bin/python find.py
echo "as found: pywebpush 2.5.0 keeps the first service's name in the dictionary of its caller"
