"""Clients that take their time, many at once, over HTTP, TCP, WebSocket and TLS, beside one that does not.

That one is a process of its own, `slow.py HOST PORT`: in this one it would wait for thousands of others. It asks until its
standard input ends, and prints the 99th percentile of its seconds.
"""

import asyncio
import select
import socket
import sys
import time

# A deadline of scripts/hostile.d/server.toml, and what its end may take.
DEADLINE, GRACE = 3, 1
# More are not held at a time, by this process or by the server.
AT_A_TIME = 10_000
HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(196)
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chinwag.v1\r\n\r\n"
)


async def drip(address, at_once, piece, pause):
    """Sends the beginning, then a piece at intervals; returns the seconds until the other end has closed."""
    reader, writer = await asyncio.open_connection(*address)
    begun = time.monotonic()
    writer.write(at_once)

    async def go_on():
        while piece:
            writer.write(piece)
            await asyncio.sleep(pause)

    dripping = asyncio.create_task(go_on())
    try:
        while await asyncio.wait_for(reader.read(65536), 4 * DEADLINE):
            pass
    except (ConnectionError, BrokenPipeError):
        pass
    except TimeoutError:
        return None
    finally:
        dripping.cancel()
        writer.transport.abort()
    return time.monotonic() - begun


def canary(host, port):
    """Asks for the server's health again and again until standard input ends; the 99th percentile of the seconds."""
    took, line = [], socket.create_connection((host, int(port)), 10)
    answer = line.makefile("rb")
    while not took or not select.select([sys.stdin], [], [], 0.01)[0]:
        begun = time.monotonic()
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        fields = dict(field.lower().split(b":", 1) for field in iter(answer.readline, b"\r\n") if b":" in field)
        answer.read(int(fields[b"content-length"]))
        took.append(time.monotonic() - begun)
    return sorted(took)[len(took) * 99 // 100]


async def attack(name, address, kind, count, canary_address):
    """So many slow clients of one kind; returns a line and whether all is as it should be."""
    pipe, argv = asyncio.subprocess.PIPE, [sys.executable, __file__, *map(str, canary_address)]
    watching = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
    slow = [asyncio.create_task(drip(address, *kind)) for _ in range(count)]
    ends = await asyncio.gather(*slow, return_exceptions=True)
    p99 = float((await watching.communicate(b""))[0])
    kept = sum(end is None for end in ends)
    failed = [end for end in ends if isinstance(end, Exception)]
    lasted = [end for end in ends if isinstance(end, float)]
    latest = max(lasted, default=0)
    # Thousands of clients of one Python take their time themselves.
    late = DEADLINE + GRACE + count / 2000
    is_fine = not kept and latest <= late and p99 < 0.25 and len(failed) <= count // 100
    line = f"{name}: {count} clients, the last one ended after {latest:.1f} s, {kept} kept, {len(failed)} refused; a canary's p99 {p99 * 1000:.0f} ms"
    return line, is_fine


def run(web, tcp, tls, count):
    """All kinds of slowness, at once if so many fit; a line for each, and whether all is as it should be."""
    kinds = [
        ("a head a byte at a time", web, (b"GET / HTTP/1.1\r\nX: ", b"a", 0.2)),
        ("a head that never begins", web, (b"", b"", 0)),
        ("a line a byte at a time", tcp, (b'{"op":"', b"a", 0.2)),
        ("a WebSocket without a hello", web, (UPGRADE, b"", 0)),
        ("a WebSocket of pings", web, (UPGRADE, b"\x89\x80\0\0\0\0", 0.5)),
    ]
    if tls:
        kinds += [
            ("a handshake that never begins", tls, (b"", b"", 0)),
            ("a handshake a byte at a time", tls, (HELLO[:11], b"\0", 0.2)),
            ("half a handshake", tls, (HELLO[:100], b"", 0)),
        ]

    async def all_of_them():
        attacks = [attack(name, address, kind, count, web) for name, address, kind in kinds]
        if count * len(kinds) > AT_A_TIME:
            return [await one for one in attacks]
        return await asyncio.gather(*attacks)

    return asyncio.run(all_of_them())


if __name__ == "__main__":
    print(canary(*sys.argv[1:]))
