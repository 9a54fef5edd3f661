"""A single server's database moves into an engine and back: record by record the same, also if the move is killed."""

import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from engines import ACCOUNT, Engine
from people import CHINWAG, PATIENCE, Client, Node, check, result
from pushes import subscribe

SETTINGS = {"auth": "none, accounts", "accounts_registration": "open", "limits_rate_per_s": "off"}
# What must be the same behind both moves, and what each table is compared by. Of `sent` nobody knows any more what was said.
TABLES = {
    "room": "id, name, epoch, head, oldest, at, bytes, private, owned, policy, topic, topic_by",
    "former_name": "name, room, nth",
    "record": "room, seq, at, sender, kind, target, who, number, text, data, cid, reply_to, thread, edited, weight, sum",
    "member": "room, user, role, recv, read, joined",
    "restriction": 'room, user, kind, until, reason, "by", at',
    "sent": "room, sender, cid, seq, at",
    "identity": "name, source, issuer, subject, display, at",
    "account": "name, hash, admin",
    "login": "id, name, hash, agent, at, used",
    "invite": 'hash, uses, until, rooms, "by", admin',
    "program": "name, hash, rooms, can, until, at",
    "block": "user, blocked, at",
    "profile": "user, display, text, until",
    "report": 'id, "by", whom, room, seq, text, reason, at',
    "suspension": "who, until, reason",
    "revocation": "what, at, until",
    "audit": 'at, "by", act, whom, room',
    "lookalike": "kind, form, name",
    "follow": "room, thread, user, read, at, off",
    "push": "id, user, login, endpoint, hex(p256dh), hex(auth), agent, at",
}


def rows(data):
    """All that is in a database, by table."""
    db = sqlite3.connect(f"file:{data}/chinwag.db?mode=ro", uri=True)
    try:
        # An earlier version has not all of them.
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        found = {table: sorted(map(repr, db.execute(f"SELECT {columns} FROM {table}"))) if table in there else []
                 for table, columns in TABLES.items()}
        return {**found, "push key": list(db.execute("SELECT value FROM meta WHERE key = 'push key'"))}
    finally:
        db.close()


def marks_of(node, user):
    """The threads that this user has marks in, how far they are read, and whether they are not wanted."""
    db = sqlite3.connect(f"file:{node.folder}/data/chinwag.db?mode=ro", uri=True)
    try:
        return db.execute("SELECT thread, read, off FROM follow WHERE user = ?", [user]).fetchall()
    finally:
        db.close()


def chinwag(*arguments):
    return subprocess.run([CHINWAG, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={"PATH": os.environ["PATH"]})


def said(code, words, *arguments):
    """A command with this exit code, that says all of these."""
    done = chinwag(*arguments)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {text}"
    assert all(word in text for word in words), f"not {words} in: {text}"
    assert ":right" not in text, f"the password in: {text}"


def live(node):
    """Some of everything that is kept."""
    ann, bob, otto = Client(node, "ann"), Client(node, "bob"), Client(node, "otto")
    otto.ask("create", room="yard", topic="weather", private=True)
    for client in (ann, bob):
        otto.ask("invite", room="yard", user="ann" if client is ann else "bob", reason="come")
        client.ask("join", room="yard")
    otto.ask("role", room="yard", user="ann", role="moderator")
    otto.ask("invite", room="yard", user="zoe")
    otto.ask("ban", room="yard", user="eve", reason="no", for_ms=86_400_000)
    for was, name in (("yard", "ga11ery"), ("ga11ery", "garden")):
        otto.ask("rename", room=was, name=name)
    otto.ask("mute", room="yard", user="bob", reason="ssh")
    ann.ask("join", room="lobby")
    for number in range(1200):
        ann.ask("send", room="lobby", text=f"message {number} \u00e4\u20ac\U0001f600", cid=f"c{number}")
    bob.ask("join", room="lobby")
    first = ann.ask("send", room="lobby", text="with data", data={"a": [1, None]}, cid="d1")["seq"]
    reply = bob.ask("send", room="lobby", text="a reply", reply_to=first, thread=first, cid="d2")["seq"]
    ann.ask("edit", room="lobby", target=first, text="edited")
    bob.ask("react", room="lobby", target=first, emoji="\U0001f44d")
    bob.ask("react", room="lobby", target=first, emoji="\U0001f44d", remove=True)
    gone = bob.ask("send", room="lobby", text="to be gone", cid="d3")["seq"]
    bob.ask("delete", room="lobby", target=gone)
    bob.ask("ack", room="lobby", read=reply, recv=gone)
    # Marks as no record makes them: read further, and not wanted.
    second = ann.ask("send", room="lobby", text="another reply", thread=first)["seq"]
    bob.ask("ack", room="lobby", thread=first, read=second)
    other = ann.ask("send", room="lobby", text="nobody answers")["seq"]
    bob.ask("unfollow", room="lobby", thread=other)
    ann.ask("send", to="bob", text="psst", cid="p1")
    ann.ask("send", to="someone-who-never-came", text="are you there?")
    subscribe(ann, "https://push.example/ann")
    bob.ask("block", user="otto")
    bob.ask("profile", display="Bob \u00c4", text="away", for_ms=86_400_000)
    bob.ask("report", room="lobby", target=first, reason="look")
    eve = Client(node)
    eve.ask("register", name="eva", password="a long enough one")
    # Until the marks are written.
    deadline, marks = time.monotonic() + PATIENCE, {(first, second, 0), (other, other, 1)}
    while not marks <= set(found := marks_of(node, "bob")):
        assert time.monotonic() < deadline, f"{found} in place of {marks}"
        time.sleep(0.05)
    return {"first": first, "gone": gone}


def there_and_back(folder, engine):
    data, back = folder / "alone" / "data", folder / "back"
    alone = Node(folder, "alone", None, **SETTINGS)
    seqs = live(alone)
    said(1, ["stop"], "import", data, engine.address())
    alone.end("kill")
    said(1, ["run chinwag cluster init"], "import", data, engine.address())
    said(0, [], "cluster", "init", engine.address())
    said(0, ["rooms", "records"], "import", data, engine.address())
    before = rows(data)
    assert len(before["record"]) > 1200 and all(before[table] for table in before if table not in
                                                 ("suspension", "revocation", "program", "invite", "lookalike")), \
        {table: len(found) for table, found in before.items()}

    # Neither twice, nor a second life of it.
    said(1, ["has moved to", "postgres://"], "import", data, engine.address())
    done = subprocess.run([CHINWAG, "--data", str(data), "--listen", "127.0.0.1:0", "--tcp", "off", "--admin", "off"],
                          capture_output=True, text=True, timeout=PATIENCE, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 1 and "has moved to postgres://" in done.stderr, done.stderr
    other = Node(folder, "other", None, **SETTINGS)
    Client(other, "ann").ask("join", room="lobby")
    other.end()
    said(1, ["in use already", "nothing was changed"], "import", folder / "other" / "data", engine.address())
    Node(folder, "other", None, **SETTINGS).end()

    said(0, ["rooms", "records"], "import", engine.address(), back)
    after = rows(back)
    for table in before:
        assert before[table] == after[table], f"{table}: {set(before[table]) ^ set(after[table])}"
    said(0, [], "verify", "--data", back)
    said(1, ["exists already"], "import", engine.address(), back)
    # Nobody has said anything there, but somebody is kept out.
    used = folder / "used" / "data"
    Node(folder, "used", None, **SETTINGS).end()
    db = sqlite3.connect(used / "chinwag.db")
    db.execute("INSERT INTO suspension VALUES ('user eve', NULL, 'no')")
    db.commit()
    db.close()
    said(1, ["exists already"], "import", engine.address(), used)
    serves(folder, engine, back, seqs)


def serves(folder, engine, back, seqs):
    """A node on the engine and a server on what came back go on where the first one was."""
    node = Node(folder, "node", engine, **SETTINGS).await_ready()
    again(node, seqs)
    assert node.end() == 0
    shutil.rmtree(folder / "alone" / "data")
    shutil.move(back, folder / "alone" / "data")
    alone = Node(folder, "alone", None, **SETTINGS)
    again(alone, seqs)
    assert alone.end() == 0


def again(node, seqs):
    ann = Client(node, "ann")
    joined = ann.ask("join", room="lobby")
    for cid, text in [("c7", "message 7 \u00e4\u20ac\U0001f600"), ("d1", "with data"), ("c1199", "message 1199 \u00e4\u20ac\U0001f600")]:
        fields = {"data": {"a": [1, None]}} if cid == "d1" else {}
        sent = ann.ask("send", room="lobby", text=text, cid=cid, **fields)
        assert sent.get("dup") and sent["seq"] <= joined["seq"], (node.name, cid, sent)
    gone = Client(node, "bob").ask("send", room="lobby", text="to be gone", cid="d3")
    assert gone.get("dup") and gone["seq"] == seqs["gone"], gone
    item = ann.ask("history", room="lobby", around=seqs["first"], limit=1)["items"][0]
    assert item["text"] == "edited" and item["data"] == {"a": [1, None]}, item
    assert ann.ask("history", room="@ann:bob")["items"][0]["text"] == "psst"
    followed = Client(node, "bob").ask("threads")["items"]
    assert [(row["thread"], row["read"] == row["seq"], row["unread"]) for row in followed] == [(seqs["first"], True, 0)], followed
    assert Client(node, "bob").request("send", room="yard", text="muted?")["code"] == 3006
    # A room that begins now gets a number of its own.
    assert ann.ask("join", room=f"new-{node.name}")["seq"] == 0
    ann.ask("send", room=f"new-{node.name}", text="first")
    assert Client(node).request("login", name="eva", password="a long enough one")["code"] == 0
    assert len(ann.ask("push_subscriptions")["items"]) == 1
    assert "zoe" in str(Client(node, "otto").ask("restrictions", room="yard"))


def killed(folder, engine):
    """A move that is killed, at any moment, is run again, and everything is there once."""
    rng = random.Random(7)
    alone = Node(folder, "lone", None, **SETTINGS)
    ann = Client(alone, "ann")
    ann.ask("join", room="lobby")
    for number in range(3000):
        ann.ask("send", room="lobby", text=f"message {number}", cid=f"c{number}")
    assert alone.end() == 0
    data, back = folder / "lone" / "data", folder / "lone-back"
    # As an earlier version has left it.
    db = sqlite3.connect(data / "chinwag.db")
    db.executescript("DROP TRIGGER former_name_dropped; DROP TABLE former_name; DROP TABLE profile; PRAGMA user_version = 5")
    db.close()
    engine.sql("CREATE DATABASE killed")
    address = engine.address(database="killed")
    said(0, [], "cluster", "init", address)
    kills = 0
    for source, target in [(data, address), (address, back)]:
        # From what no machine does it in to more than any takes, so that some kills come in its midst wherever this runs.
        took = 0.005
        for _ in range(50):
            process = subprocess.Popen([CHINWAG, "import", str(source), str(target)], env={"PATH": os.environ["PATH"]},
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                out, errors = process.communicate(timeout=rng.random() * took)
                # A kill may come when all is written, and nobody has been told.
                assert process.returncode == 0 or "exists already" in errors or "has moved to" in errors, errors
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                took *= 1.2
        else:
            raise TimeoutError("it is never done")
    assert kills > 2, kills
    assert rows(data) == rows(back)


def cut_off(folder, engine):
    """A move that was cut off, and can never be done, leaves the server as it was."""
    alone = Node(folder, "stuck", None, **SETTINGS)
    Client(alone, "ann").ask("join", room="lobby")
    assert alone.end() == 0
    data = folder / "stuck" / "data"
    # What a run leaves that is killed. Meanwhile the engine has what came from elsewhere.
    db = sqlite3.connect(data / "chinwag.db")
    db.execute("INSERT INTO meta VALUES ('moved', ?)", [f"leaving {'a1' * 16} {engine.address('chat', 'killed')}"])
    db.commit()
    db.close()
    said(1, ["in use already"], "import", data, engine.address(database="killed"))
    alone = Node(folder, "stuck", None, **SETTINGS)
    assert Client(alone, "ann").ask("join", room="lobby")["seq"] == 0
    assert alone.end() == 0


def large(folder, engine):
    """Rooms whose members are more than an answer can have, and heavy records, come back."""
    engine.sql("CREATE DATABASE large")
    address, back = engine.address(database="large"), folder / "large-back"
    said(0, [], "cluster", "init", address)
    engine.sql("""
        INSERT INTO chinwag.room (id, name, epoch, head, oldest, at) OVERRIDING SYSTEM VALUE
          SELECT n, 'room' || n, n, CASE n WHEN 1 THEN 700 ELSE 0 END, 1, 1000 FROM generate_series(1, 400) n;
        INSERT INTO chinwag.member (room, name, role, recv, read, joined)
          SELECT r, 'a-rather-long-name-' || n, 1, 0, 0, n FROM generate_series(1, 400) r, generate_series(1, 200) n;
        INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text)
          SELECT 1, n, 1000, 70300, 0, 'ann', repeat('x', 70000) FROM generate_series(1, 700) n;
    """, database="large")
    said(0, ["400 rooms with 700 records"], "import", address, back)
    found = rows(back)
    assert (len(found["member"]), len(found["record"])) == (80_000, 700)


def main(folder):
    engine = Engine(folder, "engine", auth="scram-sha-256")
    deadline = time.monotonic() + 20
    while chinwag("cluster", "check", engine.address()).returncode not in (0, 1) and time.monotonic() < deadline:
        time.sleep(0.1)
    said(1, ["directory"], "import", "here", "there")
    check("everything moves into an engine and back, and is the same", there_and_back, folder, engine)
    check("a move that is killed is run again", killed, folder, engine)
    check("a move that can never be done leaves the server as it was", cut_off, folder, engine)
    check("rooms and records that are more than an answer can have come back", large, folder, engine)
    engine.stop()


scratch = pathlib.Path(tempfile.mkdtemp())
try:
    if ACCOUNT:
        os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        scratch.chmod(0o755)
    main(scratch)
finally:
    shutil.rmtree(scratch, ignore_errors=True)
sys.exit(result())
