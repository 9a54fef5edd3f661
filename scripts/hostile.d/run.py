"""Attacks a server: requests that are understood in two ways, slow clients, and what its TLS offers.

usage: run.py HOST PORT                                            requests alone, against any server
       run.py HOST PORT --admin A --tcp T [--tls P] [--slow N] [--proxies DIR]

With --admin, the server's count of answers is compared with what came back, directly and behind each proxy: a request
that the server has seen and the client has not asked for was smuggled. Leaves with 1 if anything is not as it should be.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import slow
from requests import rows
from talk import answers, converse, counter, responses

faults = []


def check(is_fine, what):
    if not is_fine:
        faults.append(what)
        print(f"  FAULT {what}", flush=True)


def settled(admin):
    """The server's count of answers once it rests."""
    count = responses(admin)
    while True:
        time.sleep(0.02)
        again = responses(admin)
        if again == count:
            return count
        count = again


def direct(address, admin):
    """Each request by itself: its answer, how many there are, and that the connection ends."""
    tried = 0
    for name, lesson, data, statuses, most in rows():
        before = settled(admin) if admin else 0
        heard, has_ended = converse(address, data)
        found = answers(heard)
        first = found[0][0] if found else None
        # A goodbye of another protocol, or nothing, is no answer.
        check(first in statuses or (first is None and None in statuses), f"{lesson} {name}: answered {first}")
        check(len(found) <= most, f"{lesson} {name}: {len(found)} answers")
        check(has_ended, f"{lesson} {name}: the connection stays")
        if admin:
            seen = settled(admin) - before
            check(seen <= max(most, len(found)), f"{lesson} {name}: the server has answered {seen:.0f} requests")
        tried += 1
    print(f"  directly: {tried} requests", flush=True)


def counts(proxy, admin, data, is_last_word):
    """How many answers of the server come back through the proxy, and how many it has given."""
    before = settled(admin)
    heard, _ended = converse(("127.0.0.1", proxy.port), data, 6 if is_last_word else 2, is_last_word)
    return sum(is_ours for _status, is_ours in answers(heard)), settled(admin) - before


def behind(proxy, admin):
    """The same through a proxy: it and the server count the same requests."""
    tried = passed = 0
    for name, lesson, data, _statuses, most in rows():
        if len(data) > 1 << 20:
            continue
        ours, seen = counts(proxy, admin, data, True)
        if seen > max(ours, most):
            # A proxy may let go of an answer whose client has sent FIN, as if it had gone.
            ours, seen = counts(proxy, admin, data, False)
        check(seen <= max(ours, most) and ours <= 2, f"{lesson} {name} behind {proxy.name}: {ours} answers, of {seen:.0f} that the server gave")
        tried, passed = tried + 1, passed + (seen > 0)
    print(f"  behind {proxy.version()}: {tried} requests, of which {passed} came through; no other was answered", flush=True)


def all_proxies(folder, web, tcp, admin):
    sys.path.insert(0, folder)
    from proxies import Caddy, Haproxy, Nginx

    for kind in (Nginx, Haproxy, Caddy):
        place = tempfile.mkdtemp(prefix="chinwag-hostile-")
        proxy = kind(place, web, tcp)
        try:
            proxy.start()
            behind(proxy, admin)
        finally:
            proxy.stop()
            shutil.rmtree(place)


def scan(port):
    """What sslyze finds of the TLS: versions, ciphers, and what was broken once."""
    command = Path(sys.executable).with_name("sslyze")
    found = tempfile.NamedTemporaryFile(suffix=".json")
    # The certificate is one of this run: only what is spoken counts, and that is in the report.
    subprocess.run(
        [command, "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--heartbleed", "--openssl_ccs",
         "--robot", "--reneg", "--compression", "--early_data", "--fallback", "--elliptic_curves", "--resum",
         f"--json_out={found.name}", "--quiet", f"127.0.0.1:{port}"],
        check=False, stdout=subprocess.DEVNULL, timeout=120,
    )
    report = json.loads(Path(found.name).read_text())["server_scan_results"][0]["scan_result"]
    taken = lambda name: [suite["cipher_suite"]["name"] for suite in report[name]["result"]["accepted_cipher_suites"]]
    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        check(not taken(f"{version}_cipher_suites"), f"C14 sslyze: {version} is spoken")
    ciphers = taken("tls_1_2_cipher_suites") + taken("tls_1_3_cipher_suites")
    check(taken("tls_1_3_cipher_suites") and taken("tls_1_2_cipher_suites"), "C14 sslyze: TLS 1.2 or 1.3 is not spoken")
    weak = [name for name in ciphers if "CBC" in name or "_SHA" == name[-4:] or name.startswith("TLS_RSA_")]
    check(not weak, f"C14 sslyze: {weak}")
    result = lambda name: report[name]["result"] or {}
    check(not result("heartbleed")["is_vulnerable_to_heartbleed"], "C14 sslyze: heartbleed")
    check(not result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"], "C14 sslyze: ccs")
    check("NOT_VULNERABLE" in result("robot")["robot_result"], "C14 sslyze: robot")
    check(not result("session_renegotiation")["is_vulnerable_to_client_renegotiation_dos"], "C14 sslyze: renegotiation")
    check(not result("tls_compression")["supports_compression"], "C14 sslyze: compression")
    check(not result("tls_1_3_early_data")["supports_early_data"], "C14 sslyze: early data")
    print(f"  sslyze: TLS 1.2 and 1.3 alone, {len(ciphers)} ciphers, none of them weak", flush=True)


def slowhttptest(address, count, seconds):
    """The slow heads, bodies and readers of slowhttptest: none is left after the deadline."""
    url, runs = f"http://{address[0]}:{address[1]}/", []
    is_much = 3 * count > slow.AT_A_TIME
    for mode, name in (("-H", "heads"), ("-B", "bodies"), ("-X", "readers")):
        more = ["-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"] if mode == "-X" else ["-i", "1", "-x", "8"]
        argv = ["slowhttptest", mode, "-c", str(count), "-r", str(count), "-l", str(seconds), "-p", "2", "-u", url, *more]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        # One mode after the other where the server has no room for all.
        runs.append((name, process, process.communicate(timeout=seconds + 30)[0] if is_much else None))
    for name, process, said in runs:
        said = said or process.communicate(timeout=seconds + 30)[0]
        lines = [line.split() for line in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()]
        is_served = "YES" in said.rsplit("service available", 1)[-1].split("\n")[0]
        ended = next((" ".join(line) for line in reversed(lines) if line[:1] == ["Exit"]), "")
        check(is_served, f"C3 slowhttptest, slow {name}: the service was not there")
        print(f"  slowhttptest, slow {name}: {count} connections; {ended or 'the service was there all the time'}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    for name in ("--admin", "--tcp", "--tls", "--proxies"):
        parser.add_argument(name)
    parser.add_argument("--slow", type=int, default=0)
    given = parser.parse_args()
    web = (given.host, given.port)
    direct(web, given.admin)
    if given.proxies:
        all_proxies(given.proxies, f"{given.host}:{given.port}", given.tcp, given.admin)
    if given.tls:
        scan(given.tls)
    if given.slow:
        host, _, port = given.tcp.rpartition(":")
        tls = ("127.0.0.1", int(given.tls)) if given.tls else None
        for line, is_fine in slow.run(web, (host, int(port)), tls, given.slow):
            print(f"  {line}", flush=True)
            check(is_fine, f"C3 {line}")
        if shutil.which("slowhttptest"):
            slowhttptest(web, given.slow, 10)
    if given.admin:
        # Whatever was tried, nothing of it is left but the scrape itself.
        deadline = time.monotonic() + 10
        while (left := counter(given.admin, "chinwag_connections")) > 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        check(left <= 1, f"C5 {left:.0f} connections are left")
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
