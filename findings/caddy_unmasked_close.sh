#!/usr/bin/env bash
# Guess:   a proxy is a client of the server behind it, so what it says there itself is masked (RFC 6455, 5.1).
# Truth:   when Caddy reloads it ends each WebSocket with a Close 1001 of its own to both sides, and sends the server the
#          same unmasked frame as the client. A server that follows the RFC takes that for a fault of the client's.
# Version: Caddy 2.6.2, as in Debian 12 (2.6.2-5). Source: streaming.go of its reverse proxy, `writeCloseControl`;
#          mended after it ("Mask the WS close message when we're the client", caddyserver/caddy #5199).
# So:      the server tells such a Close, which is whole and says 1001, from other unmasked frames, and logs it quietly.
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq caddy=2.6.2-5 2>/dev/null
dpkg -x caddy_*.deb .
export XDG_CONFIG_HOME=$folder XDG_DATA_HOME=$folder

cat >find.py <<'PYTHON'
import socket, subprocess, threading, time

def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

server = socket.create_server(("127.0.0.1", 0))
heard = b""

def serve():
    global heard
    line, _ = server.accept()
    line.recv(65536)
    line.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    while piece := line.recv(65536):
        heard += piece

behind = threading.Thread(target=serve, daemon=True)
behind.start()
front, admin = port(), port()
with open("Caddyfile", "w") as config:
    config.write(f"{{\n\tadmin localhost:{admin}\n}}\nhttp://:{front} {{\n"
                 f"\treverse_proxy 127.0.0.1:{server.getsockname()[1]}\n}}\n")
caddy = subprocess.Popen(["usr/bin/caddy", "run"], stderr=subprocess.DEVNULL)
deadline = time.monotonic() + 20
while True:
    try:
        line = socket.create_connection(("127.0.0.1", front))
        break
    except OSError:
        assert time.monotonic() < deadline, "Caddy does not start"
        time.sleep(0.1)
line.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{front}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
assert line.recv(65536).startswith(b"HTTP/1.1 101")
subprocess.run(["usr/bin/caddy", "reload", "--force", "--address", f"localhost:{admin}"], check=True,
               stderr=subprocess.DEVNULL)
behind.join(20)
caddy.terminate()
print("the server behind Caddy has heard", heard.hex(" "))
# 88: a Close. 02: two bytes, and no mask. 03 e9: 1001.
assert heard[:4] == bytes.fromhex("880203e9"), "it is no longer an unmasked Close"
PYTHON
python3 find.py
echo "as found: Caddy 2.6.2 sends an unmasked Close to the server when it reloads"
