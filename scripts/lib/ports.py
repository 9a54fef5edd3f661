"""Ports for programs that cannot be asked for one of the system's choice."""

import random
import socket
from pathlib import Path

# From here on the system gives ports to connections: one that is free now could be taken by the time it is listened on.
EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
# Where connections get nearly all of them there is no better one.
if EPHEMERAL <= 12_000:
    EPHEMERAL = 32_768


def free_port():
    while True:
        port = random.randrange(10_000, EPHEMERAL)
        with socket.socket() as probe:
            # On all addresses, as proxies listen: a connection that has just ended keeps its port on its own.
            try:
                probe.bind(("", port))
                return port
            except OSError:
                continue
