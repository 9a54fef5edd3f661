#!/usr/bin/env bash
# Guess:   `recv()` raises when the server closes the connection, as it does when the line breaks; the exception, or the
#          connection, has the code and the reason. A text that is empty is an empty string.
# Truth:   `recv()` answers Close by itself and returns an empty string, the same as for an empty text. The next `recv()`
#          does not raise either: it reads on from the socket, and waits, as long as the server leaves that open. Code and
#          reason are nowhere; only `recv_data(control_frame=True)` has them.
# Version: websocket-client 1.9.2 (PyPI). Source: `recv` and `recv_data_frame` in websocket/_core.py.
# So:      a program that has to know why it was cut off reads with `recv_data`, or with `WebSocketApp` and its `on_close`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websocket-client==1.9.2

cat >find.py <<'PYTHON'
import base64
import hashlib
import socket
import threading
import websocket

TEXT, CLOSE = 1, 8

def frame(kind, payload):
    return bytes([0x80 | kind, len(payload)]) + payload

def serve(frames):
    """A server for one connection, which sends these frames and leaves the connection open."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection = listener.accept()[0]
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(4096)
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + b"".join(frames))
        while connection.recv(4096):
            pass

    threading.Thread(target=run, daemon=True).start()
    return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

def reads(frames):
    """What three calls of `recv()` say, with two seconds for each."""
    client = websocket.create_connection(serve(frames), timeout=2)
    said = []
    for _ in range(3):
        try:
            said.append(client.recv())
        except websocket.WebSocketException as error:
            said.append(type(error).__name__)
            break
    return said

close = frame(CLOSE, (4010).to_bytes(2, "big") + b"taken over")
empty, closed = reads([frame(TEXT, b"hello"), frame(TEXT, b"")]), reads([frame(TEXT, b"hello"), close])
print("a text and an empty text:     ", empty)
print("a text and a Close with 4010: ", closed)
assert closed == ["hello", "", "WebSocketTimeoutException"], "a Close is told in another way now"
assert closed == empty, "a Close and an empty text can be told apart now"

client = websocket.create_connection(serve([close]), timeout=2)
kind, payload = client.recv_data(control_frame=True)
print("recv_data(control_frame=True):", (kind, payload))
assert kind == CLOSE and payload[2:] == b"taken over"
PYTHON
venv/bin/python find.py
echo "as found: with websocket-client 1.9.2 a Close reads like an empty text, and the next read waits"
