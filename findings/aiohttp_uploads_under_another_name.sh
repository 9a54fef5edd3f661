#!/usr/bin/env bash
# Guess:   a file that is uploaded in a form keeps its name: `filename="Größe 5%.txt"`, in UTF-8 and as it is but for the
#          quotation mark and line ends (RFC 7578, 4.2 and 5.1; WHATWG HTML, "multipart/form-data encoding algorithm").
# Truth:   aiohttp's `FormData` percent-encodes the whole name, blanks too, as section 2 of the RFC allows: a server that does
#          as browsers expect stores `Gr%C3%B6%C3%9Fe%205%25.txt`. Nobody can undo it, since a browser's `a%20b.txt` is a
#          file that is called so.
#          `FormData(quote_fields=False)` sends the name, and escapes a quotation mark by a backslash, as browsers do not.
#          requests, httpx, niquests and urllib3 send what browsers send.
# Version: aiohttp 3.14.5, requests 2.34.2, httpx 0.28.1, niquests 3.21.2, urllib3 2.8.0 (PyPI).
# Source:  `content_disposition_header` in aiohttp/helpers.py.
# So:      who uploads with it says `quote_fields=False`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aiohttp==3.14.5 requests==2.34.2 httpx==0.28.1 \
  niquests==3.21.2 urllib3==2.8.0

cat >find.py <<'PYTHON'
import asyncio
import http.server
import re
import threading
import aiohttp
import httpx
import niquests
import requests
import urllib3

class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.name = re.search(rb'; filename="(.*)"\r\n', form)[1].decode()
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"

async def with_aiohttp(name, **options):
    form = aiohttp.FormData(**options)
    form.add_field("file", b"hello", filename=name)
    async with aiohttp.ClientSession() as session, session.post(url, data=form):
        pass

senders = {
    "requests": lambda name: requests.post(url, files={"file": (name, b"hello")}),
    "httpx": lambda name: httpx.post(url, files={"file": (name, b"hello")}),
    "niquests": lambda name: niquests.post(url, files={"file": (name, b"hello")}),
    "urllib3": lambda name: urllib3.request("POST", url, fields={"file": (name, b"hello")}),
    "aiohttp": lambda name: asyncio.run(with_aiohttp(name)),
    "quote_fields=False": lambda name: asyncio.run(with_aiohttp(name, quote_fields=False)),
}
found = {}
for sender, send in senders.items():
    names = []
    for name in ("Größe 5%.txt", 'a "b".txt'):
        send(name)
        names.append(server.name)
    found[sender] = names
    print(f"{sender:18} {names[0]:28} {names[1]}")
usual = ["Größe 5%.txt", "a %22b%22.txt"]
expected = dict.fromkeys(("requests", "httpx", "niquests", "urllib3"), usual)
expected["aiohttp"] = ["Gr%C3%B6%C3%9Fe%205%25.txt", "a%20%22b%22.txt"]
expected["quote_fields=False"] = ["Größe 5%.txt", r"a \"b\".txt"]
assert found == expected, "names are sent in another way now"
PYTHON
venv/bin/python find.py
echo "as found: aiohttp 3.14.5 uploads a file under a name that is percent-encoded"
