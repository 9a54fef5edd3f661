"""What a shared log costs: the aims of a cluster, each a ratio or a time, measured on a PostgreSQL of its own.

    scripts/bench cluster [ROUNDS] [only=NAME,…] [records=N] [rooms=N]

A ratio is of two things that take turns in one run, `rounds` times; what is printed is the median of its rounds, with the
least and the most. CPU is what the kernel has counted for the session's process. With records=N the database has so many
records when rooms are opened and the inbox is read, 2,000,000 if nothing else is said; with rooms=N, an idle node holds so
many, 10,000 if nothing else is said.
"""

import contextlib
import json
import os
import pathlib
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import psycopg

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster.d"))
from drivers import APPEND, INSERT, SENDERS, TEXT, Batches, Driver, connect, cpu, one_by_one, pipelined, several  # noqa: E402
from engines import ACCOUNT, Engine, free_port  # noqa: E402

CHINWAG = sys.argv[1]
PATIENCE = 60
rows = []


def report(what, aim, values, unit="×", is_met=None):
    """A line of the table. `is_met` says whether the median is what was aimed at."""
    middle = statistics.median(values)
    rows.append((what, aim, f"{middle:.2f} {unit}", f"{min(values):.2f} – {max(values):.2f}", "yes" if is_met(middle) else "no"))
    print(f"   {what}: {middle:.2f} {unit} ({min(values):.2f} – {max(values):.2f}), aim {aim}", flush=True)


def of_primary(engine, rounds):
    """The primary's CPU per record, against a bare insert of the same arrays into the same kind of table."""
    with connect(engine, autocommit=True) as connection:
        for size, aim in [(1, 2), (8, 2), (64, 3)]:
            both = [(Driver(engine, APPEND), APPEND, Batches(connection, "ours", size, 8).next_append),
                    (Driver(engine, INSERT), INSERT, Batches(connection, "bare", size, 8).next_insert)]
            ratios, costs = [], []
            for turn in range(rounds + 1):
                count = max(64, 768 // size)
                spent = []
                for driver, statement, batch in both:
                    todo = [batch() for _ in range(count)]
                    before = cpu(driver.pid)
                    for params in todo:
                        # All of a batch are stored, by the short way.
                        assert driver.ask(statement, params) is None
                    spent.append((cpu(driver.pid) - before) / (count * size))
                # The first round makes the plans.
                if turn:
                    ratios.append(spent[0] / spent[1])
                    costs.append(spent[0] * 1e6)
            for driver, _, _ in both:
                driver.end()
            report(f"primary's CPU per record, batches of {size} ({statistics.median(costs):.0f} µs)", f"≤ {aim} ×", ratios,
                   is_met=lambda it, aim=aim: it <= aim)


class Node:
    """A server that shares its log."""

    def __init__(self, folder, name, engine, **more):
        self.name = name
        env = {"CHINWAG_CLUSTER_ENGINE": engine.address(), "CHINWAG_CLUSTER_LEVEL": "disk", "CHINWAG_CLUSTER_NAME": name,
               **more}
        listeners = [word for kind in ["listen", "tcp", "admin"] for word in (f"--{kind}", "127.0.0.1:0")]
        config = HERE.parents[1] / "benches" / "load.toml"
        self.log = open(folder / f"{name}.log", "w", encoding="utf-8")
        self.process = subprocess.Popen([CHINWAG, "serve", "--config", str(config), *listeners, "--data", str(folder / name)],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True, env=env)
        said = [self.process.stdout.readline() for _ in range(3)]
        if not all(said):
            raise SystemExit((folder / f"{name}.log").read_text())
        self.http, self.tcp, self.admin = (line.split("://")[1].split()[0] for line in said)
        deadline = time.monotonic() + PATIENCE
        while self.status("/readyz") != 200:
            assert time.monotonic() < deadline, "the node is not ready"
            time.sleep(0.02)

    def status(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


@contextlib.contextmanager
def nodes(folder, engine, count=1, **more):
    made = []
    try:
        for number in range(count):
            made.append(Node(folder, f"n{time.monotonic_ns()}-{number}", engine, **more))
        yield made
    finally:
        for node in made:
            node.end()


class Client:
    """Somebody at a node, by plain lines of JSON."""

    def __init__(self, node, name):
        host, port = node.tcp.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.number = b"", 0
        self.ask("hello", name=name)

    def send(self, op, **fields):
        self.number += 1
        self.socket.sendall((json.dumps({"op": op, "id": self.number, **fields}) + "\n").encode())
        return self.number

    def line(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError("the connection has ended")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def reply(self, number):
        while True:
            said = self.line()
            if said.get("id") == number and "code" in said:
                return said

    def ask(self, op, **fields):
        reply = self.reply(self.send(op, **fields))
        assert reply["code"] == 0, f"{op} {fields}: {reply}"
        return reply["data"]


class Load:
    """Senders that each keep so many messages without an answer."""

    def __init__(self, clients, rooms, window):
        self.clients, self.window, self.serial = clients, window, 0
        self.selector = selectors.DefaultSelector()
        for client, room in zip(clients, rooms):
            client.ask("join", room=room)
            client.line_end = f',"room":"{room}","text":"{TEXT}","cid":"'
            client.socket.setblocking(False)
            self.selector.register(client.socket, selectors.EVENT_READ, client)

    def say(self, client, count):
        lines = []
        for _ in range(count):
            self.serial += 1
            client.number += 1
            lines.append(f'{{"op":"send","id":{client.number}{client.line_end}{self.serial}"}}\n')
        data = "".join(lines).encode()
        assert client.socket.send(data) == len(data), "the node does not read what is sent"

    def run(self, seconds):
        """Acknowledged sends a second."""
        for client in self.clients:
            self.say(client, self.window)
        done, owed = 0, self.window * len(self.clients)
        begin = time.monotonic()
        end = begin + seconds
        while owed:
            for key, _ in self.selector.select(PATIENCE):
                client = key.data
                whole, _, client.buffer = (client.buffer + client.socket.recv(1 << 18)).rpartition(b"\n")
                acknowledged = whole.count(b'"code":')
                if acknowledged != whole.count(b'"code":0,'):
                    raise SystemExit(f"a send was refused: {whole[:300]}")
                owed -= acknowledged
                if acknowledged and time.monotonic() < end:
                    done += acknowledged
                    self.say(client, acknowledged)
                    owed += acknowledged
        return done / seconds


def of_throughput(folder, engine, rounds):
    """A node's acknowledged sends a second, against drivers without a chat."""
    seconds = 2
    with nodes(folder, engine) as (node,), connect(engine, autocommit=True) as session:
        rooms = [f"own{number}" for number in range(SENDERS)]
        many = Load([Client(node, f"s{number}") for number in range(SENDERS)], rooms, 16)
        few = Load([Client(node, f"t{number}") for number in range(SENDERS)], rooms, 1)
        ratios, plain, before = [], [], appends(engine)
        for turn in range(rounds + 1):
            ours, many_batches, before = with_batches(engine, node, many, seconds, before)
            lone, few_batches, before = with_batches(engine, node, few, seconds, before)
            raw = pipelined(engine, Batches(session, "raw", *many_batches), seconds)
            raw_lone = pipelined(engine, Batches(session, "raw", *few_batches), seconds)
            single = one_by_one(engine, seconds)
            before = appends(engine)
            if turn:
                ratios.append(ours / raw)
                plain.append(lone / single)
                print(f"   window 16: node {ours:.0f}/s, raw {raw:.0f}/s in batches of {many_batches}; window 1: node {lone:.0f}/s, "
                      f"raw {raw_lone:.0f}/s in batches of {few_batches}, plain {single:.0f}/s", flush=True)
        report("acknowledged sends a second against a raw pipelined driver", "≥ 0.8 ×", ratios, is_met=lambda it: it >= 0.8)
        report("against one insert a transaction, 64 senders", "≥ 10 ×", plain, is_met=lambda it: it >= 10)


def with_batches(engine, node, load, seconds, before):
    """Acknowledged sends a second, the batches that a node made of them (drafts, and rooms), and what was appended so far."""
    spent = cpu(node.process.pid)
    per_s = load.run(seconds)
    spent = cpu(node.process.pid) - spent
    after = appends(engine)
    calls, drafts, rooms, primary = (now - then for now, then in zip(after, before))
    print(f"   {per_s:.0f}/s: {spent / drafts * 1e6:.1f} µs of the node a send, {primary / drafts * 1e6:.1f} µs of the primary, "
          f"{calls / seconds:.0f} batches a second", flush=True)
    return per_s, (max(1, round(drafts / calls)), max(1, round(rooms / calls))), after


def appends(engine):
    """Batches that were appended so far, their drafts and rooms; and the CPU of all the engine's sessions that are nodes'."""
    # What a session has counted is told with the first transaction that ends a second later: a beat.
    time.sleep(3.2)
    with psycopg.connect(engine.address(), autocommit=True) as connection:
        counts = connection.execute(
            "SELECT (SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_user_functions WHERE funcname = 'append_1'), "
            "(SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'chinwag.record'::regclass), "
            "(SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'chinwag.room'::regclass)").fetchone()
        pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'chinwag'").fetchall()
    return *counts, sum(cpu(pid) for (pid,) in pids)


def of_arrival(folder, engine, rounds, bus=None):
    """When another node's member has a record, against when its sender has the answer."""
    with nodes(folder, engine, 2, **({"CHINWAG_CLUSTER_BUS": bus} if bus else {})) as (one, other):
        ann, bob = Client(one, "ann"), Client(other, "bob")
        ann.ask("join", room="both"), bob.ask("join", room="both")
        time.sleep(3)
        ratios = []
        for turn in range(rounds + 1):
            answers, arrivals = [], []
            for number in range(50):
                text = f"{turn}.{number}"
                begin = time.monotonic()
                sent = ann.send("send", room="both", text=text)
                seen, answered = None, None
                selector = selectors.DefaultSelector()
                for client in (ann, bob):
                    selector.register(client.socket, selectors.EVENT_READ, client)
                while seen is None or answered is None:
                    for key, _ in selector.select(PATIENCE):
                        now = time.monotonic() - begin
                        client = key.data
                        said = client.line()
                        if client is ann and said.get("id") == sent and "code" in said:
                            answered = now
                        if client is bob and said.get("text") == text:
                            seen = now
                        while b"\n" in client.buffer:
                            said = client.line()
                            if client is ann and said.get("id") == sent and "code" in said:
                                answered = now
                            if client is bob and said.get("text") == text:
                                seen = now
                selector.close()
                answers.append(answered), arrivals.append(seen)
                time.sleep(0.01)
            if turn:
                ratios.append(statistics.median(arrivals) / statistics.median(answers))
        how = "with a bus" if bus else "by NOTIFY"
        print(f"   answered after {statistics.median(answers) * 1e3:.2f} ms at last", flush=True)
        report(f"another node has the record, against the answer, p50 ({how})", "≤ 1.25 ×", ratios, is_met=lambda it: it <= 1.25)


def of_hot_room(folder, engine, rounds):
    """Three nodes that append to one room, against three rooms."""
    with nodes(folder, engine, 3) as three:
        hot = Load([Client(node, f"h{number}") for number, node in enumerate(three)], ["hot"] * 3, 64)
        apart = Load([Client(node, f"d{number}") for number, node in enumerate(three)], ["a1", "a2", "a3"], 64)
        ratios = []
        for turn in range(rounds + 1):
            disjoint, same = apart.run(2), hot.run(2)
            if turn:
                ratios.append(same / disjoint)
        report("one hot room over three nodes against disjoint rooms, window 64", "≥ 0.8 ×", ratios, is_met=lambda it: it >= 0.8)


def of_wake_ups(engine, rounds):
    """Ten that append, and tell the others which rooms have grown, against ten that do not tell."""
    with connect(engine, autocommit=True) as connection:
        batches = [Batches(connection, f"ten{place}", 64, 8) for place in range(10)]
        ratios = []
        for turn in range(rounds + 1):
            without, with_them = several(engine, batches, 2, False), several(engine, batches, 2, True)
            if turn:
                ratios.append(with_them / without)
                print(f"   with wake-ups {with_them:.0f}/s, without {without:.0f}/s", flush=True)
        report("ten that append, with wake-ups against without", "≥ 0.8 ×", ratios, is_met=lambda it: it >= 0.8)


class Listeners:
    """Members of a room who read what comes."""

    def __init__(self, node, room, count):
        self.selector, self.seen = selectors.DefaultSelector(), 0
        for number in range(count):
            client = Client(node, f"listener{number}")
            client.ask("join", room=room)
            client.socket.setblocking(False)
            self.selector.register(client.socket, selectors.EVENT_READ, client)

    def read(self, seconds):
        ready = self.selector.select(seconds)
        for key, _ in ready:
            self.seen += key.data.socket.recv(1 << 18).count(b'"ev":"message"')
        return ready


def of_delivery(folder, engine, rounds):
    """A node's CPU for a delivery of a record that another node has written, against one that it has written itself."""
    members, messages, ratios = 100, 3_000, []
    with nodes(folder, engine, 2) as (one, other):
        listeners = Listeners(other, "hall", members)
        senders = {"own": Client(other, "own"), "others": Client(one, "others")}
        for sender in senders.values():
            sender.ask("join", room="hall")
            sender.socket.setblocking(False)
        time.sleep(3)
        for turn in range(rounds + 1):
            spent = {}
            for whose, sender in senders.items():
                while listeners.read(0.5):
                    pass
                listeners.seen, sent, before = 0, 0, cpu(other.process.pid)
                deadline = time.monotonic() + PATIENCE
                while listeners.seen < members * messages:
                    assert time.monotonic() < deadline, f"{listeners.seen} were delivered"
                    # Eight messages are on the way.
                    while sent < messages and sent * members < listeners.seen + 8 * members:
                        sent += 1
                        sender.send("send", room="hall", text=TEXT, cid=f"{whose}{turn}.{sent}")
                    listeners.read(0.01)
                    with contextlib.suppress(BlockingIOError):
                        sender.socket.recv(1 << 18)
                spent[whose] = (cpu(other.process.pid) - before) / listeners.seen
            if turn:
                ratios.append(spent["others"] / spent["own"])
                print(f"   of another's {spent['others'] * 1e6:.2f} µs, of its own {spent['own'] * 1e6:.2f} µs", flush=True)
    report(f"the node's CPU for a delivery of another's record, against one of its own, {members} members", "≤ 1.15 ×", ratios,
           is_met=lambda it: it <= 1.15)


def of_idling(folder, engine, rounds, count):
    """A node that holds many rooms in which nothing happens."""
    with nodes(folder, engine) as (node,):
        clients = [Client(node, f"idle{number}") for number in range(100)]
        for number in range(count // len(clients)):
            for place, client in enumerate(clients):
                client.asked = client.send("join", room=f"idle{place}-{number}")
            for client in clients:
                assert client.reply(client.asked)["code"] == 0
        parts = []
        time.sleep(2)
        for _ in range(rounds):
            before, begin = cpu(node.process.pid), time.monotonic()
            time.sleep(4)
            parts.append(100 * (cpu(node.process.pid) - before) / (time.monotonic() - begin))
        report(f"a node that holds {count} rooms idle, of a core", "≤ 1 %", parts, "%", is_met=lambda it: it <= 1)


def of_circuit(folder, engine, rounds):
    """The engine is killed, and started again."""
    refusals, returns = [], []
    with nodes(folder, engine) as (node,):
        ann = Client(node, "cut")
        ann.ask("join", room="cut")
        for turn in range(rounds):
            engine.stop("immediate")
            deadline = time.monotonic() + PATIENCE
            while True:
                begin = time.monotonic()
                reply = ann.reply(ann.send("send", room="cut", text="x", cid=f"{turn}"))
                took = time.monotonic() - begin
                if reply["code"] == 5004 and took < 0.25:
                    break
                assert time.monotonic() < deadline, reply
            for _ in range(20):
                begin = time.monotonic()
                assert ann.reply(ann.send("send", room="cut", text="x", cid=f"{turn}"))["code"] == 5004
                refusals.append((time.monotonic() - begin) * 1_000)
            engine.start()
            back = time.monotonic()
            while ann.reply(ann.send("send", room="cut", text="x", cid=f"{turn}"))["code"] != 0:
                assert time.monotonic() < back + PATIENCE
                time.sleep(0.01)
            returns.append(time.monotonic() - back)
            # A link that was up for a while begins with short pauses.
            time.sleep(5)
    report("5004 while the circuit is open", "< 5 ms", refusals, "ms", is_met=lambda it: it < 5)
    report("first acknowledgement after the engine is back", "≤ 1 s", returns, "s", is_met=lambda it: it <= 1)


def of_reading(folder, engine, rounds, records):
    """A room is opened at a node that does not have it, and an inbox is read."""
    rooms = 200
    with connect(engine) as connection:
        connection.execute("DELETE FROM chinwag.record WHERE room IN (SELECT id FROM chinwag.room WHERE name LIKE 'full%')")
    with nodes(folder, engine) as (node,):
        reader = Client(node, "reader")
        for number in range(rooms):
            reader.ask("join", room=f"full{number}")
    with connect(engine) as connection:
        print(f"   filling {rooms} rooms with {records} records", flush=True)
        connection.execute(
            "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text) "
            "SELECT r.id, r.head + n, 1, 160, 0, 'writer', %s FROM chinwag.room r, generate_series(1, %s) n WHERE r.name LIKE 'full%%'",
            (TEXT, records // rooms))
        connection.execute("UPDATE chinwag.room SET head = head + %s WHERE name LIKE 'full%%'", (records // rooms,))
    with psycopg.connect(engine.address(), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE chinwag.record")
    opens, inboxes = [], []
    for _ in range(rounds):
        with nodes(folder, engine) as (node,):
            visitor = Client(node, "visitor")
            for number in range(10):
                begin = time.monotonic()
                visitor.ask("join", room=f"full{number}")
                opens.append((time.monotonic() - begin) * 1_000)
            reader = Client(node, "reader")
            for number in range(5):
                begin = time.monotonic()
                inbox = reader.ask("rooms")
                took = (time.monotonic() - begin) * 1_000
                # The first one brings the rooms into memory.
                if number:
                    inboxes.append(took)
            assert len(inbox["rooms"]) == rooms, inbox
    report(f"open a room, {records} records in the engine", "≤ 3 ms", opens, "ms", is_met=lambda it: it <= 3)
    report(f"inbox of {rooms} rooms", "≤ 15 ms", inboxes, "ms", is_met=lambda it: it <= 15)


@contextlib.contextmanager
def bus_server(folder):
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    port = free_port()
    process = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
                               stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def main(folder, words):
    options = dict(word.split("=", 1) for word in words if "=" in word)
    rounds = next((int(word) for word in words if word.isdigit()), 5)
    only = options["only"].split(",") if "only" in options else None
    engine = Engine(folder, "engine", "shared_buffers = 256MB", "max_connections = 200", "track_functions = 'pl'", "max_wal_size = 4GB")
    try:
        subprocess.run([CHINWAG, "cluster", "init", engine.address()], check=True, capture_output=True)
        engine.sql("CREATE SCHEMA bare", "CREATE TABLE bare.record (LIKE chinwag.record INCLUDING INDEXES)")
        with bus_server(folder) as bus:
            for name, measure in [
                # First: there is nothing yet that the node has to put into the index of words.
                ("idle", lambda: of_idling(folder, engine, rounds, int(options.get("rooms", 10_000)))),
                ("primary", lambda: of_primary(engine, rounds)),
                ("throughput", lambda: of_throughput(folder, engine, rounds)),
                ("arrival", lambda: of_arrival(folder, engine, rounds)),
                ("bus", lambda: of_arrival(folder, engine, rounds, bus)),
                ("hot", lambda: of_hot_room(folder, engine, rounds)),
                ("wakes", lambda: of_wake_ups(engine, rounds)),
                ("delivery", lambda: of_delivery(folder, engine, rounds)),
                ("circuit", lambda: of_circuit(folder, engine, rounds)),
                ("reading", lambda: of_reading(folder, engine, rounds, int(options.get("records", 2_000_000)))),
            ]:
                if only is None or name in only:
                    print(f"== {name}", flush=True)
                    measure()
    finally:
        engine.stop()
    table = [("what", "aim", "median", "least – most", "met"), *rows]
    for index, row in enumerate(table):
        print("| " + " | ".join(row) + " |")
        if not index:
            print("|" + "---|" * len(row))


if __name__ == "__main__":
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        if ACCOUNT:
            os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
            scratch.chmod(0o755)
        main(scratch, sys.argv[2:])
    finally:
        if "KEEP" in os.environ:
            print(scratch)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
