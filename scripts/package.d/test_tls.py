"""The ways to a certificate that the documentation names: certbot's hook, Caddy and nginx, as they stand there."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from test_files import ENVIRONMENT, PROGRAM, server

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts/proxies.d"))
from proxies import PATIENCE, Caddy, Nginx  # noqa: E402

UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chinwag.v1\r\n\r\n"
)


def certificate(folder):
    """A new certificate for localhost, in the files that certbot calls so."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )
    return folder / "fullchain.pem"


def connect(port, trusted):
    context = ssl.create_default_context(cafile=trusted)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE), server_hostname="localhost")


def status(port, trusted, origin):
    """How an upgrade for a page of this origin is answered, over TLS that must be good."""
    with connect(port, trusted) as line:
        line.sendall(UPGRADE.format(port=port, origin=origin).encode())
        return int(line.makefile("rb").readline().split()[1])


class InFront:
    """TLS in front of a server that knows its proxy."""

    def check_page(self, proxy, trusted):
        with server(options=["--config", self.config()]) as (http, _):
            proxy.http = http
            try:
                proxy.start()
                deadline = time.monotonic() + PATIENCE
                while not trusted.exists():
                    self.assertLess(time.monotonic(), deadline, "there is no certificate to trust")
                    time.sleep(0.05)
                while True:
                    # The proxy may make its certificate, and write down whom to trust, behind its first connection.
                    try:
                        answered = status(proxy.port, trusted, f"https://localhost:{proxy.port}")
                        break
                    except OSError:
                        self.assertLess(time.monotonic(), deadline, "there is no good certificate")
                        time.sleep(0.05)
                self.assertEqual(answered, 101)
                self.assertEqual(status(proxy.port, trusted, "https://evil.example"), 403)
            finally:
                proxy.stop()

    def config(self):
        path = self.folder / "chinwag.toml"
        path.write_text('insecure = true\nproxies = ["127.0.0.1"]\n')
        return path

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


class ByCaddy(InFront, unittest.TestCase):
    def test_with_the_name_of_the_host_caddy_has_a_certificate_and_the_page_connects(self):
        class Named(Caddy):
            def copied(self, file):
                return super().copied(file).replace(f"http://:{self.port}", f"https://localhost:{self.port}")

            def prepare(self):
                argv = super().prepare()
                # No authority of the world knows this machine: for localhost Caddy is its own.
                text = self.config.read_text().replace("{\n", "{\n\tskip_install_trust\n\tauto_https disable_redirects\n", 1)
                self.config.write_text(text)
                return argv

        self.check_page(Named(self.folder, "", ""), self.folder / "caddy/pki/authorities/local/root.crt")


class ByNginx(InFront, unittest.TestCase):
    def test_with_certbots_files_nginx_speaks_tls_and_the_page_connects(self):
        folder, trusted = self.folder, certificate(self.folder)

        class Sealed(Nginx):
            def copied(self, file):
                text, files = super().copied(file), f"ssl_certificate {trusted}; ssl_certificate_key {folder}/privkey.pem;"
                return text.replace(f"listen {self.port};", f"listen {self.port} ssl; {files}")

        self.check_page(Sealed(self.folder, "", "127.0.0.1:9"), trusted)


class ByCertbot(unittest.TestCase):
    def test_its_hook_brings_a_renewed_certificate_into_use(self):
        hook = re.search(r"```sh\n(# /etc/letsencrypt.*?)```", (ROOT / "src/docs/tls.md").read_text(), re.S)[1]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (lineage := folder / "lineage").mkdir()
            (installed := folder / "installed").mkdir()
            # There is neither the package's user nor its service here.
            hook = hook.replace("-g chinwag", f"-g {os.getgid()}").replace("/etc/chinwag/", f"{installed}/")
            (folder / "systemctl").write_text('#!/bin/sh\necho "$*" >"${0%/*}/called"\nkill -s "$3" "$(cat "${0%/*}/pid")"\n')
            (folder / "systemctl").chmod(0o755)
            renew = lambda: subprocess.run(
                ["sh", "-ec", hook], check=True, env={"RENEWED_LINEAGE": str(lineage), "PATH": f"{folder}:{os.environ['PATH']}"}
            )
            certificate(lineage)
            for file in ("fullchain.pem", "privkey.pem"):
                shutil.copy(lineage / file, installed)
            files = {"CHINWAG_TLS_CERTIFICATE": f"{installed}/fullchain.pem", "CHINWAG_TLS_KEY": f"{installed}/privkey.pem"}
            argv = [PROGRAM, "--listen", "tls:127.0.0.1:0", "--tcp", "off", "--admin", "off", "--data", folder / "data"]
            with subprocess.Popen(argv, env=ENVIRONMENT | files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                # Whoever waits for a line that never comes is woken by the end.
                watchdog = threading.Timer(PATIENCE, process.kill)
                watchdog.start()
                try:
                    port = int(re.search(r":(\d+) ", process.stdout.readline())[1])
                    (folder / "pid").write_text(str(process.pid))
                    connect(port, lineage / "fullchain.pem").close()
                    renewed = certificate(lineage)
                    with self.assertRaises(ssl.SSLError):
                        connect(port, renewed)
                    renew()
                    self.assertEqual((folder / "called").read_text(), "kill --signal HUP chinwag\n")
                    while "the certificates were read again" not in process.stderr.readline():
                        self.assertIsNone(process.poll(), "the server has ended")
                    connect(port, renewed).close()
                    self.assertEqual((installed / "privkey.pem").stat().st_mode & 0o777, 0o640)
                finally:
                    watchdog.cancel()
                    process.terminate()


if __name__ == "__main__":
    unittest.main()
