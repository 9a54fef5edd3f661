#!/usr/bin/env bash
# Guess:   `http_open_websocket/3` asks for a WebSocket as RFC 6455 wants it, by "HTTP/1.1 or higher" (4.1): the example in
#          its documentation is two lines long.
# Truth:   it asks by HTTP/1.0, for which a server has no upgrade (RFC 9110, 7.8: it must be ignored there), and fails with
#          "No permission to open websocket", which says nothing of the answer's words. Once library(http/http_stream) is
#          loaded, for whatever reason, the same call asks by HTTP/1.1.
# Version: SWI-Prolog 9.0.4, as in Debian 12 (9.0.4+dfsg-2). Source: `http_version/1` in its http_open.pl ("We can only use
#          1.1 if we support chunked encoding"), whose page names that library among the optional ones.
# So:      load library(http/http_stream) beside library(http/websocket).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in swi-prolog-core=9.0.4+dfsg-2 swi-prolog-core-packages=9.0.4+dfsg-2 libtcmalloc-minimal4=2.10-1; do
  apt-get download -qq "$package" 2>/dev/null
done
for file in *.deb; do dpkg -x "$file" .; done
export SWI_HOME_DIR=$folder/usr/lib/swi-prolog LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu)

cat >client.pl <<'PROLOG'
:- use_module(library(http/websocket)).

ask(Url) :-
    catch(http_open_websocket(Url, _, []), error(Error, _), (print(Error), nl)).
PROLOG

cat >find.py <<'PYTHON'
import socket, subprocess

def asks(*libraries):
    """The first line of the request, and what the program says of an answer of 400."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/chat"
        goals = [f"use_module(library({library}))" for library in libraries] + [f"ask('{url}')", "halt"]
        argv = ["usr/bin/swipl", "-q", "-l", "client.pl", "-g", ",".join(goals)]
        client = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        server.settimeout(20)
        line, _ = server.accept()
        head = line.recv(65536).decode()
        line.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        line.close()
        said, _ = client.communicate(timeout=20)
    assert "upgrade: websocket" in head.lower(), head
    return head.splitlines()[0], said.strip()

for libraries in ([], ["http/http_stream"]):
    request, said = asks(*libraries)
    print(f"with {libraries or 'library(http/websocket) alone'}: {request!r}; of an answer 400 it says {said[:40]!r}")
    assert request == f"GET /chat HTTP/1.{len(libraries)}", "it is another matter now"
PYTHON
python3 find.py
echo "as found: SWI-Prolog 9.0.4 asks for a WebSocket by HTTP/1.0"
