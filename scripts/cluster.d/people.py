"""Servers, people at them, and sentences that are checked."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

CHINWAG = sys.argv[1]
TOKEN = "a-token-for-this-test-alone"
# Longer than anything takes on a machine that works.
PATIENCE = 30
failed = 0


class Node:
    """A server that shares its log, or one that is alone if there is no engine."""

    def __init__(self, folder, name, engine, **settings):
        self.folder, self.name = folder / name, name
        self.folder.mkdir(exist_ok=True)
        shared = {"ENGINE": engine.address(), "LEVEL": "disk", "NAME": name, "ADDRESS": f"{name}.example"} if engine else {}
        self.settings = {**shared, **settings}
        self.start()

    def start(self):
        log = open(self.folder / "log", "a", encoding="utf-8")
        listeners = [word for name in ["listen", "tcp", "admin"] for word in (f"--{name}", "127.0.0.1:0")]
        env = {f"CHINWAG_CLUSTER_{name}": value for name, value in self.settings.items() if name.isupper()}
        env |= {f"CHINWAG_{name.upper()}": value for name, value in self.settings.items() if not name.isupper()}
        self.process = subprocess.Popen(
            [CHINWAG, *listeners, "--data", self.folder / "data"], stdout=subprocess.PIPE, stderr=log, text=True,
            env={**env, "CHINWAG_ADMIN_TOKEN": TOKEN})
        # Before them may be the link of the first administrator.
        lines = (line for line in self.process.stdout if line.startswith("listening"))
        self.http, self.tcp, self.admin = (next(lines).split("://")[1].split()[0] for _ in range(3))

    def get(self, path, at=None):
        request = urllib.request.Request(f"http://{at or self.admin}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def await_ready(self):
        deadline = time.monotonic() + PATIENCE
        while self.get("/readyz")[0] != 200:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not ready: {self.get('/readyz')}")
            time.sleep(0.02)
        return self

    def end(self, how="terminate"):
        getattr(self.process, how)()
        return self.process.wait(PATIENCE)


class Client:
    """Somebody at a node, by plain lines of JSON."""

    def __init__(self, node, name=None, **hello):
        host, port = node.tcp.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.file = self.socket.makefile("r", encoding="utf-8")
        self.events, self.number = [], 0
        if name:
            self.welcome = self.ask("hello", name=name, **hello)

    def request(self, op, **fields):
        """The whole reply; events before it are kept."""
        self.number += 1
        self.socket.sendall((json.dumps({"op": op, "id": self.number, **fields}) + "\n").encode())
        while True:
            said = self.read()
            if said.get("id") == self.number and "code" in said:
                return said

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError("the connection has ended")
        said = json.loads(line)
        if said.get("ev") == "ping":
            self.socket.sendall(b'{"op":"ping"}\n')
        elif "ev" in said:
            self.events.append(said)
        return said

    def ask(self, op, **fields):
        reply = self.request(op, **fields)
        assert reply["code"] == 0, f"{op} {fields}: {reply}"
        return reply["data"]

    def event(self, kind, **fields):
        """The next event of this kind with these fields; those before it are dropped."""
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["ev"] == kind and all(event.get(name) == value for name, value in fields.items()):
                    return event
            self.read()

    def hear(self, text):
        """The message with this text, by itself or in a replay."""
        while True:
            while self.events:
                event = self.events.pop(0)
                items = event["items"] if event["ev"] == "replay" else [event]
                for item in items:
                    if item.get("text") == text:
                        return item
            self.read()


def check(sentence, test, *arguments):
    global failed
    try:
        test(*arguments)
        print(f"ok      {sentence}", flush=True)
    except Exception as error:  # whatever it is, the other sentences are worth their answers
        failed += 1
        print(f"FAILED  {sentence}\n        {type(error).__name__}: {error}", flush=True)


def result():
    """The exit code: whether a sentence has failed."""
    print(f"{failed} failed" if failed else "all as it must be")
    return failed > 0
