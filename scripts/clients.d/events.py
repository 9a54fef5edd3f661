"""Lets clients of Server-Sent Events that nobody here wrote read a room, and cuts them off in the middle of it.

usage: events.py COUNT HTTP_HOST:PORT

Each is a program of `events` that is told `URL COUNT`: it prints the number and the data of each of COUNT messages as a
line of JSON, each once and in order, whatever becomes of its connection, and then which library it is. `curl -N` is not
cut off, since it does not come back.
"""

import asyncio
import json
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

PATIENCE = 60
# How often a client is cut off, and behind so many bytes of a stream: in the middle of an event.
CUTS, CUT_AFTER = 2, 2500
# What some take for the ends of lines.
DATA = "a\u2028b\u2029c\u0085d"
here = Path(__file__).parent / "events"
PROGRAMS = {
    "eventsource": ["node", here / "eventsource.mjs"],
    "event-source-polyfill": ["node", here / "polyfill.mjs"],
    "httpx-sse": [sys.executable, here / "httpx_sse_client.py"],
}


def say(address, room, number):
    body = json.dumps({"text": f"message {number}", "data": DATA}, ensure_ascii=False).encode()
    url = f"http://{address}/rooms/{room}/messages?as=host"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        assert json.load(response)["seq"] == number


class Relay:
    """Passes connections on to the server, and cuts the first of them off."""

    def __init__(self, address):
        self.address, self.cuts = address, 0

    async def serve(self):
        self.server = await asyncio.start_server(self.relay, "127.0.0.1", 0)
        return "{}:{}".format(*self.server.sockets[0].getsockname())

    async def relay(self, reader, writer):
        host, port = self.address.rsplit(":", 1)
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        passing = asyncio.create_task(self.pass_on(reader, up_writer))
        left = CUT_AFTER if self.cuts < CUTS else None
        with suppress(asyncio.CancelledError):
            await self.pass_back(up_reader, writer, left)
        passing.cancel()
        for line in (writer, up_writer):
            line.close()

    async def pass_back(self, up_reader, writer, left):
        while part := await up_reader.read(4096 if left is None else min(left, 4096)):
            writer.write(part)
            await writer.drain()
            if left is not None and (left := left - len(part)) == 0:
                self.cuts += 1
                return

    async def pass_on(self, reader, writer):
        while part := await reader.read(4096):
            writer.write(part)
            await writer.drain()


async def read(address, count, name):
    """What the program has read of a room that is spoken in; returns the name and version of its library."""
    room, relay = f"to-{name}", Relay(address)
    await asyncio.to_thread(say, address, room, 1)
    url = f"http://{await relay.serve()}/rooms/{room}/events?as={name}&after=0"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*PROGRAMS[name], url, str(count), stdout=pipe, stderr=pipe)
    try:
        for number in range(2, count + 1):
            await asyncio.to_thread(say, address, room, number)
        said, faults = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, f"left with {process.returncode}: {faults.decode()[-500:]}"
    # Not by splitlines, which is one of those that end lines elsewhere.
    *lines, library = said.decode().strip().split("\n")
    assert [json.loads(line) for line in lines] == [[number, DATA] for number in range(1, count + 1)], lines
    assert relay.cuts == CUTS, f"cut off {relay.cuts} times"
    return library


async def curl(address, count):
    await asyncio.to_thread(say, address, "to-curl", 1)
    url = f"http://{address}/rooms/to-curl/events?as=curl&after=0"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("curl", "-sN", url, stdout=pipe)
    for number in range(2, count + 1):
        await asyncio.to_thread(say, address, "to-curl", number)
    heard = []
    while len(heard) < count:
        line = (await process.stdout.readline()).decode()
        assert line, f"the end after {heard}"
        if line.startswith("data: ") and json.loads(line[6:])["ev"] == "message":
            heard.append(json.loads(line[6:])["seq"])
    process.kill()
    await process.wait()
    assert heard == list(range(1, count + 1)), heard
    return "curl -N"


async def main():
    count, address = int(sys.argv[1]), sys.argv[2]
    reads = {name: read(address, count, name) for name in PROGRAMS}
    reads["curl"] = curl(address, count)
    limited = [asyncio.wait_for(one, PATIENCE) for one in reads.values()]
    results = await asyncio.gather(*limited, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    for name, result in zip(reads, results):
        if isinstance(result, BaseException):
            print(f"  {name}: failed: {type(result).__name__}: {result}")
        else:
            print(f"  {result}: read {count}, each once and in order")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


asyncio.run(main())
