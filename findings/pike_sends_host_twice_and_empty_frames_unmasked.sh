#!/usr/bin/env bash
# Guess:   a WebSocket client writes one `Host` (RFC 9112, 3.2: a server answers 400 to more than one), with the port that
#          it connects to, and masks each frame (RFC 6455, 5.1), also one without a payload.
# Truth:   Pike's writes `Host` twice, without the port, and masks only what has a payload: it answers a ping that has none
#          by an unmasked pong, for which a server must end the connection (1002). A server that lets both pass loses
#          nothing; one that follows the RFCs cannot be reached, or only until its first ping.
# Version: Pike 8.0.1738, as in Debian 12 (8.0.1738-1+b2). Source: `connect`, `low_connect` and `send` in its WebSocket.pmod.
# So:      a subclass whose `low_connect` takes "Host" out of the headers connects; who is pinged without a payload uses
#          something else.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq pike8.0-core=8.0.1738-1+b2 2>/dev/null
dpkg -x pike8.0-core_*.deb .
export PIKE_MODULE_PATH=$folder/usr/lib/pike8.0/modules PIKE_INCLUDE_PATH=$folder/usr/lib/pike8.0/include

cat >client.pike <<'PIKE'
int main(int count, array(string) argv)
{
  Protocols.WebSocket.Connection socket = Protocols.WebSocket.Connection();
  socket->onclose = lambda(mixed ... reason) { exit(0); };
  socket->connect(Standards.URI(argv[1]));
  return -1;
}
PIKE

cat >find.py <<'PYTHON'
import atexit, base64, hashlib, os, socket, subprocess

with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
    pike = os.path.abspath("usr/lib/pike8.0")
    argv = ["usr/bin/pike8.0", "-m", f"{pike}/master.pike", "client.pike", f"ws://127.0.0.1:{port}/chat"]
    client = subprocess.Popen(argv)
    atexit.register(client.kill)
    server.settimeout(20)
    line, _ = server.accept()
    line.settimeout(20)
    head = line.recv(65536).decode()
    fields = [field.split(": ", 1) for field in head.split("\r\n")[1:] if field]
    key = next(value for name, value in fields if name.lower() == "sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    line.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    pongs = []
    for payload in (b"", b"here?"):
        line.sendall(bytes([0x89, len(payload)]) + payload)
        pongs.append(line.recv(65536))
    line.close()
    client.wait(20)

hosts = [value for name, value in fields if name.lower() == "host"]
masked = [bool(pong[1] & 0x80) for pong in pongs]
print("the fields Host of its request:", hosts, "on port", port)
print("masked: its pong to a ping without a payload", masked[0], "and to one with a payload", masked[1])
assert all(pong[0] == 0x8A for pong in pongs), pongs
assert hosts == ["127.0.0.1"] * 2 and masked == [False, True], "it is another matter now"
PYTHON
python3 find.py
echo "as found: Pike 8.0.1738 writes Host twice, and does not mask an empty pong"
