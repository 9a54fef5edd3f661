"""PostgreSQL of Debian on ports of its own."""

import os
import pathlib
import pwd
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from ports import free_port  # noqa: E402

BIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
# PostgreSQL refuses to run as root.
ACCOUNT = pwd.getpwnam("postgres") if os.getuid() == 0 else None


def run(*command):
    """A program of PostgreSQL, as its user."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd="/",
        user=ACCOUNT and ACCOUNT.pw_uid, group=ACCOUNT and ACCOUNT.pw_gid, extra_groups=[] if ACCOUNT else None,
    )


def certificates(folder):
    """An authority, and a certificate of it for localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "2", "-extfile", "names")
    for name in ["server.key", "server.pem"]:
        if ACCOUNT:
            os.chown(folder / name, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    (folder / "server.key").chmod(0o600)


class Engine:
    """One PostgreSQL on a port of its own. `settings` are its own lines of postgresql.conf."""

    def __init__(self, folder, name, *settings, copy_of=None, auth="trust"):
        self.folder, self.port = folder / name, free_port()
        if copy_of is None:
            password = folder / "password"
            password.write_text("right")
            run(BIN / "initdb", "-D", self.folder, "-U", "chat", "--auth", auth, f"--pwfile={password}", "--no-sync",
                "--encoding", "UTF8", "--locale", "C")
        else:
            run(BIN / "pg_basebackup", "-D", self.folder, "-R", "-c", "fast", "-d",
                f"host=127.0.0.1 port={copy_of.port} user=chat password=right application_name={name}")
        with open(self.folder / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\n".join([f"port = {self.port}", "listen_addresses = '127.0.0.1'",
                                  f"unix_socket_directories = '{folder}'", "shared_buffers = 16MB", *settings, ""]))
        run(BIN / "pg_ctl", "-D", self.folder, "-l", folder / f"{name}.log", "-w", "start")
        if copy_of is None:
            self.sql("CREATE DATABASE chat", database="postgres")

    def sql(self, *statements, database="chat"):
        where = f"host=127.0.0.1 port={self.port} user=chat password=right dbname={database}"
        return run("psql", "-XqAt", where, *(part for statement in statements for part in ("-c", statement))).stdout.strip()

    def rows(self, statement, database="chat"):
        """What a statement answers, as psql writes it without a head."""
        where = f"host=127.0.0.1 port={self.port} user=chat password=right dbname={database}"
        return run("psql", "-XqAt", where, "-c", statement).stdout.strip()

    def address(self, user="chat:right", database="chat", host="127.0.0.1", rest=""):
        return f"postgres://{user}@{host}:{self.port}/{database}{rest}"

    def stop(self, how="immediate"):
        run(BIN / "pg_ctl", "-D", self.folder, "-m", how, "-w", "stop")

    def start(self):
        run(BIN / "pg_ctl", "-D", self.folder, "-l", f"{self.folder}.log", "-w", "start")
