#!/usr/bin/env bash
# Guess:   a client that waits in `recv` answers the pings that arrive meanwhile, as libcurl's documentation of
#          WebSocket says that libcurl does by itself.
# Truth:   the pong is made at once, but sent only when something else moves: the next message from either side. Who
#          listens in a silent room answers no ping, and a server that asks for pongs ends the connection.
# Version: curl_cffi 0.17.0 (PyPI, with libcurl 8.23.0), `Session().ws_connect`; websockets 17.4 serves.
#          Source: the pongs, as they come.
# So:      a bot that only listens sends something now and then, or uses another library.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check curl_cffi==0.17.0 websockets==17.4

cat >find.py <<'PYTHON'
import asyncio
import threading

from curl_cffi import Session
from websockets.asyncio.server import serve


def listen(port):
    with Session() as session:
        socket = session.ws_connect(f"ws://127.0.0.1:{port}/")
        while socket.recv()[0] == b"text":
            pass


async def main():
    answered = asyncio.get_running_loop().create_future()

    async def ask(socket):
        pong = await socket.ping()
        await asyncio.wait([pong], timeout=3)
        before = pong.done()
        await socket.send("text")
        await asyncio.wait([pong], timeout=3)
        answered.set_result((before, pong.done()))

    async with serve(ask, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        threading.Thread(target=listen, args=[port], daemon=True).start()
        return await answered


before, after = asyncio.run(main())
print(f"a ping, and 3 s of waiting in recv: {'a pong' if before else 'no pong'}")
print(f"after a text had come behind it: {'a pong' if after else 'no pong'}")
assert (before, after) == (False, True), "pings are answered otherwise now"
PYTHON
venv/bin/python find.py
echo "as found: curl_cffi 0.17.0 answers a ping when the next message comes, not before"
