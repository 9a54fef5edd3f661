#!/usr/bin/env bash
# Guess:   a WebSocket client puts the fragments of a message together (RFC 6455, 5.4: "a recipient … MUST be prepared"),
#          and answers pings (5.5.2), since both are the protocol's matter and not the program's.
# Truth:   aiosonic reads FIN of no frame. The first fragment arrives as the message, and the others, whose opcode is 0, are
#          dropped; a message whose first fragment ends inside a character of UTF-8 ends the connection. It answers no
#          ping, and `keepalive_interval` only has it send some of its own. The code of the server's Close is nowhere.
# Version: aiosonic 1.3.3 (PyPI); websockets 17.4 serves. Source: `_read_frame` and `_frame_dispatch_loop` in its
#          web_socket_client.py ("Optionally handle OPCODE_PING if desired").
# So:      towards a server that asks for pongs, or a proxy that cuts messages anew, use another library.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aiosonic==1.3.3 websockets==17.4

cat >find.py <<'PYTHON'
import asyncio

import aiosonic
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def main():
    answered = asyncio.get_running_loop().create_future()

    async def speak(socket):
        await socket.send("whole")
        await socket.send(["first, ", "second, ", "third"])
        pong = await socket.ping()
        await asyncio.wait([pong], timeout=2)
        answered.set_result(pong.done())
        await socket.send("last")
        await socket.close(1000, "enough")

    async def by_aiosonic(url):
        async with aiosonic.WebSocketClient() as client, await client.connect(url, keepalive_interval=0.5) as socket:
            return [message.data async for message in socket], socket.close_code

    async def by_websockets(url):
        async with connect(url) as socket:
            return [message async for message in socket], socket.close_code

    found = {}
    for read in (by_aiosonic, by_websockets):
        answered = asyncio.get_running_loop().create_future()
        async with serve(speak, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as server:
            texts, code = await asyncio.wait_for(read(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"), 20)
            found[read.__name__] = texts, await answered, code
    for name, (texts, is_answered, code) in found.items():
        print(f"{name}: heard {texts}, answered the ping: {is_answered}, code of the Close: {code}")
    assert found["by_websockets"] == (["whole", "first, second, third", "last"], True, 1000), "the server is at fault"
    assert found["by_aiosonic"] == (["whole", "first, ", "last"], False, None), "it is another matter now"


asyncio.run(main())
PYTHON
venv/bin/python find.py
echo "as found: aiosonic 1.3.3 takes a message's first fragment for all of it, and answers no ping"
