#!/usr/bin/env bash
# Guess:   a prepared statement that is kept is compiled once, and ANALYZE, which only adds statistics, makes queries
#          faster or leaves them as they are.
# Truth:   in an SQLite that is built with STAT4, ANALYZE has every kept statement compiled anew at each execution for
#          which a value is bound to a parameter of its WHERE, even `a=? and b=?` through the one index there is, unless
#          that is unique:
#          a look-up of one row takes several times as long. Without ANALYZE there is no such statistic, and nothing of it.
#          It ends when the connection asks for the query planner's stability guarantee (SQLITE_DBCONFIG_ENABLE_QPSG).
# Version: SQLite 3.54.1 in apsw 3.54.1.0 (PyPI), whose wheels have STAT4. Source: sqlite3_prepare_v2 ("the statement
#          will be automatically recompiled"), `sqlite3_bind_*`, which marks it expired (vdbeapi.c).
# So:      the store asks for that guarantee on all its connections, and `PRAGMA optimize` stays harmless.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apsw==3.54.1.0

cat >find.py <<'PYTHON'
import time
import apsw

QUERY = "select body from message where room=? and seq=? limit 1"
RUNS = 1000

def compiled(is_analyzed, is_stable):
    """How often the one statement is compiled in so many executions, and microseconds for each."""
    database = apsw.Connection(":memory:")
    database.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, int(is_stable))
    database.execute("create table message(room int, seq int, body text)")
    database.execute("create index place on message(room, seq)")
    with database:
        rows = ((n % 100, n, "words") for n in range(20_000))
        database.executemany("insert into message values(?,?,?)", rows)
    if is_analyzed:
        database.execute("analyze")
    began = time.perf_counter()
    for n in range(RUNS):
        assert database.execute(QUERY, (n % 100, n)).fetchall() == [("words",)]
    micros = (time.perf_counter() - began) / RUNS * 1e6
    count = 0

    # The authorizer is asked whenever a statement is compiled, and only then.
    def authorize(action, *_):
        nonlocal count
        count += action == apsw.SQLITE_SELECT
        return apsw.SQLITE_OK

    database.authorizer = authorize
    for n in range(RUNS):
        database.execute(QUERY, (n % 100, n)).fetchall()
    return count, micros

assert "ENABLE_STAT4" in apsw.compile_options
for is_analyzed, is_stable, most, least in ((0, 0, 1, 0), (1, 0, RUNS + 1, RUNS), (1, 1, 1, 0)):
    count, micros = compiled(is_analyzed, is_stable)
    print(f"{'after ANALYZE' if is_analyzed else 'without      '} {'with the guarantee' if is_stable else '':18}"
          f" compiled {count:4} times in {RUNS} executions, {micros:.1f} us each")
    assert least <= count <= most, "another number of times"
PYTHON
venv/bin/python find.py
echo "as found: after ANALYZE SQLite 3.54.1 with STAT4 compiles a kept statement for each execution"
