#!/usr/bin/env bash
# Guess:   what passes bytes between two sockets passes the end of one side on (shutdown), and goes on in the other
#          direction until that ends, too: `printf … | nc -N` has its answer.
# Truth:   systemd-socket-proxyd ends both as soon as one side has ended and its bytes are delivered. The answer is lost.
# Version: systemd 252, as in Debian 12. Source: src/socket-proxy/socket-proxyd.c, `traffic_cb`: "Client closed, and all
#          data written to server?" releases the connection; systemd-socket-proxyd(8) says nothing of it.
# So:      the documentation tells who needs half-closed TCP to take another proxy.
set -euo pipefail

proxyd=/lib/systemd/systemd-socket-proxyd
[ -x "$proxyd" ] && command -v systemd-socket-activate >/dev/null || {
  echo "error: install systemd of Debian 12" >&2
  exit 1
}
systemctl --version | head -1

PROXYD=$proxyd python3 - <<'PYTHON'
import os, socket, subprocess, threading, time

def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

server = socket.create_server(("127.0.0.1", 0))

def serve():
    """Answers when its client has ended its side, a little later: as any server that has something to do."""
    while True:
        line, _ = server.accept()
        asked = b""
        while piece := line.recv(65536):
            asked += piece
        time.sleep(0.2)
        try:
            line.sendall(b"answer to " + asked)
        except OSError:
            pass
        line.close()

def ask(port):
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(b"question")
        line.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            while piece := line.recv(65536):
                heard += piece
        except OSError as error:
            heard += f"({type(error).__name__})".encode()
        return heard

threading.Thread(target=serve, daemon=True).start()
behind, front = server.getsockname()[1], port()
argv = ["systemd-socket-activate", "-l", f"127.0.0.1:{front}", os.environ["PROXYD"], f"127.0.0.1:{behind}"]
proxy = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
try:
    deadline = time.monotonic() + 20
    while True:
        try:
            through = ask(front)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the proxy does not start"
            time.sleep(0.1)
finally:
    proxy.terminate()
direct = ask(behind)
print("direct:", direct, "through the proxy:", through)
assert direct == b"answer to question"
assert not through.startswith(b"answer"), "the proxy keeps the other side open now"
PYTHON
echo "as found: systemd-socket-proxyd ends both sides when one has ended"
