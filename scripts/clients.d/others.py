"""Lets more clients that nobody here wrote have a conversation, each with this program.

usage: others.py COUNT WS_URL

Each is a program of `others` that is told `URL ROOM NAME COUNT`. It says hello, joins the room, sends COUNT messages
`<program> <n>`, each after the reply to the one before, waits for the message `good bye <name>`, prints which library
it is, closes with 1000 and leaves with 0.
"""

import asyncio
import json
import sys
from pathlib import Path

import websockets

PATIENCE = 40
here = Path(__file__).parent / "others"
PROGRAMS = {
    "tcllib": ["tclsh", "tcllib.tcl"],
    "mojolicious": ["perl", "mojolicious.pl"],
    "faye": ["ruby", "faye.rb"],
    "websocket_client": [sys.executable, "websocket_client.py"],
    "ws4py": [sys.executable, "ws4py_client.py"],
    "wsproto": [sys.executable, "wsproto_client.py"],
    "undici": ["node", "undici.mjs"],
    "lua_http": ["lua5.2", "lua_http.lua"],
    "swi_prolog": ["swipl", "swi_prolog.pl"],
    "libwebsockets": ["sh", "libwebsockets.sh"],
}


async def converse(url, count, program):
    """What the program says, heard by a member of the room; returns the name and version of its library."""
    room = f"with-{program}".replace("_", "-")
    async with websockets.connect(url, subprotocols=["chinwag.v1"]) as line:
        await line.send(json.dumps({"op": "hello", "id": 1, "name": "host-" + program}))
        await line.send(json.dumps({"op": "join", "id": 2, "room": room}))
        while json.loads(await line.recv()).get("id") != 2:
            pass
        command, file = PROGRAMS[program]
        pipe = asyncio.subprocess.PIPE
        argv = [command, here / file, url, room, program, str(count)]
        process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
        heard = 0
        try:
            while heard < count:
                waiting = {asyncio.create_task(line.recv()), asyncio.create_task(process.wait())}
                done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in rest:
                    task.cancel()
                if process.returncode is not None:
                    raise AssertionError(f"{heard} heard, then: {(await process.stderr.read()).decode()[-500:]}")
                message = json.loads(done.pop().result())
                records = message["items"] if message.get("ev") == "replay" else [message]
                for record in records:
                    if record.get("ev") == "message":
                        assert record["text"] == f"{program} {heard}", f"{record}, expected {heard}"
                        heard += 1
            await line.send(json.dumps({"op": "send", "room": room, "text": f"good bye {program}"}))
            said, faults = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, f"left with {process.returncode}: {faults.decode()[-500:]}"
        return said.decode().strip()


async def main():
    count, url, *names = sys.argv[1:]
    names = names or PROGRAMS
    talks = [asyncio.wait_for(converse(url, int(count), name), PATIENCE) for name in names]
    results = await asyncio.gather(*talks, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    for name, result in zip(names, results):
        if isinstance(result, BaseException):
            print(f"  {name}: failed: {type(result).__name__}: {result}")
        else:
            print(f"  {result}: said {count}, heard in order")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


asyncio.run(main())
