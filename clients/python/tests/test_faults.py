"""What is wrong around the client: it comes back, or says why not."""

from __future__ import annotations

import asyncio
import json
import unittest

from chinwag import ChinwagError, Client, Expires, Item, Notice, Problem, State

from .fakes import FakeClock, network, settle

WELCOME = {"user": "ann", "session": "s1", "resumed": False, "limits": {}}


class Faults(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.clock = FakeClock()
        self.sockets, self.connect = network()

    async def test_who_gives_tokens_is_asked_again_when_there_is_none(self) -> None:
        asked = 0

        async def token() -> str:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise RuntimeError("the back end is down")
            return f"t{asked}"

        chat = Client("ws://test/ws", token=token, connect=self.connect, clock=self.clock, random=lambda: 0.5)
        chat.start()
        await settle()
        self.assertEqual(chat.state.state, "waiting")
        self.assertIn("the back end is down", str(chat.state.error))
        await self.clock.advance(250)
        self.sockets[-1].accepted.set()
        await settle()
        self.assertEqual(self.sockets[-1].sent[0]["token"], "t2")
        await chat.stop()

    async def test_what_is_no_message_of_the_protocol_ends_the_connection_and_not_the_client(self) -> None:
        for said in ("{", "[]", '"x"', "null", '{"ev": "joined"}', '{"ev": "drain", "reconnect_after_ms": "soon"}',
                     '{"id": 1, "code": 0, "data": []}', '{"ev": "message", "room": {}}'):  # fmt: skip
            chat = Client("ws://test/ws", name="ann", connect=self.connect, clock=self.clock, random=lambda: 0.5)
            chat.start()
            await settle()
            self.sockets[-1].accepted.set()
            await settle()
            self.sockets[-1].said.put_nowait(said)
            await settle()
            self.assertEqual((chat.state.state, chat.state.close), ("waiting", 1007), said)
            await self.clock.advance(250)
            self.sockets[-1].accepted.set()
            await settle()
            self.sockets[-1].said.put_nowait(json.dumps({"id": self.sockets[-1].sent[0]["id"], "code": 0, "data": WELCOME}))
            await asyncio.wait_for(chat.ready(), 5)
            await chat.stop()

    async def test_an_address_that_is_none_is_told_at_once(self) -> None:
        with self.assertRaises(ChinwagError):
            async with asyncio.timeout(5), Client("http://127.0.0.1/ws", name="ann"):
                pass

    async def test_who_iterates_over_a_client_that_was_refused_hears_why(self) -> None:
        chat = Client("ws://test/ws", name="ann", connect=self.connect, clock=self.clock)
        chat.start()
        await settle()
        self.sockets[-1].accepted.set()
        await settle()
        refusal = {"id": self.sockets[-1].sent[0]["id"], "code": 2005, "message": "taken", "data": {"error": "name_taken"}}
        self.sockets[-1].said.put_nowait(json.dumps(refusal))
        with self.assertRaises(ChinwagError) as refused:
            async with asyncio.timeout(5):
                async for event in chat:
                    self.assertIsInstance(event, State)
        self.assertEqual(refused.exception.slug, "name_taken")

    async def accepted(self, chat: Client) -> None:
        """Starts a client whose hello is answered."""
        chat.start()
        await settle()
        self.sockets[-1].accepted.set()
        await settle()
        self.answer("hello", WELCOME)
        await asyncio.wait_for(chat.ready(), 5)

    def answer(self, op: str, data: Item, code: int = 0) -> Item:
        """Answers the latest request of this op, and returns it."""
        request: Item = next(request for request in reversed(self.sockets[-1].sent) if request["op"] == op)
        self.sockets[-1].said.put_nowait(json.dumps({"id": request["id"], "code": code, "message": "so", "data": data}))
        return request

    async def told(self, chat: Client, kind: type[Expires] | type[Problem]) -> Expires | Problem:
        async with asyncio.timeout(5):
            async for event in chat:
                if isinstance(event, kind):
                    return event
        raise AssertionError("the client has ended")

    async def test_a_token_that_ends_soon_is_told_and_renewed_on_the_same_connection(self) -> None:
        tokens = iter(["t1", None, "t2", "t3"])
        failures = iter([False, True, False, False])

        async def token() -> str | None:
            fresh = next(tokens)
            if next(failures):
                raise RuntimeError("the back end is down")
            return fresh

        chat = Client("ws://test/ws", token=token, connect=self.connect, clock=self.clock, random=lambda: 0.5)
        await self.accepted(chat)
        socket = self.sockets[-1]
        socket.said.put_nowait(json.dumps({"ev": "expires", "in_ms": 60_000}))
        self.assertEqual(await self.told(chat, Expires), Expires(60.0))
        await settle()
        self.assertEqual([request for request in socket.sent if request["op"] == "refresh"], [], "there is none yet")
        await self.clock.advance(15_000)
        self.assertEqual(self.answer("refresh", {})["token"], "t2")
        await settle()
        self.assertEqual((chat.state.state, self.sockets[-1]), ("ready", socket))
        # One that is refused is told, and not tried again.
        socket.said.put_nowait(json.dumps({"ev": "expires", "in_ms": 60_000}))
        await settle()
        self.answer("refresh", {"error": "unauthorized"}, 2001)
        problem = await self.told(chat, Problem)
        self.assertEqual(isinstance(problem, Problem) and problem.error.code, 2001)
        await self.clock.advance(60_000)
        self.assertEqual(len([request for request in socket.sent if request["op"] == "refresh"]), 2)
        await chat.stop()

    async def test_a_fixed_token_is_renewed_by_who_has_given_it(self) -> None:
        chat = Client("ws://test/ws", token="t1", connect=self.connect, clock=self.clock, random=lambda: 0.5)
        await self.accepted(chat)
        self.sockets[-1].said.put_nowait(json.dumps({"ev": "expires", "in_ms": 2_500}))
        self.assertEqual(await self.told(chat, Expires), Expires(2.5))
        refreshed = asyncio.create_task(chat.refresh("t2"))
        await settle()
        self.assertEqual(self.answer("refresh", {})["token"], "t2")
        await asyncio.wait_for(refreshed, 5)
        # The next connection says it, too.
        self.sockets[-1].said.put_nowait(1006)
        await settle()
        await self.clock.advance(250)
        self.sockets[-1].accepted.set()
        await settle()
        self.assertEqual(self.sockets[-1].sent[0]["token"], "t2")
        await chat.stop()

    async def test_what_members_say_of_themselves_is_told(self) -> None:
        chat = Client("ws://test/ws", name="ann", connect=self.connect, clock=self.clock)
        await self.accepted(chat)
        joining = asyncio.create_task(chat.join("lobby"))
        await settle()
        self.answer("join", {"room": "lobby", "epoch": "e1", "seq": 0})
        await asyncio.wait_for(joining, 5)
        profiles = {"bob": {"display": "Bob S", "color": "teal"}, "eve": {}}
        self.sockets[-1].said.put_nowait(json.dumps({"ev": "profiles", "room": "lobby", "profiles": profiles}))
        async with asyncio.timeout(5):
            async for event in chat:
                if isinstance(event, Notice):
                    self.assertEqual((event.ev, event.data["profiles"]), ("profiles", profiles))
                    break
        await chat.stop()
