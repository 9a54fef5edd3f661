#!/usr/bin/env bash
# Guess:   a client that offers subprotocols connects also to a server that knows none of them and says so by naming none:
#          RFC 6455 (4.1) fails a connection for one that was not offered, not for none. And the one that the server chose is
#          told as it was chosen, since it is compared as it is written.
# Truth:   websocket-client fails without one: "Invalid WebSocket Header", the words for every answer that it does not like.
#          So do ws and Node's own `WebSocket`, as the WebSockets Standard has browsers do; websockets, aiohttp, tornado and
#          httpx-ws go on with None. The one that was chosen websocket-client tells in small letters: after "chat.V2",
#          `client.subprotocol == "chat.V2"` is false.
# Version: websocket-client 1.9.2, websockets 17.4, aiohttp 3.14.5, tornado 6.6.1, httpx-ws 0.9.0 (PyPI), ws 8.23.0, Node 24.9.0
#          (npm's node). Source: `_validate` in websocket/_handshake.py.
# So:      names of subprotocols are in small letters, and who offers one towards servers that are older than it also tries
#          without.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 ws@8.23.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websocket-client==1.9.2 websockets==17.4 aiohttp==3.14.5 \
  tornado==6.6.1 httpx-ws==0.9.0

cat >find.mjs <<'JAVASCRIPT'
const Socket = process.argv[2] === "ws" ? (await import("ws")).WebSocket : WebSocket;
const socket = new Socket(process.argv[3], ["chat.V2", "chat.V1"]);
socket.onopen = () => {
	console.log(socket.protocol || "None");
	process.exit();
};
socket.onerror = () => {
	console.log("an error");
	process.exit();
};
JAVASCRIPT

cat >find.py <<'PYTHON'
import asyncio
import base64
import contextlib
import hashlib
import socket
import subprocess
import threading
import aiohttp
import httpx_ws
import tornado.websocket
import websocket
import websockets

OFFER = ["chat.V2", "chat.V1"]

def serve(chosen):
    """A server that names this subprotocol, or none, to everybody."""
    listener = socket.create_server(("127.0.0.1", 0))
    line = f"Sec-WebSocket-Protocol: {chosen}\r\n".encode() if chosen else b""

    def answer(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(4096)
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"Sec-WebSocket-Accept: " + accept + b"\r\n" + line + b"\r\n\x88\x02\x03\xe8")
        with contextlib.suppress(ConnectionError):
            connection.recv(4096)
        connection.close()

    def run():
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

def by_websocket_client(url):
    return websocket.create_connection(url, subprotocols=OFFER, timeout=5).subprotocol

async def by_websockets(url):
    async with websockets.connect(url, subprotocols=OFFER) as client:
        return client.subprotocol

async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.ws_connect(url, protocols=OFFER) as client:
        return client.protocol

async def by_tornado(url):
    return (await tornado.websocket.websocket_connect(url, subprotocols=OFFER)).selected_subprotocol

async def by_httpx_ws(url):
    async with httpx_ws.aconnect_ws(url, subprotocols=OFFER) as client:
        return client.subprotocol

def by_node(name):
    command = ["node_modules/.bin/node", "--no-warnings", "find.mjs", name]
    return lambda url: subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout.strip()

clients = {
    "websocket-client": by_websocket_client,
    "ws": by_node("ws"),
    "Node": by_node("Node"),
    "websockets": lambda url: asyncio.run(by_websockets(url)),
    "aiohttp": lambda url: asyncio.run(by_aiohttp(url)),
    "tornado": lambda url: asyncio.run(by_tornado(url)),
    "httpx-ws": lambda url: asyncio.run(by_httpx_ws(url)),
}

def told(name, url):
    try:
        return str(clients[name](url))
    except websocket.WebSocketException as error:
        return str(error)

expected = dict.fromkeys(clients, ("chat.V2", "None")) | {
    "websocket-client": ("chat.v2", "Invalid WebSocket Header"),
    "ws": ("chat.V2", "an error"),
    "Node": ("chat.V2", "an error"),
}
one, none = serve("chat.V2"), serve(None)
for name in clients:
    found = told(name, one), told(name, none)
    print(f"{name:17} chat.V2 was chosen: {found[0]:8} none was: {found[1]}")
    assert found == expected[name], "it is another matter now"
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: websocket-client 1.9.2 connects to no server that chooses none, and tells the one that was chosen in small letters"
