"""Three nodes behind haproxy and behind nginx, as scripts/package.d/cluster has them: people talk through them while a
node and then the engine are killed, and nobody misses a line or sees one twice. The engine is reached by TLS."""

import base64
import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import time
import urllib.request

import nodes
from engines import certificates, free_port
from nodes import PATIENCE, Node, check

CONFIGURATIONS = pathlib.Path(__file__).resolve().parents[1] / "package.d" / "cluster"
ADDRESSES = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"]


class Proxy:
    """A proxy with the configuration that is shipped, but for addresses and files."""

    def __init__(self, folder, behind):
        self.folder, self.port = folder / self.name, free_port()
        self.folder.mkdir()
        text = (CONFIGURATIONS / self.file).read_text()
        pem = folder / "chat.pem"
        pem.write_text((folder / "server.pem").read_text() + (folder / "server.key").read_text())
        for address, node in zip(ADDRESSES, behind):
            assert text.count(address) == 1, f"{address} in {self.file}"
            text = text.replace(address, node.http)
        for old, new in self.replaced(folder):
            assert old in text, f"{old} in {self.file}"
            text = text.replace(old, new)
        self.path = self.folder / self.file
        self.path.write_text(self.wrapped(text))
        done = subprocess.run(self.check(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.process = subprocess.Popen(self.run(), stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "w"))
        deadline = time.monotonic() + PATIENCE
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def wrapped(self, text):
        return text

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Haproxy(Proxy):
    name, file = "haproxy", "haproxy.cfg"

    def replaced(self, folder):
        return [("bind :443 ssl crt /etc/haproxy/chat.pem", f"bind 127.0.0.1:{self.port} ssl crt {folder}/chat.pem")]

    def check(self):
        return ["haproxy", "-c", "-f", self.path]

    def run(self):
        return ["haproxy", "-f", self.path]


class Nginx(Proxy):
    name, file = "nginx", "nginx.conf"

    def replaced(self, folder):
        return [("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"), ("/etc/nginx/chat.pem", f"{folder}/chat.pem"),
                ("/etc/nginx/chat.key", f"{folder}/server.key")]

    def wrapped(self, text):
        temporary = "".join(f"{name}_temp_path {self.folder}/{name};\n"
                            for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;\n" if os.getuid() == 0 else ""
        return (f"{user}daemon off;\npid {self.folder}/pid;\nerror_log {self.folder}/log;\nevents {{}}\n"
                f"http {{\naccess_log off;\n{temporary}{text}}}\n")

    def check(self):
        return ["nginx", "-t", "-c", self.path]

    def run(self):
        return ["nginx", "-c", self.path]


class Socket:
    """Somebody who comes by WebSocket, through a proxy with TLS."""

    def __init__(self, proxy, authority, name, **hello):
        context = ssl.create_default_context(cafile=authority)
        plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        head = self.file.readline()
        while (line := self.file.readline()) not in (b"\r\n", b""):
            head += line
        if b" 101 " not in head:
            raise ConnectionError(head.split(b"\r\n")[0] + b": " + self.file.read1(1024))
        self.events, self.number = [], 0
        self.welcome = self.ask("hello", name=name, **hello)

    def send(self, **what):
        text = json.dumps(what).encode()
        length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
        # A key of nothing masks nothing.
        self.socket.sendall(b"\x81" + length + bytes(4) + text)

    def frame(self):
        head = self.file.read(2)
        if len(head) < 2:
            raise ConnectionError("the connection has ended")
        size = head[1]
        if size == 126:
            size = struct.unpack(">H", self.file.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.file.read(8))[0]
        body = self.file.read(size)
        if len(body) < size or head[0] & 15 == 8:
            raise ConnectionError("the connection has ended")
        if head[0] & 15 == 9:
            self.socket.sendall(bytes([0x8A, 0x80 | len(body)]) + bytes(4) + body)
        return json.loads(body) if head[0] & 15 == 1 else {}

    def request(self, op, **fields):
        self.number += 1
        self.send(op=op, id=self.number, **fields)
        while True:
            said = self.frame()
            if said.get("id") == self.number and "code" in said:
                return said
            self.events.append(said)

    def ask(self, op, **fields):
        reply = self.request(op, **fields)
        if reply["code"] != 0:
            raise ConnectionError(f"{op} {fields}: {reply}")
        return reply["data"]

    def seen(self):
        """The records that have come since, by seq."""
        items = [item for event in self.events for item in (event.get("items") or [event])]
        self.events = []
        return [(item["seq"], item["text"]) for item in items if "text" in item and "seq" in item]


class Person:
    """Somebody who comes back, and repeats what was not answered."""

    def __init__(self, proxy, authority, name):
        self.proxy, self.authority, self.name = proxy, authority, name
        self.saw, self.returns = [], 0
        self.socket = Socket(proxy, authority, name)
        self.epoch, self.seq = (self.socket.ask("join", room="lobby")[field] for field in ("epoch", "seq"))
        self.session = self.socket.welcome["session"]

    def note(self):
        for seq, text in self.socket.seen():
            self.saw.append((seq, text))
            self.seq = max(self.seq, seq)

    def insist(self, op, **fields):
        """Asks until it is done, by whichever node."""
        deadline = time.monotonic() + 30
        while True:
            try:
                data = self.socket.ask(op, **fields)
                self.note()
                return data
            except (OSError, ConnectionError):
                assert time.monotonic() < deadline, f"{self.name} cannot {op}"
                self.note()
            try:
                self.socket.ask("ping")
            except (OSError, ConnectionError):
                time.sleep(0.05)
                self.come_back()

    def come_back(self):
        resume = {"session": self.session, "rooms": {"lobby": [self.epoch, self.seq]}}
        try:
            self.note()
            self.socket = Socket(self.proxy, self.authority, self.name, resume=resume)
        except (OSError, ConnectionError):
            return
        self.returns += 1
        said = self.socket.welcome["rooms"].get("lobby", {})
        assert not said.get("gap") and not said.get("reset"), said


def connections(node):
    """How many people are at a node."""
    with urllib.request.urlopen(f"http://{node.admin}/metrics", timeout=PATIENCE) as answer:
        return float(re.search(r"^chinwag_sessions (\S+)$", answer.read().decode(), re.M)[1])


def through(kind, folder, engine, settings):
    with contextlib.ExitStack() as stack:
        behind = [Node(folder, f"{kind.name}{number}", engine, **settings).await_ready() for number in range(3)]
        for node in behind:
            stack.callback(node.process.kill)
        proxy = kind(folder, behind)
        stack.callback(proxy.end)
        # One that has just ended may be listed for a moment.
        deadline = time.monotonic() + PATIENCE
        while (sealed := engine.rows("SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity "
                                     "USING (pid) WHERE application_name = 'chinwag'")) != "6|6":
            assert time.monotonic() < deadline, f"all connections to the engine, and those that are encrypted: {sealed}"
        ann, bob = (Person(proxy, folder / "ca.pem", f"{name}{kind.name}") for name in ("ann", "bob"))
        sent = {}

        def say(person, number):
            text = f"{kind.name} {person.name} {number}"
            sent[text] = person.insist("send", room="lobby", text=text, cid=text)["seq"]

        for number in range(10):
            say(ann, number), say(bob, number)
        # Whoever is at the node that is killed comes back at another.
        before = ann.returns + bob.returns
        victims = [node for node in behind if connections(node) > 0]
        assert len(victims) == 2, "both are at one node"
        victims[0].end("kill")
        for number in range(10, 20):
            say(ann, number), say(bob, number)
        assert ann.returns + bob.returns > before, "nobody has noticed"
        engine.stop("immediate")
        engine.start()
        for number in range(20, 30):
            say(ann, number), say(bob, number)
        last = max(sent.values())
        for person in (ann, bob):
            deadline = time.monotonic() + PATIENCE
            while person.seq < last - 1 and time.monotonic() < deadline:
                person.insist("ping")
            expected = {text: seq for text, seq in sent.items() if person.name not in text}
            heard = [(text, seq) for seq, text in person.saw if text in expected]
            assert len(heard) == len(set(heard)), f"{person.name} has seen something twice"
            assert dict(heard) == expected, f"{person.name} misses {set(expected) - set(dict(heard))}"
        assert len(set(sent.values())) == len(sent), "two have one seq"
        # The killed one has said its last word.
        assert all(node.end() == 0 for node in behind if node is not victims[0])


def main(folder):
    certificates(folder)
    engine = nodes.engine_with_schema(folder, "ssl = on", f"ssl_cert_file = '{folder}/server.pem'",
                                      f"ssl_key_file = '{folder}/server.key'")
    address = engine.address(host="localhost", rest=f"?sslrootcert={folder}/ca.pem")
    settings = {"ENGINE": address, "proxies": "127.0.0.1", "http_hosts": "localhost", "insecure": "true"}
    for kind in (Haproxy, Nginx):
        check(f"behind {kind.name} nobody misses a line or sees one twice while a node and the engine are killed",
              through, kind, folder, engine, settings)
    nodes.without_panics(folder)
    engine.stop()


if __name__ == "__main__":
    nodes.run(main)
