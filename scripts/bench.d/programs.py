"""What programs over HTTP cost.

usage: programs.py CHINWAG sse [rounds=N] [listeners=N] [messages=N]
       programs.py CHINWAG post [rounds=N] [connections=N] [seconds=N]

sse: listeners of one room by streams of events, beside as many members of it by WebSocket.
post: messages posted by wrk over kept-alive connections, beside nginx, Node's own HTTP server and uWebSockets.js, which
discard the body and give a fixed 201.

Processor time is read from /proc, so that a slow client does not matter: what is measured runs on one core, the client
on the other. All contenders take turns, in the other order each second round."""

import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from servers import CORE, GENERATOR_CORE, PATIENCE_S, ROOT, Programs, pinned, running
from tls import ANY_NUMBER_OF_CONNECTIONS, free_port, proxy, show, spent_us

# What each message has once, and nothing else that is sent.
MARK = b"~"
TEXT = MARK + b"x" * 31
# Joins and presence are over when nothing has come for so long.
QUIET_S = 1.0
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 201 '{answer}'; }} }} }}
"""
ANSWER = '{"room":"bench","seq":1000000,"at":1763700001456,"durable":"memory"}'
# What wrk sends, and has to say when it is done.
WRK = """wrk.method, wrk.body = "POST", "%s"
wrk.headers["Content-Type"] = "text/plain"
function done(summary)
  local e = summary.errors
  print("=", summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout)
end
"""


def post(name):
    head = f"POST /rooms/bench/messages?as={name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
    return f"{head}Content-Length: {len(TEXT)}\r\n\r\n".encode() + TEXT


def answered(line):
    """Reads one answer, which must be 201; its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += more(line)
    head, _, body = data.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    length = next(int(field[15:]) for field in head.split(b"\r\n") if field.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += more(line)
    if status != b"201" or len(body) > length:
        raise RuntimeError(f"answered with {head!r} {body!r}")
    return body


def more(line):
    data = line.recv(65536)
    if not data:
        raise RuntimeError("the server has closed a connection")
    return data


class Listeners:
    """Those who are told what is said in a room."""

    def __init__(self, port, count, begin):
        self.poll = select.epoll()
        self.lines, self.heard, self.count = {}, 0, count
        for nth in range(count):
            line = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
            begin(line, f"l{nth}")
            line.setblocking(False)
            self.lines[line.fileno()] = line
            self.poll.register(line, select.EPOLLIN)
        # What tells of the others who have come.
        while self.read(QUIET_S):
            pass

    def read(self, patience_s):
        """Reads what has come; whether anything has."""
        ready = self.poll.poll(patience_s)
        for fd, _ in ready:
            self.heard += more(self.lines[fd]).count(MARK)
        return bool(ready)

    def hear(self):
        """Waits until each has been told one message more."""
        wanted = self.heard + self.count
        while self.heard < wanted:
            if not self.read(PATIENCE_S):
                raise RuntimeError(f"{wanted - self.heard} of {self.count} were told nothing")
        if self.heard > wanted:
            raise RuntimeError("a message was told twice")

    def close(self):
        for line in self.lines.values():
            line.close()


def by_stream(line, name):
    line.sendall(f"GET /rooms/bench/events?as={name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())


def by_websocket(line, name):
    head = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    line.sendall(f"{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += more(line)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"no WebSocket: {answer!r}")
    for request in ({"op": "hello", "name": name}, {"op": "join", "room": "bench"}):
        payload = json.dumps(request).encode()
        # A mask of zeros leaves the payload as it is.
        line.sendall(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


def of_listeners(chinwag, rounds=5, listeners=10_000, messages=50):
    """CPU for each message and listener: the message comes by HTTP in both cases, so that only its ways out differ."""
    taken = {}
    contenders = {"WebSocket": by_websocket, "streams of events": by_stream}
    for nth in range(rounds):
        for name in in_turn(contenders, nth):
            begin = contenders[name]
            with running(chinwag, ANY_NUMBER_OF_CONNECTIONS) as server:
                port = int(server.addr.rpartition(":")[2])
                poster = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
                # The room is there before anybody listens to it.
                poster.sendall(post("poster"))
                answered(poster)
                all_of_them = Listeners(port, listeners, begin)
                for number in range(messages + 1):
                    if number == 1:
                        before = spent_us(server.pid)
                    poster.sendall(post("poster"))
                    answered(poster)
                    all_of_them.hear()
                spent = spent_us(server.pid) - before
                taken.setdefault(name, []).append(spent / (messages * listeners))
                all_of_them.close()
                poster.close()
    print(f"{listeners} listeners of one room, {messages} messages of {len(TEXT)} bytes, one after the other")
    for name in contenders:
        show(name, "us of CPU a delivery", taken[name], taken["WebSocket"])


@contextmanager
def nginx(folder):
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, answer=ANSWER))
    with proxy(CORE, ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port) as pid:
        yield port, pid


@contextmanager
def listening(argv):
    with running(argv, ANY_NUMBER_OF_CONNECTIONS) as server:
        yield int(server.addr.rpartition(":")[2]), server.pid


def seq_of(port):
    """The number of one message more; always the same where the answer is fixed."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
        line.sendall(post("poster"))
        return json.loads(answered(line))["seq"]


def posts(port, pid, folder, connections, seconds):
    """Requests a second, and microseconds of CPU for each; each connection always has one under way."""
    script = folder / "post.lua"
    script.write_text(WRK % TEXT.decode())
    url = f"http://127.0.0.1:{port}/rooms/bench/messages?as=poster"
    wrk = ["wrk", "-t", "1", "-c", str(connections), "-d", str(seconds), "-s", str(script), url]
    seq, before = seq_of(port), spent_us(pid)
    said = subprocess.run(pinned(GENERATOR_CORE, wrk), check=True, capture_output=True, text=True).stdout
    spent, taken = spent_us(pid) - before, seq_of(port) - seq - 1
    _, requests, micros, failed = next(line for line in said.splitlines() if line.startswith("=")).split()
    requests, micros = int(requests), int(micros)
    # Each was taken as a message of its own; those that are under way when wrk ends it does not count.
    if int(failed) or not (taken == -1 or requests <= taken <= requests + connections):
        raise RuntimeError(f"{failed} of {requests} requests have failed, {taken} messages were taken")
    return requests * 1e6 / micros, spent / requests


def of_posts(chinwag, rounds=5, connections=64, seconds=4):
    node = ROOT / "benches/peers/http"
    contenders = {
        "Chinwag": lambda folder: listening(chinwag),
        "nginx, a fixed 201": nginx,
        "Node, a fixed 201": lambda folder: listening(["node", str(node / "server.js")]),
        "uWebSockets.js, a fixed 201": lambda folder: listening(["node", str(node / "uwebsockets.js")]),
    }
    rates, taken = {}, {}
    for nth in range(rounds):
        for name in in_turn(contenders, nth):
            # The temporary folder is entered by nginx's worker, which is another user where we are root.
            with tempfile.TemporaryDirectory(prefix="chinwag-bench-") as name_of_folder, ExitStack() as stack:
                os.chmod(name_of_folder, 0o755)
                folder = Path(name_of_folder)
                port, pid = stack.enter_context(contenders[name](folder))
                rate, each = posts(port, pid, folder, connections, seconds)
                rates.setdefault(name, []).append(rate)
                taken.setdefault(name, []).append(each)
    print(f"POST of a message of {len(TEXT)} bytes to a memory room, {connections} connections that are kept")
    for name in contenders:
        show(name, "us of CPU a request", taken[name], taken["Chinwag"])
        rate, core = statistics.median(rates[name]), 1e6 / statistics.median(taken[name])
        print(f"  {'':28} {rate:8.0f} a second, {core:.0f} a second and core", flush=True)


def in_turn(contenders, nth):
    return list(contenders)[:: -1 if nth % 2 else 1]


def main(chinwag, what, *words):
    numbers = {key: int(value) for key, _, value in (word.partition("=") for word in words)}
    argv = Programs(chinwag, "/nonexistent", "/nonexistent").argv["chinwag"]
    os.sched_setaffinity(0, {int(GENERATOR_CORE)})
    began = time.monotonic()
    {"sse": of_listeners, "post": of_posts}[what](argv, **numbers)
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
