#!/usr/bin/env bash
# Guess:   an event stream is always UTF-8 (HTML standard, 9.2.5; the media type's charset parameter is optional and can
#          only say UTF-8), so `Content-Type: text/event-stream` is enough.
# Truth:   without `charset=utf-8` sseclient decodes it as ISO-8859-1, since requests gives that to every `text/*` without
#          a charset. And not only are the letters wrong: U+0085 is an end of line for `str.splitlines`, and 0x85 is the
#          second byte of e.g. the Cyrillic "х" and the "Å": the event is cut there, and the rest of it is dropped.
# Version: sseclient 0.0.27 on requests 2.34.2 (PyPI). Source: `_connect` and `Event.parse` in its sseclient.py;
#          `get_encoding_from_headers` in requests.
# So:      the stream says `text/event-stream; charset=utf-8` although the standard does not need it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sseclient==0.0.27 requests==2.34.2 urllib3==2.8.0

cat >find.py <<'PYTHON'
import socket, threading
import sseclient

SAID = "всё хорошо"

def read(media_type):
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = server.accept()
        line.recv(65536)
        line.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n\r\ndata: {SAID}\n\n".encode())
        line.close()

    threading.Thread(target=serve, daemon=True).start()
    return next(iter(sseclient.SSEClient(f"http://127.0.0.1:{server.getsockname()[1]}/"))).data

plain, named = read("text/event-stream"), read("text/event-stream; charset=utf-8")
print("sent:                        ", SAID)
print("text/event-stream:           ", ascii(plain))
print("... with ; charset=utf-8:    ", named)
assert named == SAID, "with a charset it is not read right either"
before = SAID.encode().partition(b"\x85")[0].decode("latin-1")
assert plain == before, "it no longer reads Latin-1 up to the first byte 0x85"
PYTHON
venv/bin/python find.py
echo "as found: sseclient 0.0.27 reads an event stream without a charset as ISO-8859-1 and cuts it at 0x85"
