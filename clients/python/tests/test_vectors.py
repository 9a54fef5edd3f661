"""The script that every client passes, clients/vectors.json: its own page says what the steps mean."""

from __future__ import annotations

import asyncio
import json
import unittest
from pathlib import Path
from typing import Any

from chinwag import Client, Event, Gap, Item, Left, Outbox, Problem, Record, Renamed, Reset

from .fakes import FakeClock, FakeSocket, network, settle

VECTORS = json.loads((Path(__file__).parents[2] / "vectors.json").read_text())


def line(event: Event) -> str | None:
    """An event as the script has it."""
    match event:
        case Record(room, item):
            return f"{room.name} {item['seq']} {item.get('text', item['ev'])}"
        case Gap(room, first, last, why):
            return f"{room.name} gap {first}-{last} {why}"
        case Reset(room, seq):
            return f"{room.name} reset {seq}"
        case Renamed(room, was):
            return f"{was} renamed {room.name}"
        case Left(room, reason, _):
            return f"{room.name} left {reason}"
        case Outbox(entry, status, _):
            return f"{entry.text} {status}"
        case Problem(error):
            return f"problem {error.code}"
    return None


class Player:
    def __init__(self, case: unittest.TestCase, options: Item) -> None:
        self.case, self.clock, self.known = case, FakeClock(), dict[str, Any]()
        self.sockets, connect = network()
        self.told_lines: list[str] = []
        self.client = Client("ws://test/ws", name="ann", connect=connect, clock=self.clock, random=lambda: 0.5, **options)
        self.calls: set[asyncio.Task[Any]] = set()

    @property
    def socket(self) -> FakeSocket:
        return self.sockets[-1]

    async def listen(self) -> None:
        async for event in self.client:
            if told := line(event):
                self.told_lines.append(told)

    async def play(self, steps: list[Item]) -> None:
        for step in steps:
            await getattr(self, next(iter(step)))(**step)
            await settle()

    async def begin(self, begin: str) -> None:
        await self.play(VECTORS["begins"][begin])

    async def call(self, call: list[Any]) -> None:
        method, *rest = call
        answer = getattr(self.client, method)(*rest)
        if asyncio.iscoroutine(answer):
            task = asyncio.create_task(answer)
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.calls.add(task)

    async def accept(self, accept: bool) -> None:
        self.socket.accepted.set()

    async def end(self, end: int) -> None:
        self.socket.refused = not self.socket.accepted.is_set()
        self.socket.accepted.set()
        self.socket.said.put_nowait(end)

    async def ms(self, ms: int) -> None:
        await self.clock.advance(ms)

    async def say(self, say: Item) -> None:
        self.socket.said.put_nowait(json.dumps(self.given(say)))

    async def answer(self, answer: str, asked: Item | None = None, lost: bool = False, data: Item | None = None,
                     code: int = 0, message: str = "ok") -> None:  # fmt: skip
        request = next((request for request in self.socket.sent if request["op"] == answer), None)
        assert request is not None, f"nobody asked for {answer}; asked: {self.socket.sent}"
        self.socket.sent.remove(request)
        for field, expected in (asked or {}).items():
            if isinstance(expected, str) and expected.startswith("$"):
                expected = self.known.setdefault(expected, request[field])
            self.case.assertEqual(request.get(field), expected, field)
        if not lost:
            self.socket.said.put_nowait(json.dumps({"id": request["id"], "code": code, "message": message, "data": data}))

    def given(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.given(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.given(inner) for inner in value]
        return self.known.get(value, value) if isinstance(value, str) else value

    async def silent(self, silent: list[str]) -> None:
        self.case.assertEqual([request for request in self.socket.sent if request["op"] in silent], [])

    async def told(self, told: list[str]) -> None:
        heard, self.told_lines = self.told_lines, []
        self.case.assertEqual(heard, told)

    async def room(self, room: str, **given: Item | None) -> None:
        expected, known = given["is"], self.client.rooms.get(room)
        if expected is None:
            self.case.assertIsNone(known)
        else:
            self.case.assertEqual({key: getattr(known, key, None) for key in expected}, expected)

    async def outbox(self, outbox: list[str]) -> None:
        self.case.assertEqual([entry.text for entry in self.client.outbox], outbox)

    async def state(self, state: str, retry_ms: int | None = None, token: str | None = None) -> None:
        self.case.assertEqual(self.client.state.state, state)
        if retry_ms is not None:
            self.case.assertEqual(round(((self.client.state.retry_at or 0) - self.clock.now()) * 1000), retry_ms)
        if token is not None:
            self.case.assertEqual(self.client.state.token, token)


class Vectors(unittest.TestCase):
    """One test for each case, by its name."""


def add(name: str, steps: list[Item], options: Item) -> None:
    async def play(case: unittest.TestCase) -> None:
        player = Player(case, options)
        listener = asyncio.create_task(player.listen())
        await player.play(steps)
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await player.client.stop()
        case.assertEqual(player.client.state.state, "stopped")

    setattr(Vectors, f"test {name}", lambda case: asyncio.run(play(case)))


for vector in VECTORS["cases"]:
    add(vector["name"], vector["steps"], vector.get("options", {}))
