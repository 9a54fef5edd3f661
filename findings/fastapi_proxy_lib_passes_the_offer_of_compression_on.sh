#!/usr/bin/env bash
# Guess:   a proxy that ends WebSockets and opens ones of its own to the server behind it (two handshakes, two libraries)
#          offers there what its own library can read: `Sec-WebSocket-Extensions` is a matter of one connection, like the key.
# Truth:   fastapi-proxy-lib passes the browser's offer of `permessage-deflate` on, and opens the connection by httpx-ws, which
#          has offered nothing and decompresses nothing. A server that compresses agrees, and its first compressed
#          message ends both sides with 1002, "Reserved bit set unexpectedly", as if the server were wrong. Every browser
#          offers it; a test client that does not, or a server that does not compress, shows nothing.
# Version: fastapi-proxy-lib 0.3.0, httpx-ws 0.9.0, wsproto 1.3.2, fastapi 0.165.0, uvicorn 0.54.0 (PyPI); websockets 17.4
#          serves and asks. Source: seen, as printed; `ReverseWebSocketProxy` in core/websocket.py passes most headers on.
# So:      the server behind it does not compress, or another proxy stands there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastapi-proxy-lib==0.3.0 httpx-ws==0.9.0 wsproto==1.3.2 \
  fastapi==0.165.0 uvicorn==0.54.0 websockets==17.4

cat >find.py <<'PYTHON'
import asyncio
import logging
import socket
import threading
import time
import uvicorn
import websockets
from fastapi_proxy_lib.fastapi.app import reverse_ws_app

logging.disable()

def start_proxy(port):
    """A proxy for the server at that port, and its own port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = reverse_ws_app(base_url=f"ws://127.0.0.1:{port}/")
    proxy = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    threading.Thread(target=proxy.run, kwargs={"sockets": [listener]}, daemon=True).start()
    while not proxy.started:
        time.sleep(0.05)
    return listener.getsockname()[1]

async def echo(line):
    async for text in line:
        await line.send(text)

async def answer(port, compression):
    """What comes back for a text."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/", compression=compression) as line:
        await line.send("hello")
        try:
            return await asyncio.wait_for(line.recv(), 10)
        except websockets.ConnectionClosed as error:
            return f"{error.rcvd.code} {error.rcvd.reason}"

async def main():
    for of_server in ["deflate", None]:
        async with websockets.serve(echo, "127.0.0.1", 0, compression=of_server) as server:
            port = server.sockets[0].getsockname()[1]
            proxy = await asyncio.to_thread(start_proxy, port)
            for of_client in ["deflate", None]:
                direct, proxied = await answer(port, of_client), await answer(proxy, of_client)
                both = of_server and of_client
                print(f"compression of the server: {of_server}, of the client: {of_client}: {direct}; by the proxy: {proxied}")
                assert direct == "hello"
                expected = "1002 Reserved bit set unexpectedly" if both else "hello"
                assert proxied == expected, "it is another matter now"

asyncio.run(main())
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: fastapi-proxy-lib 0.3.0 passes an offer of compression on that it cannot keep"
