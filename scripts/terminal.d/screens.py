"""A server, and terminals of tmux in which programs run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PROGRAM = os.environ["SERVER_BIN"]
PATIENCE_S = 20.0
ADMIN_TOKEN = "a token of twenty-seven letters".replace(" ", "-")


def await_that(is_so: Callable[[], bool], seen: Callable[[], str]) -> None:
    """Waits until something is so; shows what is seen if it never is."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"in {PATIENCE_S:.0f} s there was only:\n{seen()}")
        time.sleep(0.02)


class Server:
    """A server whose data and address stay where they are when it is started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = {f"CHINWAG_{name.upper()}": value for name, value in settings.items()}
        self.http, self.admin = "127.0.0.1:0", "127.0.0.1:0"
        self.start()

    def command(self, *arguments: str, **more: object) -> subprocess.Popen[str]:
        environment = {**self.settings, "CHINWAG_ADMIN_TOKEN": ADMIN_TOKEN}
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [PROGRAM, "--data", str(self.folder / "data"), *arguments],
                env=environment, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=log, **more,
            )  # fmt: skip

    def start(self) -> None:
        self.process = self.command("--listen", self.http, "--tcp", "off", "--admin", self.admin)
        addresses = []
        assert self.process.stdout
        while len(addresses) < 2:
            line = self.process.stdout.readline()
            assert line, (self.folder / "log").read_text()
            addresses += re.findall(r"^listening .*?http://([0-9.:]+)", line)
        self.http, self.admin = addresses

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        assert self.process.stdout
        self.process.stdout.close()

    def add_user(self, name: str, password: str) -> None:
        """Adds an account. The server is there when it begins."""
        self.end(signal.SIGTERM)
        adding = self.command("user", "add", name, stdin=subprocess.PIPE)
        with adding:
            adding.communicate(f"{password}\n")
        assert adding.returncode == 0
        self.start()


class Terminals:
    """The terminals of one test."""

    def __init__(self, folder: Path) -> None:
        self.tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self.folder = folder

    def run(self, *arguments: str) -> str:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        done = subprocess.run([*self.tmux, *arguments], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    def open(self, name: str, *arguments: str, columns: int = 80, rows: int = 40, environment: str = "") -> Terminal:
        """Runs the program in a terminal, which says at its end how it went."""
        program = shlex.join([PROGRAM, *arguments])
        # It stays open so that what is left on it can be looked at.
        command = f"cd {shlex.quote(str(self.folder))}; {environment} {program}; echo \"left with $?\"; exec cat"
        self.run("new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows), "sh", "-c", command)
        return Terminal(self, name)

    def close(self) -> None:
        subprocess.run([*self.tmux, "kill-server"], capture_output=True)


class Terminal:
    """One terminal."""

    def __init__(self, terminals: Terminals, name: str) -> None:
        # Exactly: tmux has names of its own for places, such as "top".
        self.terminals, self.name = terminals, f"={name}:"

    def type(self, *lines: str) -> None:
        """Types lines, each with Enter."""
        for line in lines:
            self.press(line, "Enter")

    def press(self, *keys: str) -> None:
        self.terminals.run("send-keys", "-t", self.name, *keys)

    def screen(self, *more: str) -> str:
        """Everything that was shown, with lines that were wrapped put together again."""
        return self.terminals.run("capture-pane", "-p", "-J", "-S", "-1000", *more, "-t", self.name)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen().splitlines()]

    def shows(self, *parts: str) -> None:
        await_that(lambda: all(part in self.screen() for part in parts), lambda: f"{parts}?\n{self.screen()}")

    def shows_line(self, line: str) -> None:
        await_that(lambda: line in self.lines(), lambda: f"{line!r}?\n{self.screen()}")

    def last_line(self) -> str:
        return next((line for line in reversed(self.lines()) if line), "")

    def ends_with(self, line: str) -> None:
        """Its last line becomes this one."""
        await_that(lambda: self.last_line() == line, lambda: f"{line!r} at the end?\n{self.screen()}")

    def texts_of(self, user: str, texts: Iterable[str]) -> list[str]:
        """Those of the texts that the user has said, in the order in which they are shown."""
        wanted = {f"{user}: {text}": text for text in texts}
        return [wanted[line] for line in self.lines() if line in wanted]


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="chinwag-terminal.")
