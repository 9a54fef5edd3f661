#!/usr/bin/env bash
# Guess:   what PostgreSQL has sent to a connection that listens (NOTIFY is not lost while the connection is), the driver keeps
#          until the program takes it from `connection.notifications`, as psycopg2 does with its list of that name.
# Truth:   pg8000 keeps the last 100. Whatever came before, in the answer to the same query or while the program was at
#          something else, is gone without a word: of 150 that one transaction sent, the first 50. Its documentation says "a
#          deque of notifications", and not that it has an end.
# Version: pg8000 1.31.6, psycopg 3.3.6 (PyPI), PostgreSQL 15, as in Debian 12 (15.18-0+deb12u1). Source:
#          `deque(maxlen=100)` in pg8000's core.py.
# So:      `connection.notifications = collections.deque()` before the first LISTEN.
set -euo pipefail

folder=$(mktemp -d)
programs=/usr/lib/postgresql/15/bin
# PostgreSQL refuses to run as root.
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
stop() {
  as_postgres "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
[ -x "$programs/initdb" ] || { echo "needs Debian's postgresql-15"; exit 1; }
[ "$(id -u)" != 0 ] || chown postgres "$folder"
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pg8000==1.31.6 "psycopg[binary]==3.3.6"
as_postgres "$programs/initdb" -D data -U chat --auth trust --no-sync --encoding UTF8 --locale C >/dev/null
as_postgres "$programs/pg_ctl" -D data -l log -w -o "-k $folder -c listen_addresses=''" start >/dev/null

cat >find.py <<'PYTHON'
import os
import pg8000.native
import psycopg

COUNT, FOLDER = 150, os.getcwd()

listener = pg8000.native.Connection("chat", database="postgres", unix_sock=f"{FOLDER}/.s.PGSQL.5432")
listener.run("LISTEN said")
with psycopg.connect(host=FOLDER, user="chat", dbname="postgres", autocommit=True) as other:
    heard = []
    other.add_notify_handler(lambda notify: heard.append(notify.payload))
    other.execute("LISTEN said")
    with psycopg.connect(host=FOLDER, user="chat", dbname="postgres") as sender:
        for number in range(COUNT):
            sender.execute("SELECT pg_notify('said', %s)", [str(number)])
    other.execute("SELECT 1")
listener.run("SELECT 1")

kept = [payload for _, _, payload in listener.notifications]
print(f"psycopg: {len(heard)}, from {heard[0]} to {heard[-1]}")
print(f"pg8000:  {len(kept)}, from {kept[0]} to {kept[-1]}")
sent = [str(number) for number in range(COUNT)]
assert heard == sent
assert kept == sent[-100:], "another number is kept now"
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: pg8000 1.31.6 keeps the last 100 notifications, and drops those before them"
