#!/usr/bin/env bash
# Guess:   where `http_proxy` and `https_proxy` name the way out, a client of `ws://` takes the first and one of `wss://` the
#          second; Python's libraries agree on it, as all of them ask `urllib.request.getproxies` or read the same variables.
# Truth:   five libraries have five rules. For `ws://` websockets takes `https_proxy` before `http_proxy`, to which a note in
#          RFC 6455 (4.1) encourages, websocket-client and niquests `http_proxy`, aiohttp (with `trust_env`) and httpx-ws
#          neither: of these the first knows only `ws_proxy` and `wss_proxy`, and the other only `all_proxy`, although both
#          take `http_proxy` for `http://`. Where the proxy is the only way out, the same program reaches the server with one
#          of them and not with the next.
# Version: websockets 17.4, websocket-client 1.9.2, aiohttp 3.14.5, httpx-ws 0.9.0 on httpx 0.28.1, niquests 3.21.2 (PyPI).
# Source:  `get_proxy` in proxy.py of websockets; `get_proxy_info` in _url.py of websocket-client; `proxies_from_env` in
#          helpers.py of aiohttp; `get_environment_proxies` in _utils.py of httpx.
# So:      a bot behind a proxy names it in its own code.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websockets==17.4 websocket-client==1.9.2 aiohttp==3.14.5 \
  httpx==0.28.1 httpx-ws==0.9.0 niquests==3.21.2

cat >client.py <<'PYTHON'
import asyncio
import sys

async def with_websockets(url):
    import websockets
    async with websockets.connect(url, open_timeout=3):
        pass

async def with_aiohttp(url):
    import aiohttp
    async with aiohttp.ClientSession(trust_env=True) as session, session.ws_connect(url):
        pass

def with_websocket_client(url):
    import websocket
    websocket.create_connection(url, timeout=3)

def with_httpx_ws(url):
    import httpx_ws
    with httpx_ws.connect_ws(url):
        pass

def with_niquests(url):
    import niquests
    niquests.get(url, timeout=3)

client = globals()["with_" + sys.argv[1]]
# Each proxy hangs up once it was asked, and there is no server.
try:
    asyncio.run(client(sys.argv[2])) if asyncio.iscoroutinefunction(client) else client(sys.argv[2])
except Exception:
    sys.exit(0)
sys.exit("it has reached a server that is not there")
PYTHON

cat >find.py <<'PYTHON'
import os
import socket
import subprocess
import sys
import threading

def asked(client, url, variables):
    """The variable whose proxy the client asks first, or `none`."""
    names, proxies = [], {}

    def serve(name, listener):
        try:
            while True:
                connection = listener.accept()[0]
                connection.recv(4096)
                names.append(name)
                connection.close()
        except OSError:
            pass

    for name in variables:
        listener = socket.create_server(("127.0.0.1", 0))
        proxies[name] = listener
        threading.Thread(target=serve, args=(name, listener), daemon=True).start()
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {name: f"http://127.0.0.1:{proxy.getsockname()[1]}" for name, proxy in proxies.items()}
    subprocess.run([sys.executable, "client.py", client, url], env=environment, check=True, timeout=60,
                   stderr=subprocess.DEVNULL)
    for proxy in proxies.values():
        proxy.close()
    return names[0] if names else "none"

usual, every = ["http_proxy", "https_proxy"], ["http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"]
expected = {
    "websockets": ["https_proxy", "https_proxy", "ws_proxy", "none"],
    "websocket_client": ["http_proxy", "https_proxy", "http_proxy", "none"],
    "aiohttp": ["none", "none", "ws_proxy", "none"],
    "httpx_ws": ["none", "none", "all_proxy", "all_proxy"],
    "niquests": ["http_proxy", "https_proxy", "ws_proxy", "all_proxy"],
}
print(f"{'':17}{'ws://':13}{'wss://':13}{'ws://, every':13}{'ws://, all_proxy alone':13}")
for client, rule in expected.items():
    cases = ("ws", usual), ("wss", usual), ("ws", every), ("ws", ["all_proxy"])
    found = [asked(client, f"{scheme}://chat.invalid/", names) for scheme, names in cases]
    print(f"{client:17}" + "".join(f"{name:13}" for name in found))
    assert found == rule, f"{client} has another rule now"
PYTHON
venv/bin/python find.py
echo "as found: these five take a WebSocket through the proxies of the environment by five rules"
