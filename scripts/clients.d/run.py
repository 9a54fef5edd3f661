"""Lets clients that nobody here wrote talk in one room, and checks what each of them saw.

usage: run.py COUNT WS_URL TCP_HOST:PORT RUST_CLIENT

A participant is a program that is told `URL ROOM NAME COUNT PEER,PEER…` and then, line by line on its
standard input, what to do next:

  (at once)  say hello, join the room; prints `joined`
  type       ask who is there, say that it is typing, wait until it has seen every other one come and type (`nc`
             does not say that it types); prints `typed`
  go         send COUNT messages `<name> says <n>`, every tenth a long one, and receive those of all the others, each
             exactly once and in order, with no gap in `seq`; prints a line of JSON about what it saw
  end        close in good order and leave with 0

`nc` takes part in words, as a person would, and is driven from here.
"""

import asyncio
import json
import re
import sys
from pathlib import Path

PATIENCE = 30
ROOM = "clients"
here = Path(__file__).parent


class Program:
    """A participant that is a program of its own."""

    def __init__(self, name, *argv):
        self.name, self.argv = name, argv

    async def start(self, url, count, peers):
        others = ",".join(peer for peer in peers if peer != self.name)
        pipe = asyncio.subprocess.PIPE
        argv = [*map(str, self.argv), url, ROOM, self.name, str(count), others]
        self.process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)

    async def line(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        assert line, f"{self.name} ended early"
        return line.decode().strip()

    async def joined(self):
        assert await self.line() == "joined"

    async def order(self, word):
        self.process.stdin.write(f"{word}\n".encode())
        await self.process.stdin.drain()

    async def typed(self):
        await self.order("type")
        assert await self.line() == "typed"

    async def talk(self):
        await self.order("go")
        return json.loads(await self.line())

    async def end(self):
        await self.order("end")
        code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        assert code == 0, f"{self.name} left with {code}"


class Netcat:
    """A person with `nc`: the same conversation in words."""

    name = "nc"

    async def start(self, tcp, count, peers):
        self.count, self.heard = count, {peer: 0 for peer in peers if peer != self.name}
        self.unread, self.welcome = [], []
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            "nc", *tcp.rsplit(":", 1), stdin=pipe, stdout=pipe
        )
        # The server waits for the first byte to learn that this is a person.
        await self.say(f"/nick {self.name}", f"/join {ROOM}", "/who")

    async def say(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        await self.process.stdin.drain()

    async def line(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        assert line, "nc ended early"
        return line.decode().rstrip()

    async def joined(self):
        # The answer to /who names the asker, who is in the room by then.
        while not re.search(rf" here: .*\b{self.name}\b", line := await self.line()):
            self.welcome.append(line)
        self.welcome.append(line)

    async def typed(self):
        pass

    async def talk(self):
        await self.say(*(f"{self.name} says {n}" for n in range(self.count)))
        while any(heard < self.count for heard in self.heard.values()):
            said = re.search(r"(\w+) says (\d+)", await self.line())
            if said and said[1] in self.heard:
                assert int(said[2]) == self.heard[said[1]], f"nc heard {said[0]}, expected {self.heard[said[1]]}"
                self.heard[said[1]] += 1
        return {"library": "netcat-openbsd", "sent": self.count, "heard": self.heard}

    async def end(self):
        await self.say("/quit")
        # The server hangs up; nc itself also waits for the end of its input.
        self.process.stdin.close()
        code = await asyncio.wait_for(self.process.wait(), PATIENCE)
        assert code == 0, f"nc left with {code}"


async def main():
    count, url, tcp, rust_client = int(sys.argv[1]), *sys.argv[2:]
    programs = [
        Program("ws", "node", here / "ws.js"),
        Program("websockets", sys.executable, here / "with_websockets.py"),
        Program("tungstenite", rust_client, "tungstenite"),
    ]
    netcat = Netcat()
    everyone = [*programs, netcat]
    names = [participant.name for participant in everyone]
    await asyncio.gather(*(program.start(url, count, names) for program in programs))
    await netcat.start(tcp, count, names)
    await asyncio.gather(*(participant.joined() for participant in everyone))
    await asyncio.gather(*(participant.typed() for participant in everyone))
    reports = await asyncio.gather(*(participant.talk() for participant in everyone))
    await asyncio.gather(*(participant.end() for participant in everyone))

    for name, report in zip(names, reports):
        heard = ", ".join(f"{n} of {peer}" for peer, n in report["heard"].items())
        print(f"  {report['library']}: sent {report['sent']}, heard in order {heard}")
        assert set(report["heard"].values()) == {count} and len(report["heard"]) == len(names) - 1
        if name != "nc":
            print(
                f"    subprotocol {report['subprotocol']}, compression {'on' if report['compressed'] else 'off'}, "
                f"saw {report['present']} present and {report['typing']} typing, every seq once and in order"
            )
            assert report["compressed"] == (name in ("ws", "websockets")), "compression was not negotiated"
    print(f"{len(reports)} passed, 0 failed")


asyncio.run(main())
