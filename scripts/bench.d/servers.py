"""The servers: started pinned to their core, and gone when whoever started them goes on."""

import ctypes
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

CORE, GENERATOR_CORE = "0", "1"
PATIENCE_S = 10
ROOT = Path(__file__).resolve().parents[2]
WS_INSTALLED = ROOT / "benches/peers/ws/node_modules/ws"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def pinned(core, argv):
    return ["taskset", "-c", core, *argv]


def die_with_parent():
    """Has the kernel kill a child whose parent is gone, however that ended."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Programs:
    """What to run for each server, given the programs that were built."""

    def __init__(self, chinwag, generator, peers):
        config = str(ROOT / "benches/load.toml")
        listen = ["--listen", "127.0.0.1:0", "--tcp", "off", "--admin", "127.0.0.1:0"]
        # The others keep nothing.
        listen += ["--durability", "memory"]
        floor = f"{peers}/floor"
        self.generator = [generator]
        self.argv = {
            "chinwag": [chinwag, "serve", "--config", config, *listen],
            "floor0": [floor, "--mode", "0"],
            "floor1": [floor, "--mode", "1"],
            "tungstenite": [f"{peers}/tungstenite/release/peer-tungstenite"],
            "uwebsockets": [f"{peers}/uwebsockets/uwebsockets"],
            "ws": ["node", str(ROOT / "benches/peers/ws/server.js")],
        }

    def can_run(self, name):
        """Whether all of its files are there: a peer that could not be built is left out."""
        argv = self.argv[name]
        return Path(argv[0]).exists() or (argv[0] == "node" and WS_INSTALLED.exists())


class Server:
    """A running server."""

    def __init__(self, process, lines):
        self.pid = process.pid
        first = re.fullmatch(r"listening (?:https?://)?([\d.:]+)(?: .*)?", lines[0])
        if not first:
            raise RuntimeError(f"the server said {lines[0]!r}")
        self.addr = first[1]
        self.is_plain = "://" not in lines[0]
        self.admin = lines[1].removeprefix("listening admin ") if len(lines) > 1 else None

    def target(self):
        """What the generator is told about it."""
        if self.is_plain:
            # The floor says each message as it was said first, so there is no number in it.
            plain = ["--plain", "--path", "/room/{room}", "--message", "{from} {fill}"]
            return [*plain, "--target", f"ws://{self.addr}", "--pid", str(self.pid)]
        return ["--target", f"ws://{self.addr}/ws", "--pid", str(self.pid)]

    def counters(self):
        """Chinwag's own counters and gauges; others have none."""
        with urllib.request.urlopen(f"{self.admin}/metrics", timeout=PATIENCE_S) as page:
            found = re.findall(r"^chinwag_(\w+) (\d+)$", page.read().decode(), re.MULTILINE)
        return {name: int(value) for name, value in found}


@contextmanager
def running(argv, settings=()):
    """Runs a server, with these variables set, until the block ends. Raises what it said last if it ends by itself."""
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory(prefix="chinwag-bench-") as data:
        # Chinwag's data, which others do not have, is deleted with this.
        own = ["--data", data] if "--durability" in argv else []
        process = subprocess.Popen(
            pinned(CORE, [*argv, *own]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "CHINWAG_LOG_LEVEL": "warn", **dict(settings)},
            preexec_fn=die_with_parent,
        )
        try:
            count = 2 if "--admin" in argv else 1
            yield Server(process, announced(process, count))
        finally:
            code = process.poll()
            end(process)
        if code is not None:
            log.seek(0)
            raise RuntimeError(f"the server left with {code}: {'; '.join(log.read().splitlines()[-3:])}")


def announced(process, count):
    """The server's first lines, which must come soon."""
    text, deadline = b"", time.monotonic() + PATIENCE_S
    while text.count(b"\n") < count:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        more = os.read(process.stdout.fileno(), 4096) if ready else b""
        if not more:
            raise RuntimeError("the server did not say where it listens")
        text += more
    return text.decode().splitlines()


def end(process):
    end_quietly(process)
    process.stdout.close()


def end_quietly(process):
    """Ends a process whose output nobody reads."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
