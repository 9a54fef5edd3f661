"""Two nodes on one PostgreSQL: what people at one of them do, people at the other see."""

import concurrent.futures
import json
import operator
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types

from engines import ACCOUNT, Engine
from people import CHINWAG, PATIENCE, Client, Node, check, result
from pushes import pushed, subscribe
from receiver import told

def records(one, other):
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby")
    bob.ask("join", room="lobby")
    first = ann.ask("send", room="lobby", text="hello from one", cid="c1")
    heard = bob.event("message", room="lobby")
    assert (heard["text"], heard["seq"], heard["from"]) == ("hello from one", first["seq"], "ann"), heard
    second = bob.ask("send", room="lobby", text="hello from two")
    heard = ann.event("message", text="hello from two")
    assert second["seq"] == first["seq"] + 1 == heard["seq"], (first, second, heard)
    pages = [client.ask("history", room="lobby")["items"] for client in (ann, bob)]
    # Only who has said it is told the cid.
    pages = [[{name: row[name] for name in row if name != "cid"} for row in page] for page in pages]
    assert pages[0] == pages[1] and len(pages[0]) == 2, pages


def repeated(one, other):
    ann = Client(one, "ann")
    first = ann.ask("send", room="lobby", text="once", cid="c2")
    again = Client(other, "ann").ask("send", room="lobby", text="once", cid="c2")
    assert again["seq"] == first["seq"] and again["at"] == first["at"], (first, again)
    reply = Client(other, "ann").request("send", room="lobby", text="another", cid="c2")
    assert reply["code"] != 0, reply


def order(one, other):
    """Both say much at once: everybody sees one order, dense."""
    crowd = [Client(node, f"w{number}") for number, node in enumerate([one, other] * 3)]
    start = max(client.ask("join", room="race")["seq"] for client in crowd)
    for turn in range(20):
        for client in crowd:
            client.number += 1
            line = {"op": "send", "id": client.number, "room": "race", "text": f"{turn}", "cid": f"r{turn}"}
            client.socket.sendall((json.dumps(line) + "\n").encode())
    head = start + 20 * len(crowd)
    logs = []
    for client in crowd:
        seen = {}
        while len(seen) < head - start:
            said = client.read()
            record = said if said.get("ev") == "message" else said.get("data") or {}
            if "seq" in record and record.get("room", "race") == "race":
                assert record["seq"] not in seen, f"{record['seq']} twice"
                seen[record["seq"]] = record["at"]
        logs.append(seen)
        assert sorted(seen) == list(range(start + 1, head + 1)), sorted(seen)
    assert all(log == logs[0] for log in logs)


def presence_of(client, user):
    """As a member of the lobby is told of another one."""
    return dict(client.ask("presence", room="lobby")["users"]).get(user, "off")


def presence(one, other):
    ann = Client(one, "ann")
    ann.ask("join", room="lobby")
    cleo = Client(other, "cleo")
    cleo.ask("join", room="lobby")
    while "cleo" not in str(ann.event("presence", room="lobby")):
        pass
    assert presence_of(ann, "cleo") == "online"
    # Its reader has the socket, too: without this it stays open.
    cleo.socket.shutdown(socket.SHUT_RDWR)
    while "cleo" not in str(ann.event("presence", room="lobby")):
        pass
    assert presence_of(ann, "cleo") == "off"


def typing(one, other):
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    # Typing is told to nodes at which a member is known to be.
    while presence_of(ann, "bob") != "online":
        time.sleep(0.02)
    ann.ask("typing", room="lobby", on=True)
    bob.event("typing", room="lobby")


def direct(one, other):
    ann, dora = Client(one, "ann"), Client(other, "dora")
    ann.ask("send", to="dora", text="psst")
    # The conversation is new to dora's node: it comes as what was missed, or by itself.
    heard = dora.hear("psst")
    assert heard["from"] == "ann", heard
    dora.ask("send", to="ann", text="yes?")
    assert ann.hear("yes?")["from"] == "dora"


def kick(one, other):
    owner, victim = Client(one, "otto"), Client(other, "vic")
    owner.ask("create", room="yard")
    victim.ask("join", room="yard")
    victim.ask("send", room="yard", text="me")
    owner.event("message", text="me")
    owner.ask("ban", room="yard", user="vic")
    assert victim.event("left", room="yard")["reason"] == "banned"
    assert victim.request("send", room="yard", text="still me?")["code"] != 0
    assert victim.request("join", room="yard")["code"] != 0


def edits(one, other):
    ann, bob = Client(one, "ann"), Client(other, "bob")
    bob.ask("join", room="lobby")
    ann.ask("join", room="lobby")
    seq = ann.ask("send", room="lobby", text="tpyo")["seq"]
    ann.ask("edit", room="lobby", target=seq, text="typo")
    assert bob.event("edit", target=seq)["text"] == "typo"
    ann.ask("delete", room="lobby", target=seq)
    bob.event("deletion", target=seq)


def searched(engine, one, other):
    ann, bob = Client(one, "ann"), Client(other, "bob")
    for client in (ann, bob):
        client.ask("join", room="library")
    seqs = [ann.ask("send", room="library", text=text)["seq"] for text in ("a needle", "some hay", "天气很好")]
    indexed = "SELECT 1 FROM chinwag.word WHERE words @@ 'needle'"

    def found(client, text):
        return [item["seq"] for item in client.ask("search", text=text)["items"]]

    # Found at once, and when it is indexed.
    deadline = time.monotonic() + PATIENCE
    while True:
        assert found(bob, "NEED") == found(ann, "needle") == seqs[:1] and found(bob, "天气") == seqs[2:]
        if engine.sql(indexed):
            break
        assert time.monotonic() < deadline, "it is never indexed"
    # At once gone, too.
    ann.ask("delete", room="library", target=seqs[0])
    assert found(bob, "needle") == found(ann, "needle") == []
    assert not engine.sql(indexed)
    assert found(bob, "hay") == seqs[1:2]


def exported(one, other):
    ann, bob = Client(one, "exporter"), Client(other, "reader")
    for client in (ann, bob):
        client.ask("join", room="archive")
    said = [ann.ask("send", room="archive", text=f"mine {nth}")["seq"] for nth in range(3)]
    bob.ask("send", room="archive", text="not mine")
    there, place, items = Client(other, "exporter"), None, []
    while True:
        part = there.ask("export", **({"after": place} if place else {}))
        items += part.get("items", [])
        if (place := part.get("after")) is None:
            break
    assert [item["seq"] for item in items if item.get("text")] == said, items


def threaded(one, other):
    """Who follows which thread, and how far it is read, is the same at both nodes, and told at once."""
    ann, bob, there = Client(one, "ann"), Client(other, "bob"), Client(other, "ann")
    for client in (ann, bob, there):
        client.ask("join", room="salon")
    while presence_of(ann, "bob") != "online":
        time.sleep(0.02)
    first = ann.ask("send", room="salon", text="who brings the cake?")["seq"]
    bob.event("message", room="salon", seq=first)
    second = bob.ask("send", room="salon", text="I do", thread=first)["seq"]
    bob.ask("send", room="salon", text="of apples", thread=first)
    ann.event("message", room="salon", seq=second + 1)
    for client in (ann, there):
        [row] = client.ask("threads", room="salon")["items"]
        assert (row["thread"], row["read"], row["unread"], row["text"]) == (first, first, 2, "who brings the cake?"), row
        page = client.ask("thread", room="salon", thread=first)
        assert [item["seq"] for item in page["items"]] == [first, second, second + 1] and page["unread"] == 2, page
    ann.ask("ack", room="salon", thread=first, read=second)
    assert there.event("thread", room="salon", thread=first)["read"] == second
    assert there.ask("threads", room="salon")["items"][0]["unread"] == 1
    there.ask("unfollow", room="salon", thread=first)
    assert ann.event("thread", room="salon", thread=first, following=False)
    assert ann.ask("threads", room="salon")["items"] == []
    rooms = Client(other, "ann").ask("rooms")["rooms"]
    assert [row.get("in_threads") for row in rooms if row["room"] == "salon"] == [2], rooms
    # Who leaves follows nothing there, at either node.
    bob.ask("leave", room="salon")
    bob.ask("join", room="salon")
    there, deadline = Client(one, "bob"), time.monotonic() + PATIENCE
    # The other node hears of it a moment later.
    while (threads := there.request("threads", room="salon"))["code"] == 3003:
        assert time.monotonic() < deadline, threads
        time.sleep(0.02)
    assert threads["data"]["items"] == [], threads


def named(one, other):
    """A room gets other names at either node: all are told, those of before lead on, and none is that of two rooms."""
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("create", room="den"), bob.ask("create", room="hut"), bob.ask("join", room="den")
    session = bob.welcome["session"]
    seq = ann.ask("rename", room="den", name="lair")["seq"]
    assert bob.event("renamed", room="den")["name"] == "lair"
    assert bob.event("rename", room="lair")["seq"] == seq
    assert bob.ask("send", room="den", text="by the name of before")["seq"] == seq + 1
    ann.event("message", room="lair", text="by the name of before")
    taken = [bob.request("rename", room="hut", name=name)["code"] for name in ("lair", "den")]
    assert taken == [3002, 3002], taken
    # At once, at both nodes.
    for client, room in ((ann, "lair"), (bob, "hut")):
        client.number += 1
        line = {"op": "rename", "id": client.number, "room": room, "name": "cave"}
        client.socket.sendall((json.dumps(line) + "\n").encode())
    codes = [next(said["code"] for said in iter(client.read, None) if "code" in said) for client in (ann, bob)]
    assert sorted(codes) == [0, 3002], codes
    # Who was away, and comes to the other node with the name of before.
    bob.socket.close()
    bob = Client(one, "bob", resume={"session": session, "rooms": {}})
    assert bob.welcome["resumed"], bob.welcome
    present = "cave" if codes[0] == 0 else "lair"
    assert bob.ask("join", room="den")["room"] == present
    row = next(row for row in bob.ask("rooms")["rooms"] if row["room"] == present)
    assert row["former"] == (["den", "lair"] if codes[0] == 0 else ["den"]), row


def closed(one, other):
    """A room that its owner closes ends at both nodes, and for who was away; its name is free at once."""
    ann, bob, cleo = Client(one, "ann"), Client(other, "bob"), Client(other, "cleo")
    ann.ask("create", room="barn")
    for client in (cleo, bob):
        client.ask("join", room="barn")
    cleo.socket.close()
    # By then it is known at ann's node who is in there.
    bob.ask("send", room="barn", text="all here")
    ann.event("message", room="barn", text="all here")
    asked = ann.request("close", room="barn")
    assert (asked["code"], asked["data"]["members"]) == (3004, 3), asked
    ann.ask("close", room="barn", sure=True, reason="we move")
    gone = bob.event("gone", room="barn")
    assert (gone["from"], gone["reason"]) == ("ann", "we move"), gone
    assert bob.event("left", room="barn")["reason"] == "closed"
    assert all(row["room"] != "barn" for row in Client(one, "cleo").ask("rooms")["rooms"])
    assert bob.ask("create", room="barn")["seq"] == 0
    bob.ask("close", room="barn", sure=True)


def cells(engine, condition, but=""):
    """Of how many cells of all tables, but for one, this is true."""
    columns = engine.sql("SELECT table_name || ' ' || column_name FROM information_schema.columns WHERE table_schema = 'chinwag'")
    pairs = [line.split() for line in columns.split("\n") if line.split()[0] != but]
    assert len(pairs) > 50, pairs
    counts = " + ".join(f"(SELECT count(*) FROM chinwag.{table} WHERE \"{column}\"::text {condition})" for table, column in pairs)
    return int(engine.sql(f"SELECT {counts}"))


def erased(engine, one, other):
    """Who is erased while nodes run is gone, and has said nothing, at either node."""
    mel, ann, bob = Client(one, "mel"), Client(one, "ann"), Client(other, "bob")
    mel.ask("create", room="parlour", topic="the marker's")
    for client in (ann, bob):
        client.ask("join", room="parlour")
    seq = mel.ask("send", room="parlour", text="a marker", data={"a": "marker"}, cid="marker")["seq"]
    for client in (ann, bob):
        client.event("message", room="parlour", seq=seq)
    mel.ask("send", to="ann", text="a marker for ann")
    ann.hear("a marker for ann")
    subscribe(mel, "https://push.example/marker")
    has_marker = "LIKE '%marker%'"
    assert cells(engine, has_marker) > 4
    done = subprocess.run([CHINWAG, "erase-user", "mel", engine.address(), "--yes"], capture_output=True, text=True,
                          timeout=120, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0 and "2 messages" in done.stdout and "ann is the owner of parlour" in done.stdout, done
    # Whose name it was may stay taken.
    assert cells(engine, has_marker) == cells(engine, "= 'mel'", but="people") == 0
    assert mel.event("bye")["close"] == 4010
    for client in (ann, bob):
        client.event("joined", room="parlour")
        [item] = [item for item in client.ask("history", room="parlour")["items"] if item["seq"] == seq]
        assert "text" not in item and item["from"].startswith("erased-"), item
        assert client.ask("search", text="marker")["items"] == []
    rooms = [row["room"] for row in Client(other, "ann").ask("rooms")["rooms"]]
    assert "@ann:mel" not in rooms and any(room.startswith("@ann:erased-") for room in rooms), rooms
    again = subprocess.run([CHINWAG, "erase-user", "mel", engine.address(), "--yes"], capture_output=True, text=True,
                           timeout=120, env={"PATH": os.environ["PATH"]})
    assert again.returncode == 1 and "has nothing of mel" in again.stderr, again


def resumed(one, other):
    ann = Client(one, "ann")
    joined = ann.ask("join", room="lobby")
    session, epoch, seq = ann.welcome["session"], joined["epoch"], joined["seq"]
    ann.socket.close()
    Client(one, "bob").ask("send", room="lobby", text="while you were out")
    ann = Client(other, "ann", resume={"session": session, "rooms": {"lobby": [epoch, seq]}})
    said = ann.welcome["rooms"]["lobby"]
    assert ann.welcome["resumed"], ann.welcome
    assert said["from"] == seq + 1 and not said.get("gap"), said


def moved(one, other):
    """A session goes on at another node while it is live at the first: it is replaced there, and nothing is said twice."""
    ann = Client(one, "ann")
    joined = ann.ask("join", room="lobby")
    session, epoch, seq = ann.welcome["session"], joined["epoch"], joined["seq"]
    bob = Client(other, "bob")
    bob.ask("send", room="lobby", text="before the move")
    ann.event("message", text="before the move", seq=seq + 1)
    ann.ask("send", room="lobby", text="answered", cid="moved-1")
    # It returns as one that has missed the answer.
    again = Client(other, "ann", resume={"session": session, "rooms": {"lobby": [epoch, seq]}})
    missed = again.welcome["rooms"]["lobby"]
    # How much of it the other node knows by then is its own affair: the rest comes by itself.
    assert again.welcome["resumed"] and missed["from"] == seq + 1 and missed["to"] <= seq + 2, again.welcome
    assert ann.event("bye")["close"] == 4010
    sent = again.ask("send", room="lobby", text="answered", cid="moved-1")
    assert sent.get("dup") and sent["seq"] == seq + 2, sent
    last = bob.ask("send", room="lobby", text="the last")["seq"]
    heard = []
    while last not in heard:
        again.events or again.read()
        for event in again.events:
            heard += [item["seq"] for item in event.get("items", [event]) if "text" in item]
        again.events.clear()
    assert heard == [seq + 1, seq + 2, last], heard
    # The secret is spent, at both nodes.
    for node in (one, other):
        assert not Client(node, "ann", resume={"session": session, "rooms": {}}).welcome["resumed"]


def guests(folder, engine):
    """A guest's name has one owner at all nodes, who takes it along, also from a node that was killed."""
    settings = {"auth": "accounts", "accounts_guests": "true"}
    one, other = (Node(folder, name, engine, **settings).await_ready() for name in ("five", "six"))
    zed = Client(one, "zed")
    assert zed.welcome["user"] == "guest-zed", zed.welcome
    epoch, seq = (zed.ask("join", room="lobby")[field] for field in ("epoch", "seq"))
    assert Client(other).request("hello", name="zed")["code"] == 2005
    one.end("kill")
    session, cid = zed.welcome["session"], "guest-1"
    assert Client(other).request("hello", name="zed")["code"] == 2005
    zed = Client(other)
    zed.welcome = zed.ask("hello", resume={"session": session, "rooms": {"lobby": [epoch, seq]}})
    assert (zed.welcome["user"], zed.welcome["resumed"]) == ("guest-zed", True), zed.welcome
    sent = zed.ask("send", room="lobby", text="still me", cid=cid)
    assert sent["seq"] == seq + 1, sent
    one.start()
    one.await_ready()
    assert Client(one).request("hello", name="zed")["code"] == 2005
    again = Client(one)
    again.welcome = again.ask("hello", resume={"session": zed.welcome["session"], "rooms": {}})
    assert (again.welcome["user"], again.welcome["resumed"]) == ("guest-zed", True), again.welcome
    assert zed.event("bye")["close"] == 4010
    assert again.ask("send", room="lobby", text="still me", cid=cid)["seq"] == seq + 1
    assert one.end() == 0 and other.end() == 0


def registry(one, other):
    status, told = one.get("/api/v1/nodes")
    names = sorted(node["name"] for node in told["nodes"])
    assert status == 200 and names == ["one", "two"], told
    assert told["engine"]["state"] == "up" and told["engine"]["level"] == "disk", told
    said = subprocess.run([CHINWAG, "nodes", one.settings["ENGINE"]], capture_output=True, text=True, timeout=PATIENCE,
                          env={"PATH": os.environ["PATH"]})
    assert said.returncode == 0 and "one.example" in said.stdout and "two.example" in said.stdout, said


def killed(one, other):
    """A node that is killed loses nothing, and its people come back at the other one."""
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    sent = bob.ask("send", room="lobby", text="last words", cid="last")
    seq = sent["seq"]
    other.end("kill")
    ann.event("message", text="last words", seq=seq)
    bob = Client(one, "bob", resume={"session": bob.welcome["session"], "rooms": {}})
    assert bob.welcome["resumed"], bob.welcome
    # As one that has missed the answer.
    assert bob.ask("send", room="lobby", text="last words", cid="last")["seq"] == seq
    again = bob.ask("send", room="lobby", text="back")
    assert again["seq"] == seq + 1, again
    other.start()
    other.await_ready()
    page = Client(other, "bob").ask("history", room="lobby")["items"]
    assert page[-1]["text"] == "back" and page[-1]["seq"] == seq + 1, page[-1]


def away(engine, one, other):
    """While the engine is away, what cannot be written is refused at once, and then all goes on by itself."""
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    before = ann.ask("send", room="lobby", text="before")
    engine.stop("immediate")
    deadline = time.monotonic() + PATIENCE
    while one.get("/api/v1/nodes")[1]["engine"]["state"] != "down" and time.monotonic() < deadline:
        time.sleep(0.02)
    begin = time.monotonic()
    refused = ann.request("send", room="lobby", text="meanwhile", cid="m1")
    took = time.monotonic() - begin
    lives = one.get("/healthz")[0]
    engine.start()
    assert refused["code"] == 5004 and refused["data"]["retry_after_ms"] > 0, refused
    # What waits for the engine waits for 5 s.
    assert took < 4, f"a refusal took {took:.3f} s"
    assert lives == 200
    one.await_ready(), other.await_ready()
    sent = ann.ask("send", room="lobby", text="meanwhile", cid="m1")
    assert sent["seq"] == before["seq"] + 1, (before, sent)
    bob.event("message", text="meanwhile", seq=sent["seq"])


def paused(one, other):
    """A node that is stopped for longer than an answer may take keeps its engine and its people."""
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    losses = one.get("/api/v1/nodes")[1]["engine"]["losses"]
    for number in range(3):
        # Both connections to the engine owe something when it is stopped.
        text = f"pause {number}"
        ann.socket.sendall((json.dumps({"op": "send", "room": "lobby", "text": text, "cid": text}) + "\n").encode())
        bob.ask("send", room="lobby", text=f"from the other {number}")
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        one.process.send_signal(signal.SIGCONT)
        bob.hear(text)
        ann.hear(f"from the other {number}")
    assert one.get("/api/v1/nodes")[1]["engine"]["losses"] == losses


def full(engine, one):
    """Whoever is refused finds why in /readyz at once, and whoever is not finds that, too."""
    ann = Client(one, "ann")
    ann.ask("join", room="lobby")
    engine.sql("CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS "
               "$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$",
               "CREATE TRIGGER no_room BEFORE INSERT ON chinwag.record FOR EACH ROW EXECUTE FUNCTION public.no_room()")
    try:
        reply = ann.request("send", room="lobby", text="it is full", cid="full")
        status, said = one.get("/readyz")
    finally:
        engine.sql("DROP FUNCTION public.no_room CASCADE")
    assert reply["code"] == 5005, reply
    assert status == 503 and "takes no records" in said, (status, said)
    ann.ask("send", room="lobby", text="it is full", cid="full")
    assert one.get("/readyz")[0] == 200


def early(folder, engine):
    """A node whose engine is away lets nobody in, and says why."""
    engine.stop("immediate")
    node = Node(folder, "early", engine)
    status, said = node.get("/readyz")
    page = node.get("/", node.http)[0]
    try:
        welcome = Client(node, "ann").welcome
    except (EOFError, ConnectionError):
        welcome = None
    engine.start()
    assert status == 503 and "shared log" in said, said
    assert page == 503 and welcome is None, (page, welcome)
    node.await_ready()
    Client(node, "ann").ask("join", room="lobby")
    assert node.end() == 0


def accounts(folder, engine):
    settings = {"auth": "accounts", "accounts_registration": "open"}
    one, other = (Node(folder, name, engine, **settings).await_ready() for name in ("three", "four"))
    eve = Client(one)
    eve.ask("register", name="eve", password="a long enough one")
    # The other node is told of it a moment later.
    deadline = time.monotonic() + PATIENCE
    while (said := Client(other).request("login", name="eve", password="a long enough one"))["code"] != 0:
        assert time.monotonic() < deadline, said
    assert Client(other).request("login", name="eve", password="a wrong one")["code"] != 0
    assert Client(other).request("register", name="eve", password="a long enough one")["code"] != 0
    assert one.end() == 0 and other.end() == 0


def at_once(folder, engine):
    """Two nodes that start together where nobody has been, and people who come to both at once."""
    fresh = types.SimpleNamespace(address=lambda: engine.address(database="fresh"))
    engine.sql("CREATE DATABASE fresh", database="postgres")
    subprocess.run([CHINWAG, "cluster", "init", fresh.address()], check=True, capture_output=True)

    def come(node, name):
        client = Client(node, name)
        client.ask("join", room="new")
        return client

    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda name: Node(folder, name, fresh).await_ready(), ("seven", "eight")))
        people = list(pool.map(come, both, ("ann", "bob")))
        sent = list(pool.map(lambda client: client.ask("send", room="new", text="first")["seq"], people))
        told = list(pool.map(lambda client, to: client.ask("send", to=to, text="psst")["seq"], people, ("bob", "ann")))
    assert abs(sent[0] - sent[1]) == 1 and sorted(told) == [1, 2], (sent, told)
    one, other = ([(item["seq"], item["ev"], item.get("text")) for item in client.ask("history", room="new")["items"]]
                  for client in people)
    assert one == other and [seq for seq, _, _ in one] == list(range(1, len(one) + 1)), (one, other)
    assert [node.end() for node in both] == [0, 0]


def stopped(one, other):
    for node in one, other:
        begin = time.monotonic()
        assert node.end() == 0
        # What it waits for in vain it waits for 5 s.
        assert time.monotonic() - begin < 4.5
    # Somebody who does not go when told to does not hold up that the node takes its leave.
    one.start(), other.start()
    one.await_ready(), other.await_ready()
    stays = Client(one, "stays")
    # By its number: one that was killed before may be listed, too.
    own = next(node["id"] for node in one.get("/api/v1/nodes")[1]["nodes"] if node["own"])
    assert one.end() == 0 and stays
    begin = time.monotonic()
    while own in map(operator.itemgetter("id"), nodes := other.get("/api/v1/nodes")[1]["nodes"]):
        # It would be thought to be gone after ten seconds.
        assert time.monotonic() - begin < 4, nodes
        time.sleep(0.1)
    assert other.end() == 0


def engine_with_schema(folder, *settings):
    engine = Engine(folder, "engine", *settings, auth="scram-sha-256")
    # The engine may listen a moment before it lets anybody in.
    deadline = time.monotonic() + 20
    while (made := subprocess.run([CHINWAG, "cluster", "init", engine.address()], capture_output=True, text=True)).returncode:
        assert time.monotonic() < deadline, made.stdout + made.stderr
    return engine


def without_panics(folder):
    for log in folder.glob("*/log"):
        if log.is_file() and "panicked" in log.read_text(encoding="utf-8", errors="replace"):
            raise SystemExit(f"a panic in {log}")


def main(folder):
    engine = engine_with_schema(folder)
    settings = {"timeouts_leave_grace": "300ms", "webhooks_hosts": "127.0.0.1", "webhooks_timeout": "1s",
                "push_hosts": "127.0.0.1"}
    one, other = (Node(folder, name, engine, **settings).await_ready() for name in ("one", "two"))
    check("what is said at one node is heard at the other, in one order", records, one, other)
    check("a message that is repeated at another node is there once", repeated, one, other)
    check("many at both nodes at once see one order without a hole", order, one, other)
    check("edits and deletions are seen at the other node", edits, one, other)
    check("people at the other node are online", presence, one, other)
    check("typing is seen at the other node", typing, one, other)
    check("a direct message reaches a user at the other node", direct, one, other)
    check("who is banned at one node is out at the other", kick, one, other)
    check("what is said at one node is found by its words at the other", searched, engine, one, other)
    check("what a user has written is given out at either node", exported, one, other)
    check("a thread is followed and read at one node as at the other", threaded, one, other)
    check("a room gets other names at both nodes, and all of them lead to it", named, one, other)
    check("a room that is closed at one node ends at both", closed, one, other)
    check("a session goes on at the other node without a gap", resumed, one, other)
    check("a session that is live at one node is replaced there when it goes on at the other", moved, one, other)
    check("who is erased is gone and has said nothing at either node", erased, engine, one, other)
    check("the nodes are listed", registry, one, other)
    check("a node that is killed loses nothing", killed, one, other)
    check("while the engine is away sends are refused at once, and then go on", away, engine, one, other)
    check("a node that was stopped for some seconds keeps its engine", paused, one, other)
    check("whoever the engine refuses finds why in /readyz at once, and the end of it, too", full, engine, one)
    check("a webhook is told all of both nodes once and in order, though the one that sends is killed", told, engine, (one, other))
    check("a device is told by one node, unless its user is active or has read at another; a kill loses nothing", pushed, engine, (one, other))
    check("nodes stop in good order", stopped, one, other)
    check("a node that does not reach its engine lets nobody in and says why", early, folder, engine)
    check("a guest's name has one owner at all nodes, who takes it along", guests, folder, engine)
    check("two nodes that start at the same moment share one chat", at_once, folder, engine)
    check("an account that was made at one node is known at the other", accounts, folder, engine)
    without_panics(folder)
    engine.stop()


def run(test):
    """Gives a test a folder for itself, and ends the program with what came of it."""
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        if ACCOUNT:
            os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
            scratch.chmod(0o755)
        test(scratch)
    finally:
        code = result()
        if code and "KEEP" in os.environ:
            print(scratch)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    run(main)
