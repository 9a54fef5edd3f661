"""PostgreSQL without a chat: batches as a node sends them, and those who append them."""

import contextlib
import pathlib
import select
import selectors
import struct
import threading
import time

import psycopg
from psycopg import pq

SENDERS = 64
TEXT = "x" * 64
SETTINGS = " ".join(f"-c {name}={value}" for name, value in [
    ("plan_cache_mode", "force_generic_plan"), ("jit", "off"), ("enable_seqscan", "off"), ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off")])
APPEND = ("SELECT outcomes, seqs, ats FROM chinwag.append_1($1::bigint[],$2::bigint[],$3::bigint[],$4::bigint[],$5::bigint[],"
          "$6::bigint[],$7::bigint[],$8::text[],$9::text[],$10::text[],$11::text[],$12::bigint[],"
          "NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}','{}','{}','{}','{}',32,1)")
INSERT = ("INSERT INTO bare.record (room, seq, at, weight, kind, sender, text, data, cid) "
          "SELECT ($1::bigint[])[u.slot], u.seq, u.at, u.weight, 0, u.sender, u.text, u.data, u.cid FROM "
          "unnest($2::bigint[],$3::bigint[],$4::bigint[],$5::bigint[],$6::text[],$7::text[],$8::text[],$9::text[]) "
          "AS u(slot, seq, at, weight, sender, text, data, cid)")
# As cluster/link/statements.rs has it.
NOTIFY = ("SELECT pg_notify('chinwag_1', payload) FROM set_config('synchronous_commit', 'off', true), "
          "unnest($1::text[]) AS payload")
# Whoever answers nothing for so long fails: a run that hangs would hold up all that come after it.
ANSWER_S = 60
# How often a node tells the others which rooms have grown (link/bounds.rs).
BUS_PAUSE = 0.005


def cpu(pid):
    """Seconds that a process and its threads have had of a core."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def connect(engine, **more):
    return psycopg.connect(engine.address(), options=SETTINGS, prepare_threshold=0, **more)


def array(values):
    """An array of numbers or texts, as PostgreSQL has it in binary."""
    is_text = any(isinstance(value, str) for value in values) or values[0] is None
    parts = [struct.pack(">iiIii", 1, 1, 25 if is_text else 20, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        elif is_text:
            raw = value.encode()
            parts.append(struct.pack(">i", len(raw)) + raw)
        else:
            parts.append(struct.pack(">iq", 8, value))
    return b"".join(parts)


def ready(selector):
    """The sockets that have something, within the time for an answer."""
    found = selector.select(ANSWER_S)
    if not found:
        raise TimeoutError("the engine does not answer")
    return found


class Batches:
    """Batches of one size over some rooms, as the arrays that a node sends: what does not change is made once."""

    def __init__(self, connection, name, size, rooms):
        rooms = min(size, rooms)
        self.size, self.number = size, 0
        with connection.transaction():
            made = sorted(connection.execute(
                "INSERT INTO chinwag.room (name, epoch) SELECT %s || n, 1 FROM generate_series(1, %s) n RETURNING id",
                (f"{name}-{time.monotonic_ns()}-", rooms)).fetchall())
        counts = [size // rooms + (place < size % rooms) for place in range(rooms)]
        self.slots = [slot for slot in range(rooms) for _ in range(counts[slot])]
        self.nths = [nth for count in counts for nth in range(1, count + 1)]
        self.counts = counts
        ids, slots, weights = array([row[0] for row in made]), array([slot + 1 for slot in self.slots]), array([160] * size)
        senders, texts, datas = array([f"user{place}" for place in range(size)]), array([TEXT] * size), array([None] * size)
        self.ours = [ids, array([1] * rooms), array([0] * rooms), array(counts), array([count * len(TEXT) for count in counts]),
                     slots, array(self.nths), senders, texts, datas, None, weights]
        self.bare = [ids, slots, None, array([1] * size), weights, senders, texts, datas, None]

    def cids(self):
        self.number += 1
        return array([f"{self.number}-{place}" for place in range(self.size)])

    def next_append(self):
        return [*self.ours[:10], self.cids(), *self.ours[11:]]

    def next_insert(self):
        seqs = [self.number * self.counts[slot] + nth for slot, nth in zip(self.slots, self.nths)]
        return [*self.bare[:2], array(seqs), *self.bare[3:8], self.cids()]


class Driver:
    """A session of libpq that sends statements without waiting for what they answer, each as a transaction of its own."""

    def __init__(self, engine, *statements):
        self.session = pq.PGconn.connect(f"{engine.address()}?options={SETTINGS.replace(' ', '%20').replace('=', '%3D')}".encode())
        assert self.session.status == pq.ConnStatus.OK, self.session.error_message
        self.pid = self.session.backend_pid
        self.names = {statement: f"s{place}".encode() for place, statement in enumerate(statements)}
        for statement, name in self.names.items():
            told = self.session.prepare(name, statement.encode())
            assert told.status == pq.ExecStatus.COMMAND_OK, told.error_message
        self.session.nonblocking = 1
        self.session.enter_pipeline_mode()
        self.waiting = 0

    def send(self, statement, params):
        self.session.send_query_prepared(self.names[statement], params, [1] * len(params), 1)
        self.session.pipeline_sync()
        self.waiting += 1
        while self.session.flush():
            if not select.select([], [self.session.socket], [], ANSWER_S)[1]:
                raise TimeoutError("the engine takes nothing")

    def take(self):
        """What has come: the rows' first values."""
        self.session.consume_input()
        told = []
        while self.waiting and not self.session.is_busy():
            result = self.session.get_result()
            if result is None:
                continue
            assert result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.PIPELINE_SYNC), (
                result.error_message)
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                self.waiting -= 1
            else:
                told.append(result.get_value(0, 0) if result.ntuples else None)
        return told

    def ask(self, statement, params):
        """What one statement answers."""
        self.send(statement, params)
        told = []
        with selectors.DefaultSelector() as selector:
            selector.register(self.session.socket, selectors.EVENT_READ)
            while self.waiting:
                ready(selector)
                told += self.take()
        return told[0]

    def end(self):
        self.session.finish()


def pipelined(engine, batches, seconds, depth=2):
    """Records a second of a driver that has so many batches on the way, each a transaction."""
    driver, done = Driver(engine, APPEND), 0
    with selectors.DefaultSelector() as selector:
        selector.register(driver.session.socket, selectors.EVENT_READ)
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end or driver.waiting:
            while now < end and driver.waiting < depth:
                driver.send(APPEND, batches.next_append())
            ready(selector)
            told = driver.take()
            # All of a batch are stored, by the short way.
            assert all(outcome is None for outcome in told)
            done += len(told)
    driver.end()
    return done * batches.size / seconds


def several(engine, all_batches, seconds, wakes):
    """Records a second of drivers that each have a batch on the way and, with `wakes`, tell behind it which rooms have grown,
    as nodes do: all of them listen."""
    drivers = [Driver(engine, APPEND, NOTIFY) for _ in all_batches]
    listeners = [Driver(engine, "LISTEN chinwag_1") for _ in all_batches]
    for listener in listeners:
        listener.ask("LISTEN chinwag_1", [])
    done, payload = 0, array(["x" * 40])
    told_at, owed = [0.0] * len(drivers), [[] for _ in drivers]
    with selectors.DefaultSelector() as selector:
        for place, driver in enumerate(drivers):
            selector.register(driver.session.socket, selectors.EVENT_READ, place)
            selector.register(listeners[place].session.socket, selectors.EVENT_READ, None)
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end or any(driver.waiting for driver in drivers):
            for place, driver in enumerate(drivers):
                if now < end and "append" not in owed[place]:
                    driver.send(APPEND, all_batches[place].next_append())
                    owed[place].append("append")
                    if wakes and now - told_at[place] >= BUS_PAUSE:
                        driver.send(NOTIFY, [payload])
                        owed[place].append("notify")
                        told_at[place] = now
            for key, _ in ready(selector):
                if key.data is None:
                    for listener in listeners:
                        if listener.session.socket == key.fd:
                            listener.session.consume_input()
                            while listener.session.notifies():
                                pass
                    continue
                for _ in drivers[key.data].take():
                    done += owed[key.data].pop(0) == "append"
    for driver in drivers + listeners:
        driver.end()
    return done * all_batches[0].size / seconds


def one_by_one(engine, seconds):
    """Records a second of 64 threads, each with a connection, that insert one and commit."""
    counts, start = [0] * SENDERS, threading.Barrier(SENDERS, timeout=ANSWER_S)
    insert_one = INSERT
    for place in range(9, 0, -1):
        insert_one = insert_one.replace(f"${place}", "%b")

    def insert(place):
        with psycopg.connect(engine.address()) as connection:
            (room,) = connection.execute("INSERT INTO chinwag.room (name, epoch) VALUES (%s, 1) RETURNING id",
                                         (f"plain{place}-{time.monotonic_ns()}",)).fetchone()
            connection.commit()
            start.wait()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                counts[place] += 1
                seq = counts[place]
                connection.execute(insert_one, ([room], [1], [seq], [1], [160], [f"user{place}"], [TEXT], [None], [f"{seq}"]))
                connection.commit()

    threads = [threading.Thread(target=insert, args=[place]) for place in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A thread that failed has said why.
    assert all(counts), "some could not insert"
    return sum(counts) / seconds
