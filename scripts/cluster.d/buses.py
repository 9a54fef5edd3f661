"""Two nodes and a bus: it carries what may be lost, and nobody misses anything while it is away."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

from engines import certificates, free_port
import nodes
from nodes import CHINWAG, PATIENCE, Client, Node, check

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")


class Bus:
    """A Valkey or Redis on a port, with TLS on another and a socket, all its own."""

    def __init__(self, folder, name, password="right"):
        self.folder, self.password = folder / name, password
        self.folder.mkdir()
        certificates(self.folder)
        self.port, self.tls = free_port(), free_port()
        self.socket = self.folder / "socket"
        self.start()

    def start(self):
        options = {
            "port": self.port, "tls-port": self.tls, "tls-cert-file": "server.pem", "tls-key-file": "server.key",
            "tls-ca-cert-file": "ca.pem", "tls-auth-clients": "no", "unixsocket": self.socket, "bind": "127.0.0.1",
            "requirepass": self.password, "save": "", "appendonly": "no", "dir": self.folder, "logfile": self.folder / "log.txt",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen([SERVER, *words], cwd=self.folder, stdout=subprocess.DEVNULL)
        until("the bus answers", lambda: self.ask("PING") == b"+PONG\r\n")

    def ask(self, *words):
        """The first bytes of an answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                assert connection.recv(64).startswith(b"+OK")
                connection.sendall((" ".join(words) + "\r\n").encode())
                return connection.recv(65536)
        except ConnectionError:
            return b""

    def published(self):
        """How often something was published."""
        for line in self.ask("INFO", "commandstats").decode().splitlines():
            if line.startswith("cmdstat_publish:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    def address(self, password=None):
        return f"redis://:{password or self.password}@127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        os.kill(self.process.pid, number)


GRACE = {"timeouts_leave_grace": "300ms"}


@contextlib.contextmanager
def another(folder, name, engine, **settings):
    """One more node, for a while."""
    node = Node(folder, name, engine, **settings, **GRACE).await_ready()
    try:
        yield node
    finally:
        code = node.end()
    assert code == 0, f"{name} has left with {code}"


def until(what, is_so, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {patience} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def figure(node, name):
    """A series of a node."""
    with urllib.request.urlopen(f"http://{node.admin}/metrics", timeout=PATIENCE) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    raise KeyError(name)


def uses(node, is_used=True):
    until(lambda: f"{node.name} {'uses' if is_used else 'does not use'} its bus: {node.get('/api/v1/nodes')[1]}",
          lambda: figure(node, "chinwag_cluster_bus_used") == is_used, 2 * PATIENCE)


def talk(one, other, patience=1.0):
    """What is said and done at one node is seen at the other, soon."""
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    until("bob is there", lambda: nodes.presence_of(ann, "bob") == "online")
    took = []
    for _ in range(5):
        begin = time.monotonic()
        ann.ask("send", room="lobby", text=f"{begin}")
        bob.event("message", text=f"{begin}")
        took.append(time.monotonic() - begin)
    # What is not told is found every 2 s. The machine may stand still for one or two of them.
    assert sorted(took)[2] < patience, f"messages took {took} s"
    ann.ask("typing", room="lobby", on=True)
    bob.event("typing", room="lobby")
    bob.socket.shutdown(socket.SHUT_RDWR)
    until("bob is gone", lambda: nodes.presence_of(ann, "bob") == "off")


def carried(bus, one, other):
    uses(one), uses(other)
    before, told = bus.published(), one.get("/api/v1/nodes")[1]
    nodes.records(one, other)
    talk(one, other)
    assert bus.published() - before >= 10, "the bus has carried little"
    assert told["bus"]["up"] and told["bus"]["server"] and not told["apart"], told


def direct(one, other):
    nodes.direct(one, other)
    nodes.kick(one, other)


def killed(bus, one, other):
    bus.kill()
    uses(one, False), uses(other, False)
    talk(one, other)
    assert "no process listens there" in one.get("/api/v1/nodes")[1]["bus"]["fault"], one.get("/api/v1/nodes")
    assert one.get("/readyz")[0] == 200
    bus.start()
    uses(one), uses(other)
    talk(one, other)
    assert figure(one, "chinwag_cluster_bus_losses_total") >= 1


def hung(bus, one, other):
    ann, bob, cleo = Client(one, "ann"), Client(other, "bob"), Client(other, "cleo")
    for client in [ann, bob, cleo]:
        client.ask("join", room="lobby")
    until("all are there", lambda: {nodes.presence_of(ann, name) for name in ["bob", "cleo"]} == {"online"})
    bus.signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        ann.ask("send", room="lobby", text="is it there?")
        # Nobody is told of it but by the bus, which hangs.
        cleo.socket.shutdown(socket.SHUT_RDWR)
        bob.event("message", text="is it there?")
        took = time.monotonic() - begin
        assert took < 5, f"it took {took:.3f} s"
        uses(one, False), uses(other, False)
        until("cleo is gone", lambda: nodes.presence_of(ann, "cleo") == "off")
        bob.socket.shutdown(socket.SHUT_RDWR)
        talk(one, other)
        assert "hang" in one.get("/api/v1/nodes")[1]["bus"]["fault"], one.get("/api/v1/nodes")
    finally:
        bus.signal(signal.SIGCONT)
    uses(one), uses(other)
    talk(one, other)


def wrong_password(folder, engine, bus):
    with another(folder, "stranger", engine, BUS=bus.address("mistaken")) as node:
        until("it is refused", lambda: "WRONGPASS" in (node.get("/api/v1/nodes")[1]["bus"]["fault"] or ""))
    assert "mistaken" not in (folder / "stranger" / "log").read_text()


def mixed(folder, engine, one, other, settings, expected):
    """A node that is set up otherwise is told of, and nobody is deaf."""
    with another(folder, f"odd{len(list(folder.glob('odd*')))}", engine, **settings) as node:
        uses(one, False), uses(other, False)
        talk(one, node)
        talk(node, other)
        until(f"one says {expected[0]}", lambda: expected[0] in str(one.get("/api/v1/nodes")[1]["apart"]))
        until(f"the odd one says {expected[1]}", lambda: expected[1] in str(node.get("/api/v1/nodes")[1]["apart"]))
        assert figure(one, "chinwag_cluster_bus_apart") == 1
    uses(one), uses(other)
    talk(one, other)


def other_ways(folder, engine, bus, one):
    """By a socket of the file system, and by TLS."""
    roots = f"sslrootcert={bus.folder}/ca.pem"
    for name, address in [("socket", f"unix://:right@{bus.socket}"), ("tls", f"rediss://:right@localhost:{bus.tls}?{roots}")]:
        with another(folder, name, engine, BUS=address) as node:
            uses(node), uses(one)
            talk(one, node)
    with another(folder, "untrusting", engine, BUS=f"rediss://:right@127.0.0.1:{bus.tls}?{roots}") as node:
        until("a certificate of another name is refused",
              lambda: "TLS failed" in (node.get("/api/v1/nodes")[1]["bus"]["fault"] or ""))


def doctor(folder, engine, bus):
    for address, code, expected in [(bus.address(), 0, "what is published comes back"),
                                    (bus.address("mistaken"), 0, "WRONGPASS"),
                                    (f"redis://127.0.0.1:{free_port()}", 0, "does Valkey or Redis listen there?"),
                                    (bus.address() + "?x=1", 1, "the parameter \"x\"")]:
        env = {"PATH": os.environ["PATH"], "CHINWAG_CLUSTER_ENGINE": engine.address(), "CHINWAG_CLUSTER_LEVEL": "disk",
               "CHINWAG_CLUSTER_BUS": address, "CHINWAG_DATA": str(folder / "doctor")}
        done = subprocess.run([CHINWAG, "doctor"], capture_output=True, text=True, timeout=60, env=env)
        said = done.stdout + done.stderr
        lines = [line for line in said.splitlines() if " bus " in line or "cluster.bus" in line]
        assert lines and expected in str(lines), said
        assert ":right" not in said and "mistaken" not in said, said
        if code:
            assert done.returncode != 0, said


def main(folder):
    engine = nodes.engine_with_schema(folder)
    bus, elsewhere = Bus(folder, "bus"), Bus(folder, "elsewhere")
    try:
        settings = {"BUS": bus.address(), **GRACE}
        one, other = (Node(folder, name, engine, **settings).await_ready() for name in ("one", "two"))
        check("the bus carries who is there, who types, and which rooms have grown", carried, bus, one, other)
        check("what must not be lost arrives, too", direct, one, other)
        check("without the bus all goes on, and with it again", killed, bus, one, other)
        check("a bus that hangs is found out, and what it had is told again", hung, bus, one, other)
        check("a wrong password is said, and not shown", wrong_password, folder, engine, bus)
        check("a node without a bus is told of and hears everything", mixed, folder, engine, one, other, {},
              ("has no bus", "has a bus, and this node has none"))
        check("a node with another bus is told of and hears everything", mixed, folder, engine, one, other,
              {"BUS": elsewhere.address()}, ("has another bus", "has another bus"))
        check("a bus is reached by a socket of the file system, and by TLS", other_ways, folder, engine, bus, one)
        check("doctor looks at the bus", doctor, folder, engine, bus)
        check("nodes stop in good order", nodes.stopped, one, other)
        nodes.without_panics(folder)
    finally:
        bus.kill(), elsewhere.kill()
        engine.stop()


if __name__ == "__main__":
    nodes.run(main)
