"""What TLS costs: handshakes beside nginx and haproxy, workload B through TLS, and the memory of idle connections.

Processor time is read from /proc, so that a slow client does not matter: what is measured runs on one core, the
client, the generator and the proxy that does TLS for it on the other. All contenders take turns."""

import os
import shlex
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

import servers
from ports import free_port
from runs import generate
from servers import CORE, GENERATOR_CORE, PATIENCE_S, Programs, die_with_parent, pinned, running
from workloads import TEN_ROOMS

HANDSHAKES = 1500
SECONDS = 4
IDLE = 6000
ANY_NUMBER_OF_CONNECTIONS = (
    ("CHINWAG_LIMITS_CONNECTS_PER_S", "1000000"),
    ("CHINWAG_LIMITS_CONNECTS_BURST", "1000000"),
)
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 16384; }}
http {{ access_log off; ssl_session_tickets on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; location / {{ {serve} }} }} }}
"""
TUNNEL = """proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"""
HAPROXY = """global
  nbthread 1
  maxconn 8000
defaults
  mode {mode}
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend front
  bind 127.0.0.1:{port} {tls}
  {serve}
"""


def spent_us(*pids):
    """The processor time that these processes and their children have taken, all threads together."""
    pids = [*pids, *(child for pid in pids for child in children(pid))]
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e3


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextmanager
def proxy(core, argv, port):
    process = subprocess.Popen(pinned(core, argv), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=die_with_parent)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{argv[0]} does not listen") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        servers.end_quietly(process)


@contextmanager
def nginx(folder, serve="return 200 ok;"):
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, serve=serve))
    with proxy(CORE, ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port) as pid:
        yield port, pid


@contextmanager
def haproxy(folder, core, name, serve, mode="tcp", tls=""):
    port, config = free_port(), folder / f"{name}.cfg"
    config.write_text(HAPROXY.format(mode=mode, port=port, tls=tls, serve=serve))
    with proxy(core, ["haproxy", "-db", "-f", str(config)], port) as pid:
        yield port, pid


def to(port, tls=""):
    return f"default_backend back\nbackend back\n  server chinwag 127.0.0.1:{port} {tls}"


def handshakes(port, trusted, is_resumed):
    """Connects, shakes hands and leaves, again and again. Whether sessions were resumed is verified."""
    context = ssl.create_default_context(cafile=trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    def connect(session=None):
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost",
                                   session=session)

    session = None
    if is_resumed:
        # The ticket comes with the answer.
        with connect() as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while line.recv(65536):
                pass
            session = line.session
    for _ in range(HANDSHAKES):
        with connect(session) as line:
            assert line.session_reused == is_resumed, "resumed, or not, against what was asked"


def of_handshakes(folder, chinwag, rounds):
    crt = f"ssl crt {folder}/both.pem"
    answer = "http-request return status 200 content-type text/plain string ok"
    taken = {}
    with ExitStack() as stack:
        server = stack.enter_context(running(chinwag, settings(folder)))
        contenders = {
            "Chinwag": (int(server.addr.rpartition(":")[2]), server.pid),
            "nginx": stack.enter_context(nginx(folder)),
            "haproxy": stack.enter_context(haproxy(folder, CORE, "answers", answer, "http", crt)),
        }
        for _ in range(rounds):
            for is_resumed in (False, True):
                for name, (port, pid) in contenders.items():
                    before = spent_us(pid)
                    handshakes(port, folder / "cert.pem", is_resumed)
                    each = (spent_us(pid) - before) / HANDSHAKES
                    taken.setdefault((is_resumed, name), []).append(each)
    for is_resumed in (False, True):
        print("TLS 1.3, ECDSA P-256,", "resumed" if is_resumed else "in full")
        for name in contenders:
            show(name, "us of CPU a handshake", taken[is_resumed, name], taken[is_resumed, "Chinwag"])


def settings(folder):
    return (("CHINWAG_TLS_CERTIFICATE", f"{folder}/cert.pem"), ("CHINWAG_TLS_KEY", f"{folder}/key.pem"),
            *ANY_NUMBER_OF_CONNECTIONS)


def of_deliveries(folder, plain, tls, generator, rounds):
    """Workload B, always through a proxy on the generator's core, which does the clients' TLS where there is any."""
    crt = f"ssl crt {folder}/both.pem"
    taken = {}
    for _ in range(rounds):
        for name, argv in (("plain", plain), ("TLS", tls), ("plain behind haproxy's TLS", plain)):
            with ExitStack() as stack:
                server = stack.enter_context(running(argv, settings(folder)))
                port, measured = int(server.addr.rpartition(":")[2]), [server.pid]
                if name.startswith("plain behind"):
                    port, pid = stack.enter_context(haproxy(folder, CORE, "ends", to(port), tls=crt))
                    measured.append(pid)
                said = "" if name == "plain" else "ssl verify none"
                port, _ = stack.enter_context(haproxy(folder, GENERATOR_CORE, "begins", to(port, said)))
                before, counted = spent_us(*measured), server.counters()["deliveries_total"]
                load = [generator, *shlex.split(f"{TEN_ROOMS} --window 8"), "--target", f"ws://127.0.0.1:{port}/ws",
                        "--pid", str(server.pid), "--seconds", str(SECONDS), "--json", "-", "--quiet"]
                report = generate(pinned(GENERATOR_CORE, load), SECONDS)
                assert report["ok"], report.get("failures")
                deliveries = server.counters()["deliveries_total"] - counted
                taken.setdefault(name, []).append((spent_us(*measured) - before) / deliveries)
    print("workload B, 10 rooms of 100, window 8, through haproxy on the generator's core")
    for name, values in taken.items():
        show(name, "us of CPU a delivery", values, taken["plain"])


def of_idle(folder, plain, tls, generator, rounds):
    """Members who say nothing, always through a proxy on the generator's core: user memory of who holds them, each."""
    crt = f"ssl crt {folder}/both.pem"
    taken = {}
    for _ in range(rounds):
        for name, argv in (("plain", plain), ("TLS", tls), ("nginx, plain behind it", plain), ("haproxy, plain behind it", plain)):
            with ExitStack() as stack:
                server = stack.enter_context(running(argv, settings(folder)))
                port, measured = int(server.addr.rpartition(":")[2]), server.pid
                if name.startswith("nginx"):
                    port, pid = stack.enter_context(nginx(folder, TUNNEL.format(port=port)))
                    (measured,) = children(pid)
                elif name.startswith("haproxy"):
                    port, measured = stack.enter_context(haproxy(folder, CORE, "ends", to(port), tls=crt))
                said = "" if name == "plain" else "ssl verify none"
                port, _ = stack.enter_context(haproxy(folder, GENERATOR_CORE, "begins", to(port, said)))
                load = [generator, "idle", "--connections", str(IDLE), "--target", f"ws://127.0.0.1:{port}/ws",
                        "--pid", str(measured), "--seconds", "1", "--json", "-", "--quiet"]
                report = generate(pinned(GENERATOR_CORE, load), SECONDS)
                assert report["ok"], report.get("failures")
                taken.setdefault(name, []).append(report["server"]["user_bytes_per_connection"])
    print(f"{IDLE} members who say nothing, through haproxy on the generator's core")
    for name, values in taken.items():
        show(name, "bytes of user memory each", values, taken["plain"])
    beyond = [sealed - bare for sealed, bare in zip(taken["TLS"], taken["plain"])]
    print(f"  TLS beyond plain             {statistics.median(beyond):8.0f} bytes ({min(beyond):.0f} to {max(beyond):.0f})")


def show(name, unit, values, others):
    ratio = statistics.median(mine / other for mine, other in zip(values, others))
    print(f"  {name:28} {statistics.median(values):8.3f} {unit} ({min(values):.3f} to {max(values):.3f}),"
          f" {ratio:.2f} x", flush=True)


def main(chinwag, generator, rounds="5"):
    with tempfile.TemporaryDirectory(prefix="chinwag-tls-") as name:
        folder = Path(name)
        run = {"check": True, "cwd": folder, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-days", "2", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], **run)
        (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
        plain = Programs(chinwag, generator, "/nonexistent").argv["chinwag"]
        tls = ["tls:127.0.0.1:0" if word == "127.0.0.1:0" and plain[at - 1] == "--listen" else word
               for at, word in enumerate(plain)]
        os.sched_setaffinity(0, {int(GENERATOR_CORE)})
        of_handshakes(folder, tls, int(rounds))
        of_deliveries(folder, plain, tls, generator, int(rounds))
        of_idle(folder, plain, tls, generator, int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
