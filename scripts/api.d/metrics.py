"""Reads the metrics page with Prometheus's own client; the number of series must not depend on what clients do."""

import json
import os
import secrets
import socket
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

ROOMS = int(os.environ.get("ROOMS", "20000"))


def series(url: str) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    with urllib.request.urlopen(url, timeout=10) as response:
        page = response.read().decode()
    families = list(text_string_to_metric_families(page))
    assert all(family.documentation and family.type != "unknown" for family in families), "a family without help or type"
    return {(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples}


def main() -> None:
    url, tcp = sys.argv[1:]
    host, port = tcp.rsplit(":", 1)
    before = series(url)
    assert len(before) > 100, before
    made = 0
    while made < ROOMS:
        # One user is in as many rooms as it may.
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            lines = connection.makefile("rw", encoding="utf-8", newline="\n")
            asked = [{"op": "hello", "id": 0, "name": f"u{secrets.token_hex(8)}"}]
            asked += [{"op": "join", "id": n, "room": f"r{secrets.token_hex(8)}"} for n in range(1, 101)]
            for request in asked:
                lines.write(json.dumps(request) + "\n")
            lines.flush()
            answered = 0
            while answered < len(asked):
                answer = json.loads(lines.readline())
                if "id" in answer:
                    assert answer["code"] == 0, answer
                    answered += 1
            made += 100
    after = series(url)
    assert before == after, before ^ after
    print(f"{len(after)} series before and after {made} rooms")


main()
