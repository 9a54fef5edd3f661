"""Looks at the plan of every statement that stores and nodes are tried with: none may go through a whole table, or
through all that an index has, whatever the engine knows of its tables.

  plans.py SERVER COMMAND...    runs COMMAND beside an engine that writes down all plans; its databases are copies of
                                CHINWAG_TEST_TEMPLATE, in which tables are

  empty      new, and nothing is known of them
  unknown    of many pages, and nothing is known of them
  stale      of many pages, and known by how they were: with 100,000 records in 50 rooms

  --state WHICH    one of these alone
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from engines import ACCOUNT, Engine

# Tables that stay small whatever happens: of nodes, webhooks and what an operator sets, and what goes after minutes.
SMALL = {"closed", "dead_letter", "meta", "node", "people_gone", "push_sender", "sender", "sender_settings", "webhook"}
# What may go through more: entries that were just made, of which there are few; sessions, by a node that comes back; how
# many devices there are, when one is added; who follows what, when a room ends.
RARE = ["UPDATE chinwag.outgoing x SET place = s.place + o.nth", "SELECT array_agg(l.hash) FROM ( SELECT s.hash",
        "INSERT INTO chinwag.push (id, name, login, endpoint", "DELETE FROM chinwag.follow f WHERE f.room = OLD.id"]
# Who erases a user looks at everything, once.
ERASURE = pathlib.Path(__file__).parents[2] / "src/cluster/node/erasure/statements.rs"
SETTINGS = [
    "logging_collector = on", "log_destination = 'jsonlog'", "log_directory = 'plans'", "log_filename = 'plans.log'",
    "log_rotation_size = 0", "log_rotation_age = 0", "shared_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0", "auto_explain.log_nested_statements = on", "auto_explain.log_format = json",
    # The pages of what was deleted stay, and what is known of it.
    "autovacuum = off", "max_connections = 300",
]
FILL = [
    "INSERT INTO chinwag.room (name, epoch, head) SELECT 'room' || n, 1, 2000 FROM generate_series(1, 50) AS n",
    """INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text, cid) SELECT r.id, n, n, 300, 0,
       'user' || n % 100, 'some words that are said, number ' || n, 'c' || n
       FROM chinwag.room r, generate_series(1, 2000) AS n""",
    """INSERT INTO chinwag.member SELECT r.id, 'user' || n, 1, 0, 0, 1 FROM chinwag.room r,
       generate_series(1, 500) AS n""",
    """INSERT INTO chinwag.change SELECT r.id, 'user' || n, 2, 0, n, 0, 1 FROM chinwag.room r,
       generate_series(1, 500) AS n""",
    """INSERT INTO chinwag.word SELECT r.id, n, 0, 9, to_tsvector('simple', 'some words ' || n)
       FROM chinwag.room r, generate_series(0, 30) AS n""",
    "INSERT INTO chinwag.search SELECT id, 1900, 0 FROM chinwag.room",
]


def prepare(engine, server, state):
    """The database that the tests' are copies of."""
    subprocess.run([server, "cluster", "init", engine.address(rest="?sslmode=disable")], check=True, capture_output=True)
    if state != "empty":
        engine.sql(*FILL)
        if state == "stale":
            engine.sql("ANALYZE")
        engine.sql("DELETE FROM chinwag.record", "DELETE FROM chinwag.member", "DELETE FROM chinwag.change",
                   "DELETE FROM chinwag.word", "DELETE FROM chinwag.search", "DELETE FROM chinwag.room",
                   "TRUNCATE chinwag.gone, chinwag.sent")
    rows = engine.rows("""SELECT c.relname, t.relname, a.attname FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1
        WHERE n.nspname = 'chinwag'""")
    indexes = (row.split("|") for row in rows.splitlines())
    return {index: column for index, table, column in indexes if table not in SMALL}


def faults(node, first_columns, is_limited=False):
    """What a plan goes through that may be long."""
    kind, table = node["Node Type"], node.get("Relation Name", "")
    index = node.get("Index Name", "")
    if kind == "Seq Scan" and table not in SMALL:
        yield f"goes through the table {table}"
    # Whether there is any row is known with the first one.
    is_any = node.get("Parent Relationship") == "InitPlan" and "Filter" not in node
    if "Index" in kind and index in first_columns and not is_any:
        condition = node.get("Index Cond", "")
        column = first_columns[index]
        if not re.search(rf"\b{column}\b", condition) and not (is_limited and "Filter" not in node):
            yield f"goes through the index {index}, by {condition or 'nothing'}"
        elif index == "record_pkey" and "seq" not in condition and not is_limited:
            yield f"goes through all records of a room by {condition}"
    for part in node.get("Plans", []):
        yield from faults(part, first_columns, kind == "Limit" or (is_limited and kind in {"LockRows", "Subquery Scan"}))


def look(log, first_columns):
    """Each statement with what it goes through."""
    found, seen = {}, 0
    erasure = re.sub(r"\\\n\s*", "", ERASURE.read_text(encoding="utf-8")).replace('\\"', '"')
    erasure = " ".join(erasure.split())
    for line in log.open(encoding="utf-8", errors="replace"):
        line = json.loads(line)
        _, mark, plan = line.get("message", "").partition(" plan:\n")
        if not mark:
            continue
        plan = json.loads(plan)
        # What tests look at themselves has no parameters.
        is_ours = "$1" in plan["Query Text"] or "function chinwag." in line.get("context", "")
        if "chinwag." not in plan["Query Text"] or not is_ours:
            continue
        seen += 1
        text = " ".join(plan["Query Text"].split())
        if text[:60] in erasure or text.startswith(tuple(RARE)):
            continue
        for fault in faults(plan["Plan"], first_columns):
            found[text[:300], fault] = found.get((text[:300], fault), 0) + 1
    return found, seen


def run(server, command, state):
    scratch = pathlib.Path(tempfile.mkdtemp())
    engine = None
    try:
        if ACCOUNT:
            os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
            scratch.chmod(0o755)
        engine = Engine(scratch, "one", *SETTINGS)
        first_columns = prepare(engine, server, state)
        environment = {"CHINWAG_TEST_ENGINE": engine.address(database="postgres", rest="?sslmode=disable"),
                       "CHINWAG_TEST_TEMPLATE": "chat"}
        log = engine.folder / "plans" / "plans.json"
        before = log.stat().st_size
        done = subprocess.run(command, env={**os.environ, **environment}).returncode
        # What it has gathered is written by its end.
        engine.stop()
        engine = None
        found, seen = look(log, first_columns)
        print(f"{state}: {seen} plans, {before} bytes before", flush=True)
        for (query, fault), count in sorted(found.items()):
            print(f"  {count} times {fault}: {query}", flush=True)
        return done == 0 and seen > 1000 and not found
    finally:
        if engine:
            engine.stop()
        shutil.rmtree(scratch, ignore_errors=True)


arguments = sys.argv[1:]
states = ["empty", "unknown", "stale"]
if arguments[0] == "--state":
    states = [arguments[1]]
    arguments = arguments[2:]
sys.exit(0 if all([run(arguments[0], arguments[1:], state) for state in states]) else 1)
