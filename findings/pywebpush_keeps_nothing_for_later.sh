#!/usr/bin/env bash
# Guess:   a push that says nothing of how long it is good for waits at the push service for a while, as a notice to a
#          phone that is off should: npm's web-push asks for 4 weeks.
# Truth:   pywebpush asks for `TTL: 0`: delivered at once or never (RFC 8030, 5.2). The service answers 201 as to any other,
#          and a device that is off, or a browser that is closed, never hears of it. A test on one's own desk always works.
# Version: pywebpush 2.5.0 (PyPI), web-push 3.6.7 (npm). Source: `ttl: int = 0` of `webpush`; DEFAULT_TTL in web-push-lib.js.
# So:      name `ttl=86400` in each call.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pywebpush==2.5.0
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund web-push@3.6.7

cat >device.mjs <<'JAVASCRIPT'
import { createECDH, randomBytes } from "node:crypto";
import webpush from "web-push";

const device = createECDH("prime256v1");
device.generateKeys();
const keys = { p256dh: device.getPublicKey("base64url"), auth: randomBytes(16).toString("base64url") };
const subscription = { endpoint: "https://push.example.org/device", keys };
const { headers } = webpush.generateRequestDetails(subscription, "hello");
console.log(JSON.stringify({ subscription, ttl: Number(headers.TTL) }));
JAVASCRIPT
node device.mjs >device.json

cat >find.py <<'PYTHON'
import http.server
import json
import threading
from pywebpush import webpush

class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ttl = int(self.headers["TTL"])
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=service.serve_forever, daemon=True).start()
other = json.load(open("device.json"))
endpoint = f"http://127.0.0.1:{service.server_port}/device"
answer = webpush(dict(other["subscription"], endpoint=endpoint), "hello")
print("npm web-push 3.6.7: TTL", other["ttl"])
print(f"pywebpush 2.5.0:    TTL {service.ttl}, answered {answer.status_code}")
assert other["ttl"] == 28 * 86400
assert service.ttl == 0, "it asks for another time now"
PYTHON
venv/bin/python find.py
echo "as found: pywebpush 2.5.0 has a push dropped unless the device is there at this moment"
