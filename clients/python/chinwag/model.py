"""What a client knows, and what it tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = [
    "ChinwagError", "Entry", "Event", "Expires", "Gap", "Invited", "Item", "Left", "Live", "Notice", "Outbox", "Problem",
    "Record", "Renamed", "Reset", "Room", "Sent", "State", "direct_room", "other_in",
]  # fmt: skip

#: A record of a room's log, or the data of a reply, as the protocol has it.
Item: TypeAlias = dict[str, Any]


class ChinwagError(Exception):
    """A refusal by the server; code 0 and slug ``offline`` without a connection."""

    def __init__(self, message: str, *, code: int = 0, data: Item | None = None, op: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data or {}
        #: The code's name, such as ``rate_limited``.
        self.slug: str = self.data.get("error", "" if code else "offline")
        self.op = op

    @property
    def retry_after(self) -> float | None:
        """The seconds after which the same request may succeed."""
        wait = self.data.get("retry_after_ms")
        return None if wait is None else float(wait) / 1000

    @classmethod
    def of(cls, reply: Item, op: str | None = None) -> ChinwagError:
        """The refusal that a reply is."""
        data = reply.get("data") or {key: reply[key] for key in ("retry_after_ms",) if key in reply}
        return cls(reply.get("message", "refused"), code=reply.get("code", 0), data=data, op=reply.get("op", op))


@dataclass(eq=False)
class Room:
    """One room, or a direct conversation of two. All records up to ``seq`` have been told."""

    name: str
    epoch: str | None = None
    seq: int = 0
    oldest: int = 1
    #: ``wanted`` (not joined yet), ``lagging`` (catching up) or ``live``.
    state: str = "wanted"
    role: str = "member"
    durable: str = ""
    topic: str = ""
    after: int | None = field(default=None, repr=False)
    catch_up: int = field(default=0, repr=False)
    #: The last record that the program has had no space for.
    behind: int = field(default=0, repr=False)
    #: Later records, while those before them are fetched.
    held: list[Item] | None = field(default=None, repr=False)
    joining: asyncio.Future[Item] | None = field(default=None, repr=False)

    @property
    def direct(self) -> bool:
        """Whether this is a conversation of two."""
        return self.name.startswith("@")


@dataclass(frozen=True)
class Sent:
    """What the server has made of a message."""

    room: str
    seq: int
    at: int
    dup: bool = False


@dataclass(eq=False)
class Entry:
    """A message that the server has not answered yet; to be kept for a later client, if need be."""

    room: str
    text: str
    cid: str
    more: Item = field(default_factory=dict)
    in_flight: bool = field(default=False, repr=False)
    answer: asyncio.Future[Sent] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class State:
    """The connection: ``stopped``, ``connecting``, ``ready``, or ``waiting`` until ``retry_at`` of the clock."""

    state: str
    retry_at: float | None = None
    announced: bool = False
    close: int | None = None
    error: ChinwagError | None = None
    #: Why it is stopped for good: our token is ``refused``, has ``expired``, or its login was ``ended``.
    token: str | None = None


@dataclass(frozen=True)
class Record:
    """The next record of a room, also our own."""

    room: Room
    item: Item

    @property
    def text(self) -> str:
        """The message, empty where it is none."""
        return str(self.item.get("text", ""))

    @property
    def sender(self) -> str:
        """Who has said or done it."""
        return str(self.item.get("from", ""))


@dataclass(frozen=True)
class Gap:
    """Records that are missing: ``pruned``, ``limit`` (ask ``history``) or ``lost``."""

    room: Room
    first: int
    last: int
    why: str


@dataclass(frozen=True)
class Reset:
    """The room has a new log, now at ``seq``."""

    room: Room
    seq: int


@dataclass(frozen=True)
class Live:
    """The room has caught up."""

    room: Room


@dataclass(frozen=True)
class Renamed:
    """The room has another name: what is kept by the name ``was`` belongs to ``room.name``."""

    room: Room
    was: str


@dataclass(frozen=True)
class Left:
    """We are no longer in the room: ``left``, ``kicked``, ``banned``, ``closed``, or ``refused`` on return."""

    room: Room
    reason: str
    error: ChinwagError | None = None


@dataclass(frozen=True)
class Invited:
    """An invitation to join a room."""

    room: str
    data: Item


@dataclass(frozen=True)
class Outbox:
    """What has become of a message: ``sent`` or ``failed``."""

    entry: Entry
    status: str
    error: ChinwagError | None = None


@dataclass(frozen=True)
class Notice:
    """What is in no log: ``presence``, ``typing``, ``receipts``, ``profiles`` and ``gone``, as the protocol has it."""

    room: Room
    ev: str
    data: Item


@dataclass(frozen=True)
class Expires:
    """Our token ends in so many seconds. Where ``token`` is called for one, that has begun; else see ``refresh``."""

    seconds: float


@dataclass(frozen=True)
class Problem:
    """A refusal that no request waits for."""

    error: ChinwagError


Event: TypeAlias = State | Record | Gap | Reset | Live | Renamed | Left | Invited | Outbox | Notice | Expires | Problem


def direct_room(a: str, b: str) -> str:
    """The room of two users: their names in the order of bytes."""
    return "@" + ":".join(sorted((a, b), key=str.encode))


def other_in(room: str, user: str) -> str:
    """The other user of a direct conversation."""
    a, b = room[1:].split(":")
    return b if a == user else a
