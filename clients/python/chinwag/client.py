"""The client: one connection at a time, and what is kept over all of them."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from .model import *

BACKOFF_BASE_S, BACKOFF_MAX_S, HEALTHY_S = 0.5, 20.0, 30.0
HELLO_S = 15.0
#: A line is dead when a ping has no answer for so long; pings come after so much.
PING_S, PONG_S = 25.0, 10.0
#: The longest ``retry_after`` that is waited for.
RETRY_WAIT_MAX_S = 30.0
#: Bytes of the largest message of a server that are taken; beyond it the connection is closed with 1009.
FRAME_BYTES_MAX = 16 * 1024 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Events that wait for the program. Beyond it records are fetched later, and other events are dropped.
EVENTS_MAX = 1_000
#: Records held back while others are fetched.
HELD_MAX = 1_000
#: Codes of a room in which we are not: no such room, not a member, banned, by invitation.
NOT_OURS = frozenset({3001, 3003, 3005, 3008})
#: What has become of a token, by the code of a refusal or of a close.
TOKEN_ENDS = {2001: "refused", 2002: "expired", 2003: "refused", 4000: "refused", 4006: "ended", 1008: "expired"}

F = TypeVar("F", bound=asyncio.Future[Any])
_Asked = tuple[str, asyncio.Future[Item], Callable[[Item], None] | None, Callable[[ChinwagError], None] | None]
Token = str | Callable[[], Awaitable[str | None]] | None


class Socket(Protocol):
    """What is used of a connection; `recv` ends with `ConnectionClosed`."""

    async def send(self, message: str, /) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def close(self, code: int = 1000) -> None: ...


class Clock:
    """Seconds that only rise."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def open_socket(url: str) -> Socket:
    """Connects as the protocol asks for."""
    protocols = [Subprotocol("chinwag.v1")]
    # A proxy that the environment names (`https_proxy`, also for `ws://`) is no way to this machine itself.
    proxy: Literal[True] | None = None if urlsplit(url).hostname in LOOPBACK else True
    return await open_websocket(
        url, subprotocols=protocols, max_size=FRAME_BYTES_MAX, ping_interval=PING_S, ping_timeout=PONG_S, proxy=proxy
    )


async def login(url: str, name: str, password: str, *, agent: str = "chinwag.py") -> str:
    """Proves by a password who we are; the answer is the ``token`` of later clients. Raises 2001 if it is wrong."""
    async with asyncio.timeout(HELLO_S):
        socket = await open_socket(url)
        try:
            await socket.send(json.dumps({"op": "login", "id": 1, "name": name, "password": password, "agent": agent}))
            while (reply := json.loads(await socket.recv())).get("id", 1) != 1 or "ev" in reply:
                pass
        finally:
            await socket.close()
    if reply["code"]:
        raise ChinwagError.of(reply, "login")
    return str(reply["data"]["token"])


def _quiet(future: F) -> F:
    """Nobody has to look at this future."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


class Client:
    """A client, whose events are iterated over: ``async with Client(url, name="bot") as chat``, ``async for event in chat``.

    Each record of a joined room is told once and in the order of ``seq``, also over lost connections; a :class:`Gap`
    or :class:`Reset` stands for missing ones. Each message is stored once. The iteration ends after :meth:`stop`, and
    raises when the server has refused for good.

    ``token`` says who we are, or is called for one at each connection; ``session`` and ``outbox`` are those of an
    earlier client, to go on where it ended. ``connect``, ``clock`` and ``random`` are for tests.
    """

    def __init__(
        self, url: str, *, name: str | None = None, token: Token = None, agent: str = "chinwag.py",
        session: str | None = None, outbox: Iterable[Entry] = (), connect: Callable[[str], Awaitable[Socket]] = open_socket,
        clock: Clock | None = None, random: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self.url = url
        #: Our name, once accepted.
        self.user: str | None = None
        self.session = session
        #: The server's limits.
        self.limits: Item = {}
        self.rooms: dict[str, Room] = {}
        self.state = State("stopped")
        self._name, self._token, self._agent = name, token, agent
        self._connect, self._clock, self._random = connect, clock or Clock(), random
        self._queues: dict[str, list[Entry]] = {}
        for entry in outbox:
            self._queue_of(entry.room).append(entry)
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._ids = count(1)
        self._pending: dict[int, _Asked] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._socket: Socket | None = None
        self._out: asyncio.Queue[str] = asyncio.Queue()
        self._attempt = 0
        self._ready_at = self._come_back_at = self._send_after = 0.0
        self._refusal: ChinwagError | None = None

    # --- The connection

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self.stop()

    def start(self) -> None:
        """Connects, and reconnects until :meth:`stop` or until the server refuses for good."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Waits until the server has accepted us, however long that takes. Raises when it has refused for good."""
        while self.state.state != "ready":
            if self._running is None or self._running.done():
                raise self.state.error or ChinwagError("stopped")
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Closes the connection; :meth:`start` goes on from here."""
        running, self._running = self._running, None
        if running is None:
            return
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if self.state.state != "stopped":
            self._stopped(State("stopped"))

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if event is None:
            if self.state.error or self.state.close:
                raise self.state.error or ChinwagError(f"closed with {self.state.close}", code=self.state.close or 0)
            raise StopAsyncIteration
        if self._events.qsize() <= EVENTS_MAX // 2:
            for room in [room for room in self.rooms.values() if room.behind > room.seq and room.held is None]:
                self._fetch_missing(room, room.behind, [])
        return event

    async def _run(self) -> None:
        while (state := await self._one_connection()).state == "waiting":
            self._set(state)
            await self._clock.sleep(max(0.0, (state.retry_at or 0.0) - self._clock.now()))
        self._stopped(state)

    async def _one_connection(self) -> State:
        """Connects, and says at the end of the connection how to go on."""
        self._come_back_at, self._refusal, self._out = 0.0, None, asyncio.Queue()
        self._set(State("connecting"))
        greeting: asyncio.Task[None] | None = None
        try:
            token = await self._fetch_token()
            async with asyncio.timeout(HELLO_S):
                socket = self._socket = await self._connect(self.url)
            greeting = asyncio.create_task(self._talk(socket, token))
            while True:
                self._receive(await socket.recv())
        except ConnectionClosed as closed:
            return self._closed(closed.rcvd.code if closed.rcvd else 1006)
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status not in (408, 425, 429) and 400 <= status < 500:
                return State("stopped", error=ChinwagError(f"the upgrade was answered with {status}"))
            return self._closed(1006)
        except InvalidURI as wrong:
            return State("stopped", error=ChinwagError(str(wrong)))
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._closed(1007)  # no message of the protocol
        except (OSError, WebSocketException):
            return self._closed(1006)
        except ChinwagError as error:
            return replace(self._closed(1006), error=error)
        finally:
            if greeting:
                greeting.cancel()
            await self._forget_connection()

    async def _fetch_token(self) -> str | None:
        if not callable(self._token):
            return self._token
        try:
            return await self._token()
        except Exception as error:
            # Whoever gives tokens is asked again, as a server is that does not answer.
            raise ChinwagError(f"there is no token: {error}") from error

    async def refresh(self, token: str) -> None:
        """Replaces the token by a newer one of the same user, without a new connection."""
        if not callable(self._token):
            self._token = token
        if self.state.state == "ready":
            await self.request("refresh", token=token)

    async def _renew(self, seconds: float) -> None:
        """Asks for another token until there is one or ours has ended; the connection's end ends it, too."""
        end = self._clock.now() + seconds
        while True:
            try:
                if (fresh := await self._fetch_token()) is None:
                    return
                return await self.refresh(fresh)
            except ChinwagError as error:
                if error.code and error.retry_after is None:
                    return self._emit(Problem(error))
            if self._clock.now() + seconds / 4 >= end:
                return
            await self._clock.sleep(seconds / 4)

    async def _talk(self, socket: Socket, token: str | None) -> None:
        """Says hello, and all that is to be said after it."""
        joined = {room.name: [room.epoch, room.seq] for room in self.rooms.values() if room.state != "wanted"}
        name = None if token else self.user or self._name
        resume = {"session": self.session, "rooms": joined} if self.session else None
        answered = asyncio.get_running_loop().call_later(HELLO_S, lambda: self._spawn(socket.close(1000)))

        def welcome(data: Item) -> None:
            answered.cancel()
            self._welcome(data)

        def refused(error: ChinwagError) -> None:
            answered.cancel()
            if error.code:
                self._refusal = error
                self._spawn(socket.close(1000))

        self._ask("hello", {"name": name, "token": token, "agent": self._agent, "resume": resume}, welcome, refused)
        try:
            while True:
                await socket.send(await self._out.get())
        except ConnectionClosed:
            pass  # whoever reads has seen it, too

    def _closed(self, code: int) -> State:
        now = self._clock.now()
        if self._ready_at and now - self._ready_at >= HEALTHY_S:
            self._attempt = 0
        self._ready_at = 0.0
        if error := self._refusal:
            if error.retry_after is None:
                return State("stopped", error=error, token=TOKEN_ENDS.get(error.code) if self._token else None)
            return State("waiting", now + error.retry_after + self._backoff(), error=error)
        if 4000 <= code < 4100 or code == 1008:
            return State("stopped", close=code, token=TOKEN_ENDS.get(code) if self._token else None)
        if self._come_back_at:
            return State("waiting", self._come_back_at, announced=True, close=code)
        return State("waiting", now + self._backoff(), close=code)

    def _backoff(self) -> float:
        """Full jitter, so that not all clients come back at once."""
        most: float = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** min(self._attempt, 16))
        self._attempt += 1
        return self._random() * most

    async def _forget_connection(self) -> None:
        """Messages stay in the outbox, positions in the rooms."""
        socket, self._socket = self._socket, None
        for entry in self.outbox:
            entry.in_flight = False
        for room in self.rooms.values():
            room.held, room.joining, room.behind = None, None, 0
        pending, self._pending = list(self._pending.values()), {}
        for asked in pending:
            self._answer(asked, {"message": "not connected"})
        for task in self._tasks:
            task.cancel()
        if socket:
            await socket.close(1000)

    def _set(self, state: State) -> None:
        self.state = state
        self._changed.set()
        self._emit(state)

    def _stopped(self, state: State) -> None:
        self._set(state)
        self._events.put_nowait(None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs until it is done or the connection is lost."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        _quiet(task)

    def _emit(self, event: Event) -> None:
        if self._events.qsize() < 2 * EVENTS_MAX and not (isinstance(event, Notice) and self._is_full()):
            self._events.put_nowait(event)

    def _is_full(self) -> bool:
        return self._events.qsize() >= EVENTS_MAX

    def _welcome(self, data: Item) -> None:
        self.user, self.session, self.limits = data["user"], data["session"], data.get("limits") or {}
        self._ready_at = self._clock.now()
        self._set(State("ready"))
        # Of more than it has room for, `rooms` has all.
        if not data.get("more_invitations"):
            self._tell_invitations(data)
        for room in list(self.rooms.values()):
            answer = (data.get("rooms") or {}).get(room.name) or {}
            if "room" in answer:
                self._renamed(room.name, answer["room"])
            if self.rooms.get(room.name) is room and room.state != "wanted":
                self._resume(room, answer)
            if self.rooms.get(room.name) is room and room.state == "wanted" and (not room.direct or room.epoch is not None):
                self._join_room(room)
        for name in list(self._queues):
            self._send_next(name)
        self._ask("rooms", {}, self._enter_rooms)

    def _enter_rooms(self, data: Item) -> None:
        """A membership is the user's, and outlives every connection."""
        self._tell_invitations(data)
        for entry in data.get("rooms") or []:
            for was in entry.get("former") or []:
                self._renamed(was, entry["room"])
            room = self._room(entry["room"])
            if room.state == "wanted":
                self._join_room(room)
        if data.get("more"):
            self._ask("rooms", {"since": data["rev"]}, self._enter_rooms)

    def _tell_invitations(self, data: Item) -> None:
        for invitation in data.get("invitations") or []:
            self._emit(Invited(invitation["room"], invitation))

    def _resume(self, room: Room, answer: Item) -> None:
        if answer.get("reset"):
            return self._reset(room, answer["epoch"], answer["seq"])
        if gap := answer.get("gap"):
            self._gap(room, gap[0], gap[1], answer.get("why", "lost"))
        if gap or "to" in answer:
            return self._catch_up(room, answer.get("to", room.seq))
        room.state = "wanted"
        # Never undone by a join: we have left it on another device, or were removed.
        if answer.get("code") in NOT_OURS:
            self._lost(room, ChinwagError.of(answer, "hello"))

    def _lost(self, room: Room, error: ChinwagError) -> None:
        if room.direct and self._queue_of(room.name):
            # It begins again with the message that waits for it.
            self._reset(room, None, 0)
        else:
            self._remove(room, "refused", error)

    # --- Requests

    async def request(self, op: str, **fields: Any) -> Item:
        """Any request: the reply's ``data``. Asked again when the server says so; raises :class:`ChinwagError`."""
        return await self._request(op, fields)

    async def _request(self, op: str, fields: Item, apply: Callable[[Item], None] | None = None) -> Item:
        while True:
            if self.state.state != "ready":
                raise ChinwagError("not connected", op=op)
            try:
                return await self._ask(op, fields, apply)
            except ChinwagError as error:
                if error.retry_after is None or error.retry_after > RETRY_WAIT_MAX_S:
                    raise
                await self._clock.sleep(error.retry_after)

    def _ask(self, op: str, fields: Item, done: Callable[[Item], None] | None = None,
             failed: Callable[[ChinwagError], None] | None = None) -> asyncio.Future[Item]:  # fmt: skip
        """``done`` runs before the next message is handled, which who awaits the reply may not."""
        reply: asyncio.Future[Item] = _quiet(asyncio.get_running_loop().create_future())
        asked = next(self._ids)
        self._pending[asked] = (op, reply, done, failed)
        self._transmit({"op": op, "id": asked, **fields})
        return reply

    def _transmit(self, message: Item) -> None:
        self._out.put_nowait(json.dumps({key: value for key, value in message.items() if value is not None}))

    def _receive(self, text: str | bytes) -> None:
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ValueError("no object")
        if isinstance(message.get("ev"), str):
            return self._event(message)
        asked = self._pending.pop(message.get("id") or 0, None)
        if asked:
            self._answer(asked, message)
        elif message.get("code"):
            self._emit(Problem(ChinwagError.of(message)))

    def _answer(self, asked: _Asked, message: Item) -> None:
        op, reply, done, failed = asked
        if message.get("code") == 0:
            data = message.get("data") or {}
            if done:
                done(data)
            if not reply.done():
                reply.set_result(data)
            return
        error = ChinwagError.of(message, op)
        if failed:
            failed(error)
        if not reply.done():
            reply.set_exception(error)

    def _event(self, event: Item) -> None:
        ev = event["ev"]
        if ev == "drain":
            self._come_back_at = self._clock.now() + event["reconnect_after_ms"] / 1000
        elif ev == "expires":
            self._emit(Expires(event["in_ms"] / 1000))
            if callable(self._token):
                self._spawn(self._renew(event["in_ms"] / 1000))
        elif ev == "joined":
            self._joined(self._room(event["room"]), event)
        elif ev == "renamed":
            self._renamed(event["room"], event["name"])
        elif ev == "invited":
            self._emit(Invited(event["room"], event))
        elif room := self.rooms.get(event.get("room", "")):
            self._event_of(room, ev, event)

    def _event_of(self, room: Room, ev: str, event: Item) -> None:
        if ev == "replay":
            for item in event["items"]:
                self._record(room, item)
            self._send_next(room.name)
        elif ev == "live":
            self._become_live(room, event["seq"])
        elif ev == "gap":
            self._gap(room, event["from"], event["to"], event.get("why", "lost"))
        elif ev == "left":
            self._remove(room, event.get("reason", "left"))
        elif ev in ("presence", "typing", "receipts", "gone", "profiles"):
            self._emit(Notice(room, ev, event))
        elif event.get("seq"):
            self._record(room, {key: value for key, value in event.items() if key != "room"})

    # --- Rooms

    async def join(self, name: str, *, after: int | None = None) -> Room:
        """Joins a room and stays in it over reconnections; without a connection, once there is one.

        With ``after``, the records after that seq are told too (0: all that are stored).
        """
        room = self._room(name)
        if room.state == "wanted":
            room.after = after
            if self.state.state == "ready":
                await asyncio.shield(self._join_room(room))
        return self.rooms.get(room.name, room)

    async def leave(self, name: str, *, close: bool = False) -> None:
        """Leaves a room for good; ``close`` deletes a private one of which we are the last member."""
        room = self.rooms.get(name)
        if room and room.state != "wanted":
            await self.request("leave", room=name, close=close or None)
        if room and self.rooms.get(name) is room:
            self._remove(room, "left")

    def open(self, user: str) -> Room:
        """The direct conversation with a user. The server makes it at its first message."""
        return self._room(direct_room(self.user or "", user))

    async def history(self, name: str, **where: int) -> Item:
        """A page of a log: ``{"items", "more", …}``; ``before``, ``after`` or ``around`` a seq, with a ``limit``."""
        room = self.rooms.get(name)
        try:
            return await self.request("history", room=name, epoch=room.epoch if room else None, **where)
        except ChinwagError as error:
            if error.code == 4004 and room:
                # The answer to a join with the old position is a reset.
                self._join_room(room)
            raise

    async def read(self, name: str, seq: int) -> None:
        """Reports that all up to ``seq`` has been read."""
        await self.request("ack", room=name, read=seq)

    def _room(self, name: str) -> Room:
        return self.rooms.setdefault(name, Room(name))

    def _join_room(self, room: Room) -> asyncio.Future[Item]:
        known = room.epoch is not None

        def failed(error: ChinwagError) -> None:
            room.joining = None
            if error.code and (known or not room.direct):
                self._lost(room, error)

        if room.joining is None:
            fields = {"room": room.name, "after": room.seq if known else room.after, "epoch": room.epoch}
            room.joining = self._ask("join", fields, lambda data: self._joined(room, data), failed)
        return room.joining

    def _renamed(self, was: str, name: str) -> Room | None:
        """A room has another name, and keeps everything else: its place, and what waits to be said there."""
        room, other = self.rooms.get(was), self.rooms.get(name)
        if room is None or was == name:
            return other
        del self.rooms[was]
        waiting = self._queues.pop(was, []) + self._queues.pop(name, [])
        for entry in waiting:
            entry.room = name
        self._queues[name] = waiting
        room.name = name
        # It was entered by its new name, too: that one has the place already.
        kept = other if other is not None and other.epoch is not None else room
        self.rooms[name] = kept
        self._emit(Renamed(kept, was))
        self._send_next(name)
        return kept

    def _joined(self, room: Room, data: Item) -> None:
        room.joining = None
        if data.get("room", room.name) != room.name:
            room = self._renamed(room.name, data["room"]) or room
        for was in data.get("former") or []:
            self._renamed(was, room.name)
        for key in ("role", "durable", "oldest", "topic"):
            setattr(room, key, data.get(key, getattr(room, key)))
        if room.epoch is not None and (data.get("reset") or data["epoch"] != room.epoch):
            return self._reset(room, data["epoch"], data["seq"])
        if room.epoch is None:
            room.seq = max(room.seq, data["seq"] if room.after is None else room.after)
        room.epoch = data["epoch"]
        self._catch_up(room, data["seq"])

    def _remove(self, room: Room, reason: str, error: ChinwagError | None = None) -> None:
        del self.rooms[room.name]
        for entry in list(self._queue_of(room.name)):
            self._resolve(entry, error or ChinwagError("no longer a member", code=3003))
        self._emit(Left(room, reason, error))

    # --- Positions

    def _catch_up(self, room: Room, seq: int) -> None:
        """Records up to ``seq`` follow. The outbox waits: its messages may be among them."""
        room.catch_up, room.state = seq, "lagging"
        if room.seq >= seq:
            self._become_live(room, seq)

    def _become_live(self, room: Room, seq: int) -> None:
        if seq > max(room.seq, room.behind) and room.held is None:
            self._fetch_missing(room, seq, [])
        room.state = "live"
        self._emit(Live(room))
        self._send_next(room.name)

    def _record(self, room: Room, item: Item) -> None:
        if item["seq"] <= room.seq:
            return
        if room.held is not None:
            if len(room.held) < HELD_MAX:
                room.held.append(item)
        elif self._is_full() or room.behind > room.seq:
            # The program is slow: what it has no space for is fetched once it has.
            room.behind = max(room.behind, item["seq"])
            self._resolve_by(room, item)
        elif item["seq"] > room.seq + 1:
            self._fetch_missing(room, item["seq"] - 1, [item])
        else:
            self._deliver(room, item)

    def _deliver(self, room: Room, item: Item) -> None:
        room.seq = item["seq"]
        self._resolve_by(room, item)
        if item.get("ev") == "topic":
            room.topic = item.get("text", "")
        if item.get("act") == "role" and item.get("target") == self.user:
            room.role = item.get("role", room.role)
        self._emit(Record(room, item))

    def _fetch_missing(self, room: Room, last: int, held: list[Item]) -> None:
        room.held, room.behind = held, 0
        self._spawn(self._fetch(room, last, held))

    async def _fetch(self, room: Room, last: int, held: list[Item]) -> None:
        """Fetches missing records up to ``last``; newer ones are held back."""
        while room.seq < last:
            if self._is_full():
                room.held, room.behind = None, max(last, *(item["seq"] for item in held), 0)
                return
            begin, page = room.seq, Item()
            try:
                page = await self.history(room.name, after=begin)
            except ChinwagError:
                pass  # what cannot be had is a gap
            if room.held is not held:
                return
            for item in page.get("items") or []:
                self._gap(room, room.seq + 1, item["seq"] - 1, "lost")
                if item["seq"] > room.seq:
                    self._deliver(room, item)
            if room.seq == begin:
                break
        self._gap(room, room.seq + 1, last, "lost")
        room.held = None
        for item in held:
            self._record(room, item)
        self._send_next(room.name)

    def _gap(self, room: Room, first: int, last: int, why: str) -> None:
        if last > room.seq:
            first = room.seq + 1 if room.behind else max(first, room.seq + 1)
            room.seq = last
            self._emit(Gap(room, first, last, why))

    def _reset(self, room: Room, epoch: str | None, seq: int) -> None:
        room.epoch, room.seq, room.oldest, room.behind, room.held = epoch, seq, 1, 0, None
        self._emit(Reset(room, seq))
        if epoch is None:
            room.state = "wanted"
        else:
            self._catch_up(room, seq)

    # --- Messages

    @property
    def outbox(self) -> list[Entry]:
        """Messages that the server has not answered yet."""
        return [entry for queue in self._queues.values() for entry in queue]

    async def send(self, room: str, text: str, *, cid: str | None = None, **more: Any) -> Sent:
        """Sends a message and waits for the server's answer, over lost connections, too. Raises if it is refused.

        ``more``: further fields, such as ``reply_to`` or ``data``. Who gives up waiting has not taken it back.
        """
        answer = self.post(room, text, cid=cid, **more).answer
        assert answer is not None
        return await asyncio.shield(answer)

    async def send_to(self, user: str, text: str, **more: Any) -> Sent:
        """The same, directly to a user."""
        return await self.send(direct_room(self.user or "", user), text, **more)

    def post(self, room: str, text: str, *, cid: str | None = None, **more: Any) -> Entry:
        """Like :meth:`send` without waiting. Messages of one room go one after another."""
        self._check_length(text, more)
        answer: asyncio.Future[Sent] = _quiet(asyncio.get_running_loop().create_future())
        entry = Entry(room, text, cid or secrets.token_hex(12), more, answer=answer)
        self._queue_of(room).append(entry)
        self._send_next(room)
        return entry

    async def change(self, op: str, name: str, **fields: Any) -> Item:
        """Changes the log of a room: ``edit``, ``delete``, ``react``, ``topic``. Unlike a message it is not repeated."""
        return await self._change(op, name, fields, fields)

    async def rename(self, was: str, name: str) -> Item:
        """Gives a room that we own another name; the one of before leads to it still."""
        return await self._change("rename", was, {"name": name}, {"name": name, "was": was})

    async def _change(self, op: str, name: str, fields: Item, record: Item) -> Item:
        # It may have another name when the answer comes.
        room = self.rooms.get(name)

        def note(data: Item) -> None:
            # This connection gets the answer instead of the record.
            ev = {"delete": "deletion", "react": "reaction"}.get(op, op)
            if room and self.rooms.get(room.name) is room and not data.get("dup"):
                self._record(room, {"ev": ev, "seq": data["seq"], "from": self.user, "at": data["at"], **record})

        return await self._request(op, {"room": name, **fields}, note)

    def _check_length(self, text: str, more: Item) -> None:
        data = json.dumps(more["data"], separators=(",", ":"), ensure_ascii=False) if "data" in more else ""
        over = len((text + data).encode()) - int(self.limits.get("message_bytes") or FRAME_BYTES_MAX)
        if over > 0:
            raise ChinwagError(f"too long by {over} bytes", code=4001, data={"error": "too_large"}, op="send")

    def _queue_of(self, name: str) -> list[Entry]:
        return self._queues.setdefault(name, [])

    def _send_next(self, name: str) -> None:
        queue, room = self._queue_of(name), self.rooms.get(name)
        if not queue or queue[0].in_flight or self.state.state != "ready":
            return
        direct = name.startswith("@")
        if not direct and (room is None or room.state == "wanted"):
            return
        if room and max(room.seq, room.behind) < room.catch_up:
            return
        entry = queue[0]
        entry.in_flight = True
        if (wait := self._send_after - self._clock.now()) > 0:
            return self._spawn(self._send_later(entry, wait))
        where = {"to": other_in(name, self.user or "")} if direct else {"room": name}
        fields = {**where, "text": entry.text, "cid": entry.cid, **entry.more}
        self._ask("send", fields, lambda data: self._sent(entry, data), lambda error: self._send_failed(entry, error))

    async def _send_later(self, entry: Entry, wait: float) -> None:
        await self._clock.sleep(wait)
        entry.in_flight = False
        self._send_next(entry.room)

    def _sent(self, entry: Entry, data: Item) -> None:
        sent = Sent(data["room"], data["seq"], data["at"], bool(data.get("dup")))
        self._resolve(entry, sent)
        room = self.rooms.get(entry.room) or self._room(data["room"])
        if not sent.dup:  # the record of a repetition comes, or came, with the replay
            told = {"text": entry.text, "cid": entry.cid, **entry.more}
            self._record(room, {"ev": "message", "seq": sent.seq, "from": self.user, "at": sent.at, **told})
        self._send_next(entry.room)

    def _send_failed(self, entry: Entry, error: ChinwagError) -> None:
        if not error.code:
            return
        if error.retry_after is not None and error.retry_after <= RETRY_WAIT_MAX_S:
            entry.in_flight = False
            self._send_after = self._clock.now() + error.retry_after
        else:
            self._resolve(entry, error)
        self._send_next(entry.room)

    def _resolve_by(self, room: Room, item: Item) -> None:
        """A record of ours that comes answers the message that waits for its answer."""
        if item.get("from") == self.user and item.get("cid"):
            for entry in [entry for entry in self._queue_of(room.name) if entry.cid == item["cid"]]:
                self._resolve(entry, Sent(room.name, item["seq"], item["at"]))

    def _resolve(self, entry: Entry, outcome: Sent | ChinwagError) -> None:
        queue = self._queue_of(entry.room)
        if entry not in queue:
            return
        queue.remove(entry)
        failed = outcome if isinstance(outcome, ChinwagError) else None
        if entry.answer and not entry.answer.done():
            if isinstance(outcome, ChinwagError):
                entry.answer.set_exception(outcome)
            else:
                entry.answer.set_result(outcome)
        self._emit(Outbox(entry, "failed" if failed else "sent", failed))
