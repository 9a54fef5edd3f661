#!/usr/bin/env bash
# Guess:   `async for connection in websockets.connect(…)` comes back after every answer that says "later": 503 and,
#          by its very name, 429 Too Many Requests, both with `Retry-After`, which it waits for.
# Truth:   only 500, 502, 503 and 504 are tried again. 429 ends the loop with an exception at the first attempt, and
#          `Retry-After` is read in neither case: its own backoff decides.
# Version: websockets 17.4 (PyPI). Source: `process_exception` in asyncio/client.py.
# So:      a server that wants its WebSocket clients back refuses an upgrade for being too fast or too many with 503,
#          not 429, and does not count on `Retry-After`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websockets==17.4

cat >find.py <<'PYTHON'
import asyncio
import websockets

async def tries(status):
    """How many attempts there are within eight seconds, and how it ends."""
    attempts = 0

    async def refuse(reader, writer):
        nonlocal attempts
        attempts += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} Later\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def use(port):
        async for _ in websockets.connect(f"ws://127.0.0.1:{port}/"):
            break

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    client = asyncio.create_task(use(server.sockets[0].getsockname()[1]))
    done, _ = await asyncio.wait([client], timeout=8)
    client.cancel()
    server.close()
    return attempts, repr(client.exception()) if done else "still trying"

async def main():
    late, busy = await asyncio.gather(tries(503), tries(429))
    print("503, Retry-After: 60:", late)
    print("429, Retry-After: 60:", busy)
    assert late[0] >= 2 and late[1] == "still trying", "503 is another matter now"
    assert busy[0] == 1 and "429" in busy[1], "429 is another matter now"

asyncio.run(main())
PYTHON
venv/bin/python find.py
echo "as found: websockets 17.4 gives up on 429, and tries 503 again long before Retry-After"
