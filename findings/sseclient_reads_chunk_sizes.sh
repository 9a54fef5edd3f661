#!/usr/bin/env bash
# Guess:   how a server cuts its answer into HTTP/1.1 chunks is invisible to who reads the events (RFC 9112, 7.1: chunks
#          are framing, not content), so an event may be sent in two chunks.
# Truth:   sseclient reads from the socket below the chunked decoding. The lines with the chunks' sizes become lines of
#          the event stream. One chunk for each event works by luck (a line "1b" is a field that nobody knows); an event
#          in two chunks loses what follows the seam, without an error.
# Version: sseclient 0.0.27 on requests 2.34.2, urllib3 2.8.0 (PyPI). Source: `iter_content` in its sseclient.py, which
#          calls `resp.raw._fp.fp.read1`.
# So:      a stream of events for such clients ends with the connection instead of being chunked, or each chunk holds
#          whole events; a proxy that cuts anew undoes the latter.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sseclient==0.0.27 requests==2.34.2 urllib3==2.8.0

cat >find.py <<'PYTHON'
import socket, threading
import requests, sseclient

EVENTS = [b"id: 1\ndata: first line\n\n", b"id: 2\ndata: the words of the second\n\n"]

def answer(pieces):
    """An address that answers once, with these bytes as the chunks of one answer."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = server.accept()
        line.recv(65536)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.sendall(b"0\r\n\r\n")
        line.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/"

def read(pieces):
    stream = iter(sseclient.SSEClient(answer(pieces)))
    return [next(stream).data for _ in EVENTS]

halves = [EVENTS[0], b"id: 2\ndata: the words of", b" the second\n\n"]
body = b"".join(requests.get(answer(halves), stream=True).iter_content(4096))
print("requests alone, second event in two chunks:", body)
assert body == b"".join(EVENTS), "requests does not put the chunks together"
whole, cut = read(EVENTS), read(halves)
print("sseclient, a chunk for each event:         ", whole)
print("sseclient, second event in two chunks:     ", cut)
assert whole == ["first line", "the words of the second"], "whole chunks are no longer read by luck"
assert cut == ["first line", "the words of"], "it no longer loses what follows the seam"
PYTHON
venv/bin/python find.py
echo "as found: sseclient 0.0.27 takes HTTP chunk sizes for lines of the event stream"
