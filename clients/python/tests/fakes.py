"""A clock that moves only when told to, and a connection whose server is the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from chinwag import Item
from chinwag.client import Clock


async def settle() -> None:
    """Lets all go on that can."""
    for _ in range(50):
        await asyncio.sleep(0)


class FakeClock(Clock):
    """Counts in milliseconds, so that nothing is rounded."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.ms + round(seconds * 1000), future))
        await future

    async def advance(self, ms: int) -> None:
        end = self.ms + ms
        while True:
            await settle()
            self.sleepers = [sleeper for sleeper in self.sleepers if not sleeper[1].done()]
            due = min((sleeper for sleeper in self.sleepers if sleeper[0] <= end), key=lambda sleeper: sleeper[0], default=None)
            if due is None:
                break
            self.ms = max(self.ms, due[0])
            due[1].set_result(None)
        self.ms = end
        await settle()


class FakeSocket:
    """One connection, once it is accepted."""

    def __init__(self) -> None:
        self.accepted = asyncio.Event()
        self.sent: list[Item] = []
        self.said: asyncio.Queue[str | int] = asyncio.Queue()
        self.refused = False

    async def send(self, message: str, /) -> None:
        self.sent.append(json.loads(message))

    async def recv(self) -> str | bytes:
        said = await self.said.get()
        if isinstance(said, str):
            return said
        raise ConnectionClosedError(Close(said, "") if said != 1006 else None, None)

    async def close(self, code: int = 1000) -> None:
        self.said.put_nowait(code)


def network() -> tuple[list[FakeSocket], Callable[[str], asyncio.Future[FakeSocket]]]:
    """The connections that were asked for, and what asks for them."""
    sockets: list[FakeSocket] = []

    async def connect() -> FakeSocket:
        socket = FakeSocket()
        sockets.append(socket)
        await socket.accepted.wait()
        if socket.refused:
            raise OSError("refused")
        return socket

    return sockets, lambda _: asyncio.ensure_future(connect())
