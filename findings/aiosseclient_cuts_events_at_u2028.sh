#!/usr/bin/env bash
# Guess:   a line of an event stream ends at LF, CR or CR LF and nowhere else (HTML standard, 9.2.6), and JSON on one
#          line is safe in `data:`, whatever the text holds.
# Truth:   aiosseclient splits an event with Python's `str.splitlines`, which also ends lines at U+2028, U+2029 and U+0085.
#          JSON leaves these as they are in strings, and word processors put U+2028 into what people paste. The data ends
#          there, the rest is dropped, and what arrives is no JSON.
# Version: aiosseclient 0.1.8 (PyPI). httpx-sse 0.4.3, sseclient-py 1.9.0 and requests-sse 0.5.3 read it right.
# Source:  `Event.parse` in aiosseclient.
# So:      JSON for an event stream writes these three as \u2028, \u2029 and \u0085.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aiosseclient==0.1.8 httpx-sse==0.4.3 httpx==0.28.1

cat >find.py <<'PYTHON'
import asyncio, json, socket, threading
import aiosseclient, httpx, httpx_sse

def answer(data):
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = server.accept()
        line.recv(65536)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n")
        line.sendall(f"data: {data}\n\n".encode())
        line.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/"

async def first(data):
    async for event in aiosseclient.aiosseclient(answer(data)):
        return event.data

def other(data):
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", answer(data)) as stream:
        return next(stream.iter_sse()).data

for mark in "\u2028", "\u2029", "\u0085":
    raw = json.dumps({"text": f"one{mark}two"}, ensure_ascii=False)
    safe = json.dumps({"text": f"one{mark}two"})
    cut, whole, escaped = asyncio.run(first(raw)), other(raw), asyncio.run(first(safe))
    print(f"U+{ord(mark):04X}: aiosseclient {ascii(cut)}; httpx-sse {ascii(whole)}; escaped, aiosseclient {escaped!r}")
    assert whole == raw and escaped == safe, "somebody else is wrong too"
    assert cut == '{"text": "one', "it no longer ends there"
PYTHON
venv/bin/python find.py
echo "as found: aiosseclient 0.1.8 ends the data of an event at U+2028, U+2029 and U+0085"
