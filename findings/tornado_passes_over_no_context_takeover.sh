#!/usr/bin/env bash
# Guess:   Tornado's WebSocket client, which allows `client_no_context_takeover` in a server's answer by name, compresses
#          each message by itself once that was agreed (RFC 7692, 7.1.1.2).
# Truth:   parameters without a value are lost when the header is read: the client goes on with one context, so that its
#          second compressed message refers to the first one, and the server must end the connection.
# Version: tornado 6.6.1 (PyPI; 6.4.2 and 6.5.2 read the header alike); websockets 17.4 serves, which may ask for that
#          parameter. Source: `httputil._parse_header`, RFC 7692.
# So:      towards a server that keeps no context for a client, leave `compression_options` out.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tornado==6.6.1 websockets==17.4

cat >find.py <<'PYTHON'
import asyncio

from tornado.httputil import _parse_header
from tornado.websocket import websocket_connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

TEXT = "the same words, again and again, and again, and once more"


async def arrived(without_context):
    """How many of three messages arrive, and the code of the Close."""
    count = 0

    async def take(socket):
        nonlocal count
        try:
            async for text in socket:
                assert text == TEXT
                count += 1
        except ConnectionClosed:
            pass

    deflate = ServerPerMessageDeflateFactory(client_no_context_takeover=without_context)
    async with serve(take, "127.0.0.1", 0, compression=None, extensions=[deflate]) as server:
        port = server.sockets[0].getsockname()[1]
        client = await websocket_connect(f"ws://127.0.0.1:{port}/", compression_options={})
        for _ in range(3):
            await client.write_message(TEXT)
        if without_context:
            assert await client.read_message() is None
        else:
            client.close()
            await client.read_message()
        return count, client.close_code


async def main():
    header = "permessage-deflate; client_no_context_takeover"
    print(f"{header!r} is read as {_parse_header(header)}")
    for without_context in (False, True):
        count, code = await arrived(without_context)
        print(f"client_no_context_takeover {'agreed' if without_context else 'not agreed'}: {count} of 3 arrive, Close {code}")
        assert (count == 3) != without_context, "it is kept now"


asyncio.run(main())
PYTHON
venv/bin/python find.py
echo "as found: tornado 6.6.1 keeps its context although the server has said that it will not"
