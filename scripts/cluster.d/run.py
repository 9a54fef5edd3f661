"""What `chinwag cluster` says of engines that are right, and of those that would lose messages or take none."""

import concurrent.futures
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from engines import ACCOUNT, BIN, Engine, certificates, free_port, run

CHINWAG = sys.argv[1]
failed = 0


def check(sentence, address, code, *expected, command="check"):
    """The command's exit code, and what it says; never the password."""
    global failed
    done = subprocess.run([CHINWAG, "cluster", command, address], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"]})
    said = done.stdout + done.stderr
    missing = [text for text in expected if text not in said]
    right = done.returncode == code and not missing and "right@" not in said and ":right" not in said
    print(f"{'ok     ' if right else 'FAILED '} {sentence}", flush=True)
    if not right:
        failed += 1
        print(f"        exit {done.returncode}, not {code}; missing {missing} in:\n{said}", flush=True)


def await_listener(port):
    """Waits until somebody listens: a daemon may be let go before."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise


def answer_once(listener, answer):
    """Takes one connection, answers if it has an answer, and waits for its end."""
    with listener.accept()[0] as connection:
        if answer:
            connection.recv(1024)
            connection.sendall(answer)
        while connection.recv(1024):
            pass


def main(folder):
    certificates(folder)
    primary = Engine(folder, "one", "ssl = on", f"ssl_cert_file = '{folder}/server.pem'",
                     f"ssl_key_file = '{folder}/server.key'", auth="scram-sha-256")
    check("an engine without a schema is told how it gets one", primary.address(), 1, "run chinwag cluster init")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = [pool.submit(check, "of two that make the schema at once both succeed", primary.address(), 0,
                            "the schema", "version 1", command="init") for _ in range(2)]
        concurrent.futures.wait(both)
    check("a schema is made once", primary.address(), 0, "there already", command="init")
    primary.sql("DROP TABLE chinwag.word, chinwag.search, chinwag.follow", "DROP FUNCTION chinwag.unindex_1 CASCADE",
                "DROP INDEX chinwag.record_thread",
                # As if the making of it had been cut off.
                "CREATE INDEX record_thread ON chinwag.record (room)",
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'chinwag.record_thread'::regclass",
                "DELETE FROM chinwag.meta WHERE key = 'additions'")
    check("a schema of before is said", primary.address(), 1, "lacks what this program needs", "run chinwag cluster init")
    check("what a schema lacks is added to it", primary.address(), 0, "was added", command="init")
    check("and that once", primary.address(), 0, "there already", command="init")
    indexed = primary.sql("SELECT indexdef FROM pg_indexes WHERE indexname = 'record_thread'")
    assert "(room, thread, seq)" in indexed, indexed
    check("a lone primary keeps what survives a crash", primary.address(), 0, "level disk", "a write is confirmed")
    check("a Unix socket is an address", f"postgres://chat:right@/chat?host={folder}&port={primary.port}", 0, "level disk")
    check("a wrong password is said", primary.address(user="chat:wrong"), 1, "password authentication failed")
    check("a missing password is said", primary.address(user="chat"), 1, "put it into the address")
    check("a missing database is said", primary.address(database="none"), 1, 'database "none" does not exist')
    check("a port where nobody listens is said", f"postgres://chat@127.0.0.1:{free_port()}/chat", 1, "does PostgreSQL listen")
    check("a name without an address is said", "postgres://chat@no.invalid/chat", 1, "has no address")

    check("a certificate of the right name and authority is taken",
          primary.address(host="localhost", rest=f"?sslrootcert={folder}/ca.pem"), 0, "level disk")
    check("a certificate of another name is not", primary.address(rest=f"?sslrootcert={folder}/ca.pem"), 1, "TLS failed")
    check("a certificate of an unknown authority is not",
          primary.address(host="localhost", rest="?sslmode=verify-full"), 1, "TLS failed", "sslrootcert=FILE")
    check("a file without authorities is said",
          primary.address(host="localhost", rest=f"?sslrootcert={folder}/names"), 1, "no certificate")

    for sentence, answer, expected in [
        ("what is no PostgreSQL is said", b"HTTP/1.1 400 Bad Request\r\n\r\n", "is that a PostgreSQL server"),
        ("what does not answer at all is said", None, "no answer to the login"),
    ]:
        with socket.create_server(("127.0.0.1", 0)) as other:
            threading.Thread(target=answer_once, args=[other, answer], daemon=True).start()
            check(sentence, f"postgres://chat@127.0.0.1:{other.getsockname()[1]}/chat", 1, expected)

    standby = Engine(folder, "two", copy_of=primary)
    both = f"postgres://chat:right@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/chat"
    check("a standby that no commit waits for is a note", both, 0, "waits for none of its 1 standbys", "a standby", "level disk")
    check("a standby alone cannot be written to", standby.address(), 1, "name the primary, too", "none of these is a primary")
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'", "SELECT pg_reload_conf()")
    check("with a standby that commits wait for, they survive the primary", both, 0, "level replicated")
    standby.stop()
    check("a commit that waits for a standby that is away is said", primary.address(), 1, "level replicated", "no answer within")
    primary.sql("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")

    primary.sql("CREATE ROLE guest LOGIN PASSWORD 'right'", "CREATE DATABASE other", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    check("a user who may not make a schema is told so", primary.address(user="guest:right", database="other"), 1, "GRANT CREATE", command="init")
    check("a database of another encoding is said", primary.address(database="latin"), 1, "LATIN1", "ENCODING 'UTF8'", command="init")
    primary.sql("CREATE SCHEMA chinwag", database="other")
    check("a schema of somebody else is left alone", primary.address(database="other"), 1, "not made by this program", command="init")
    primary.sql("ALTER ROLE chat SET default_transaction_read_only = on")
    check("a user who may not write is told so", primary.address(), 1, "takes no writes")
    primary.sql("SET default_transaction_read_only = off", "ALTER ROLE chat RESET default_transaction_read_only")
    primary.sql("UPDATE chinwag.meta SET value = '2' WHERE key = 'schema'")
    check("a newer schema is left to the newer program", primary.address(), 1, "has version 2", "newer program")
    primary.sql("UPDATE chinwag.meta SET value = '1' WHERE key = 'schema'")
    for setting in ["fsync", "full_page_writes"]:
        primary.sql(f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")
        check(f"{setting} that is off is said", primary.address(), 1, f"set {setting} = on", "level nothing")
        primary.sql(f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")

    port = free_port()
    (folder / "users.txt").write_text('"chat" "right"\n')
    (folder / "pgbouncer.ini").write_text("\n".join([
        "[databases]", f"chat = host=127.0.0.1 port={primary.port} user=chat password=right", "[pgbouncer]",
        f"listen_port = {port}", "listen_addr = 127.0.0.1", "unix_socket_dir =", "auth_type = scram-sha-256",
        f"auth_file = {folder}/users.txt", "pool_mode = transaction", f"pidfile = {folder}/pgbouncer.pid",
        f"logfile = {folder}/pgbouncer.log", "ignore_startup_parameters = plan_cache_mode,synchronous_commit,jit,"
        "enable_seqscan,enable_hashjoin,enable_mergejoin,search_path,statement_timeout,lock_timeout,idle_session_timeout", ""]))
    run("pgbouncer", "-d", folder / "pgbouncer.ini")
    await_listener(port)
    check("a pooler is said to be one", f"postgres://chat:right@127.0.0.1:{port}/chat", 1, "pooler")
    os.kill(int((folder / "pgbouncer.pid").read_text()), 15)
    primary.stop()


scratch = pathlib.Path(tempfile.mkdtemp())
try:
    if ACCOUNT:
        os.chown(scratch, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
        scratch.chmod(0o755)
    main(scratch)
finally:
    for data in scratch.glob("*/postmaster.pid"):
        subprocess.run([BIN / "pg_ctl", "-D", data.parent, "-m", "immediate", "stop"], capture_output=True,
                       user=ACCOUNT and ACCOUNT.pw_uid)
    shutil.rmtree(scratch, ignore_errors=True)
print(f"{failed} failed" if failed else "all as it must be")
sys.exit(failed > 0)
