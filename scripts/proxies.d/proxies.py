"""How each proxy is started, reloaded and stopped: on ports of its own, in a folder of its own, with the files of
this folder, which are what a user copies. Only ports, addresses and timeouts are replaced in them."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))
from ports import free_port  # noqa: E402

PATIENCE = 15
# Seconds of silence after which a proxy of the test gives up, instead of 60.
IDLE = 3
here = Path(__file__).parent


class Proxy:
    """A proxy in front of a server at `http` and `tcp`."""

    name = command = ""
    # The file that is copied, and what is around it where it is not a whole configuration.
    file = ""
    # What takes the upgrade away, as someone does who does not know the setting: (found, instead).
    strips = ("", "")
    # Whether the side of a TCP connection that has ended leaves the other one open; None: it speaks HTTP only.
    keeps_half_closed = None
    # Whether it takes a WebSocket by HTTP/2. Here without TLS, where browsers agree on it: `bind :443 ssl crt … alpn h2`.
    takes_http2 = False

    def __init__(self, folder, http, tcp, is_stripping=False):
        self.folder, self.http, self.tcp = Path(folder), http, tcp
        self.port, self.tcp_port, self.admin_port = free_port(), free_port(), free_port()
        self.is_stripping, self.process = is_stripping, None

    @classmethod
    def version(cls):
        flag = {"apache2": "-v", "nginx": "-v", "haproxy": "-v", "lighttpd": "-v", "caddy": "version"}[cls.command]
        said = subprocess.run([cls.command, flag], capture_output=True, text=True, check=True)
        return f"{cls.name} {re.search(r'[0-9]+([.][0-9]+)+', said.stdout + said.stderr)[0]}"

    def copied(self, file):
        """A file of this folder as a user would change it."""
        text = (here / file).read_text()
        if self.is_stripping and file == self.file:
            found, instead = self.strips
            assert re.search(found, text), f"{file} has no {found}"
            text = re.sub(found, instead, text)
        text = text.replace("127.0.0.1:8080", self.http).replace("127.0.0.1:9000", self.tcp)
        text = text.replace("8080", self.http.rsplit(":", 1)[1])
        text = re.sub(r"(?<=[ :\"])8000\b", str(self.port), text)
        text = re.sub(r"(?<=[ :\"])7000\b", str(self.tcp_port), text)
        return re.sub(r"\b60(s?)\b", rf"{IDLE}\1", text)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self):
        argv = self.prepare()
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log, cwd=self.folder)
        self.wait_for(self.port)
        if self.keeps_half_closed is not None:
            self.wait_for(self.tcp_port)

    def wait_for(self, port):
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, f"{self.name} ended: {(self.folder / 'log').read_text()[-2000:]}"
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, f"{self.name} does not listen"
                time.sleep(0.05)

    def reload(self):
        raise NotImplementedError

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.log.close()


class Nginx(Proxy):
    name, command, file = "nginx", "nginx", "nginx.conf"
    strips = (r"proxy_set_header (Upgrade|Connection) [^;]*;", "")
    keeps_half_closed = True

    def prepare(self):
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        stream, module = self.copied("nginx-stream.conf"), Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        user = "user root;\n" if os.geteuid() == 0 else ""
        config = self.write(
            "whole.conf",
            f"load_module {module};\n{user}daemon off;\npid {self.folder}/pid;\nerror_log stderr;\n"
            f"events {{ }}\nhttp {{\naccess_log off;\n{temporary}{self.copied(self.file)}}}\n"
            f"stream {{\n{stream}}}\n",
        )
        return [self.command, "-p", self.folder, "-e", "stderr", "-c", config]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


class Haproxy(Proxy):
    name, command, file = "haproxy", "haproxy", "haproxy.cfg"
    strips = (r"option forwardfor", "option forwardfor\n    http-request del-header Upgrade")
    keeps_half_closed = takes_http2 = True

    def prepare(self):
        return [self.command, "-W", "-f", self.write("whole.cfg", self.copied(self.file))]

    def reload(self):
        self.process.send_signal(signal.SIGUSR2)


class Apache(Proxy):
    name, command, file = "Apache", "apache2", "apache.conf"
    strips = (r" upgrade=websocket", "")

    def prepare(self):
        modules = "/usr/lib/apache2/modules"
        loaded = "".join(
            f"LoadModule {name}_module {modules}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "proxy", "proxy_http")
        )
        config = self.write(
            "whole.conf",
            f"ServerRoot {self.folder}\nPidFile {self.folder}/pid\nErrorLog {self.folder}/errors\n"
            f"DefaultRuntimeDir {self.folder}\nServerName localhost\nTimeout {IDLE}\n{loaded}{self.copied(self.file)}",
        )
        return [self.command, "-D", "FOREGROUND", "-f", config]

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)


class Lighttpd(Proxy):
    name, command, file = "lighttpd", "lighttpd", "lighttpd.conf"
    strips = (r'"upgrade" => "enable"', '"upgrade" => "disable"')

    def prepare(self):
        config = self.write(
            "whole.conf",
            f'server.document-root = "{self.folder}"\nserver.bind = "127.0.0.1"\nserver.port = {self.admin_port}\n'
            # Of a restart: by default it waits for connections for 8 s, and then closes them.
            f'server.feature-flags = ( "server.graceful-shutdown-timeout" => 1 )\n'
            f"server.max-read-idle = {IDLE}\nserver.max-write-idle = {IDLE}\n{self.copied(self.file)}",
        )
        return [self.command, "-D", "-f", config]

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)


class Caddy(Proxy):
    name, command, file = "Caddy", "caddy", "Caddyfile"
    strips = (r"reverse_proxy 127.0.0.1:8080", "reverse_proxy 127.0.0.1:8080 {\n\t\theader_up -Upgrade\n\t}")

    def prepare(self):
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = str(self.folder)
        self.config = self.write(
            "whole", f"{{\n\tadmin 127.0.0.1:{self.admin_port}\n}}\n{self.copied(self.file)}"
        )
        return [self.command, "run", "--adapter", "caddyfile", "--config", self.config]

    def reload(self):
        # A reload without a change does nothing.
        address = f"127.0.0.1:{self.admin_port}"
        argv = [self.command, "reload", "--force", "--adapter", "caddyfile", "--address", address]
        subprocess.run([*argv, "--config", self.config], check=True, capture_output=True, cwd=self.folder)


ALL = [Nginx, Haproxy, Apache, Lighttpd, Caddy]
