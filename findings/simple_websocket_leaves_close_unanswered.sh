#!/usr/bin/env bash
# Guess:   a client that is sent Close answers it with a Close of its own (RFC 6455, 5.5.1: it MUST), so that the server
#          sees the connection end in order.
# Truth:   simple-websocket's `Client` answers none: it closes the socket, raises `ConnectionClosed` with the server's code
#          at the next read, and the server, which has closed in order, sees the line break (1006). Its `Server` answers.
# Version: simple-websocket 1.1.0 (PyPI). Source: `_handle_events` in simple_websocket/ws.py.
# So:      a server does not take a missing answer to its own Close for a fault: no warning, no wait for the deadline when
#          the socket ends.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check simple-websocket==1.1.0 websockets==17.4

cat >find.py <<'PYTHON'
import asyncio
import threading
import simple_websocket
import websockets
from websockets.sync.client import connect

seen = {}

async def leave(connection):
    """Closes in order, and notes what came back."""
    await connection.close(4010, "taken over")
    received = connection.protocol.close_rcvd
    seen[connection.request.path] = received and received.code

async def serve(port):
    async with websockets.serve(leave, "127.0.0.1", 0) as server:
        port.append(server.sockets[0].getsockname()[1])
        started.set()
        await asyncio.get_running_loop().run_in_executor(None, done.wait)

started, done, port = threading.Event(), threading.Event(), []
server = threading.Thread(target=lambda: asyncio.run(serve(port)))
server.start()
started.wait()
url = f"ws://127.0.0.1:{port[0]}/"

client = simple_websocket.Client(url + "simple")
try:
    client.receive(timeout=5)
except simple_websocket.ConnectionClosed as closed:
    print("simple-websocket's client was told:", closed.reason, closed.message)
    assert closed.reason == 4010
try:
    with connect(url + "other") as other:
        other.recv(timeout=5)
except websockets.ConnectionClosed:
    pass
done.set()
server.join()
print("answered by simple-websocket:", seen["/simple"])
print("answered by websockets:      ", seen["/other"])
assert seen == {"/simple": None, "/other": 4010}, "the answer to a Close is another matter now"
PYTHON
venv/bin/python find.py
echo "as found: simple-websocket 1.1.0 closes the socket where an answer to Close is due"
