#!/usr/bin/env bash
# Guess:   a request that nobody has asked to be tried again is sent once, and `timeout=0.5` bounds what it takes:
#          `Retry` has an empty `status_forcelist`, so that an answer with any status is an answer.
# Truth:   urllib3 retries a GET that is answered 413, 429 or 503 with `Retry-After` by itself, three times, and sleeps for
#          as long as the server says before each, and no timeout counts that. The same answer without
#          `Retry-After` comes back at once, and so does that to a POST. requests, on urllib3, turns it off.
# Version: urllib3 2.8.0, requests 2.34.2 (PyPI). Source: `is_retry` and RETRY_AFTER_STATUS_CODES in util/retry.py,
#          where also `Retry.DEFAULT` is, 3 of each kind.
# So:      who wants to have the answer says `retries=urllib3.Retry(3, respect_retry_after_header=False)`, and a server that
#          says a long time has clients that wait for all of it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check urllib3==2.8.0 requests==2.34.2

cat >find.py <<'PYTHON'
import http.server
import threading
import time
import requests
import urllib3

class Busy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.send_response(503)
        if self.path == "/later":
            self.send_header("Retry-After", "2")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()

def asks(method, path, **options):
    """The status, how many requests came, and whole seconds until it was told."""
    server.requests, began = 0, time.monotonic()
    url = f"http://127.0.0.1:{server.server_port}{path}"
    if method == "requests":
        status = requests.get(url, timeout=0.5).status_code
    else:
        status = urllib3.request(method, url, timeout=0.5, **options).status
    return status, server.requests, int(time.monotonic() - began)

honest = urllib3.Retry(3, respect_retry_after_header=False)
for name, args, options, expected in (
    ("GET, Retry-After: 2", ("GET", "/later"), {}, (503, 4, 6)),
    ("GET, no Retry-After", ("GET", "/"), {}, (503, 1, 0)),
    ("POST, Retry-After: 2", ("POST", "/later"), {}, (503, 1, 0)),
    ("GET that says no", ("GET", "/later"), {"retries": honest}, (503, 1, 0)),
    ("requests, GET, Retry-After: 2", ("requests", "/later"), {}, (503, 1, 0)),
):
    said = asks(*args, **options)
    print(f"{name:30} {said[0]}, {said[1]} requests, {said[2]} s")
    assert said[:2] == expected[:2] and 0 <= said[2] - expected[2] <= 1, f"{name} is another matter now"
PYTHON
venv/bin/python find.py
echo "as found: urllib3 2.8.0 sleeps for Retry-After three times, whatever the timeout"
