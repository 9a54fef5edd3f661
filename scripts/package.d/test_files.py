"""The files around the server, held against the server: units, alerts, dashboard, manifests, image."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import yaml

HERE = Path(__file__).parent
PROGRAM = os.environ["SERVER_BIN"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CHINWAG_")}
SERVICES = sorted(HERE.glob("systemd/*.service"))
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600}


@contextmanager
def server(*wrapped, options=()):
    """A server on ports of the system's choice: its addresses for HTTP and for the admin."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [*wrapped, PROGRAM, "--listen", "127.0.0.1:0", "--tcp", "off", "--admin", "127.0.0.1:0", "--data", folder, *options]
        with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            said = [process.stdout.readline() for _ in range(2)]
            addresses = [re.search(r"http://(\S+)", line)[1] for line in said]
            try:
                yield addresses
            finally:
                # What wraps it passes no signal on.
                pid = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
                os.kill(int(pid[0]) if wrapped else process.pid, 15)
                assert process.wait() == 0, "the server did not leave in good order"


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}") as answer:
        return answer.read().decode()


def series():
    """Each metric of the exposition with its labels and the values that they have."""
    with server() as (_, admin):
        text = get(admin, "/metrics")
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.M):
        known = found.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            known.setdefault(label, set()).add(value)
    return found


def settings(*arguments, environment=None):
    """What the server takes from these settings, as `check` says it; the settings are good."""
    done = subprocess.run([PROGRAM, "check", *arguments], env={**ENVIRONMENT, **(environment or {})}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * SECONDS[unit]


def unit(path):
    """A unit's settings, each with all its values."""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


def default(section, name):
    """A setting's default, in the file that has them all."""
    text = subprocess.run([PROGRAM, "check", "--defaults"], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    return re.search(rf'^\[{section}\][^[]*?^{name} = "?([^"\n]*)', text, re.M | re.S)[1]


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.series = series()
        cls.series["up"] = {}

    def check(self, expression, legend=""):
        """An expression names only metrics that exist, with labels that they have and values that these may have."""
        names = re.findall(r"\b(up|chinwag_\w+)", expression)
        self.assertTrue(names, expression)
        for name, _, labels in re.findall(r"\b(up|chinwag_\w+)(\{([^}]*)\})?", expression):
            self.assertIn(name, self.series, expression)
            for label, sign, value in re.findall(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"', labels):
                if label in ("instance", "job"):
                    continue
                self.assertIn(label, self.series[name], expression)
                for one in value.split("|"):
                    self.assertIn(one, self.series[name][label], expression)
        by = re.search(r"sum by \((\w+)\)", expression)
        known = {*self.series[names[0]], "instance"}
        for label in ([by[1]] if by else []) + re.findall(r"\{\{(\w+)\}\}", legend):
            self.assertIn(label, known, expression)

    def test_alerts_name_only_metrics_that_exist(self):
        groups = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 5)
        for rule in rules:
            self.check(rule["expr"])
            self.assertEqual(set(rule["annotations"]), {"summary", "description"}, rule["alert"])

    @unittest.skipUnless(shutil.which("promtool"), "promtool is in Debian's prometheus")
    def test_prometheus_takes_the_alerts(self):
        done = subprocess.run(["promtool", "check", "rules", HERE / "alerts.yml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_dashboard_names_only_metrics_that_exist(self):
        panels = json.loads((HERE / "grafana.json").read_text())["panels"]
        self.assertGreater(len(panels), 10)
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            for target in panel["targets"]:
                self.check(target["expr"], target["legendFormat"])

    def test_a_name_or_a_label_that_is_wrong_is_found(self):
        for expression in ("chinwag_conections", 'chinwag_connections_closed_total{why="bye"}',
                           'chinwag_connections_closed_total{reason="by"}', "sum by (file) (chinwag_store_bytes)"):  # fmt: skip
            with self.assertRaises(AssertionError):
                self.check(expression)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class Units(unittest.TestCase):
    def test_the_services_are_hardened(self):
        for path in SERVICES:
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{path.name}: {done.stdout.splitlines()[-1:]}{done.stderr}")

    def test_systemd_knows_every_setting(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in HERE.glob("systemd/*"):
                text = path.read_text().replace("/usr/bin/chinwag", PROGRAM).replace("man:chinwag(1)", "https://example.org/")
                Path(folder, path.name).write_text(text)
            units = [str(path) for path in Path(folder).iterdir()]
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"})
            ours = [line for line in done.stderr.splitlines() if "chinwag" in line and folder in line]
            self.assertEqual(ours, [])

    def test_a_stop_has_the_time_that_the_server_takes(self):
        service = unit(HERE / "systemd/chinwag.service")
        stop = seconds(default("timeouts", "stop"))
        self.assertGreater(seconds(service["TimeoutStopSec"][0]), stop + 10)
        self.assertEqual(service["Type"], ["notify"])

    @unittest.skipUnless(shutil.which("strace"), "there is no strace")
    def test_the_server_calls_nothing_that_its_filter_forbids(self):
        allowed = self.allowed(unit(HERE / "systemd/chinwag.service")["SystemCallFilter"])
        self.assertIn("epoll_wait", allowed)
        self.assertNotIn("mount", allowed)
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder, "trace")
            with server("strace", "-f", "-qq", "-o", trace) as (http, _):
                get(http, "/")
                get(http, "/readyz")
            calls = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
        self.assertIn("accept4", calls)
        if os.geteuid() == 0:
            # SQLite keeps a file's owner, as root alone.
            calls.discard("fchown")
        self.assertEqual(calls - allowed, set())

    def allowed(self, filters):
        """The calls that remain, group by group."""
        said = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True).stdout
        groups = {}
        for block in said.split("\n\n"):
            head, *rest = [line.strip() for line in block.splitlines() if line.strip()] or [""]
            if head.startswith("@"):
                groups[head] = [name for name in rest if not name.startswith("#")]

        def calls(name):
            return set().union(*map(calls, groups[name])) if name in groups else {name}

        found = set()
        for text in filters:
            named = set().union(*(calls(name) for name in text.removeprefix("~").split()))
            found = found - named if text.startswith("~") else found | named
        # What systemd allows to every service.
        return found | calls("@default")


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.parts = {part["kind"]: part for part in yaml.safe_load_all((HERE / "kubernetes.yaml").read_text())}
        self.pod = self.parts["StatefulSet"]["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        (self.text,) = self.parts["ConfigMap"]["data"].values()

    def test_the_server_takes_the_settings(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(self.text)
            file.flush()
            settings(file.name)

    def test_the_probes_ask_for_what_there_is(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(ports, {"http": 8080, "admin": 9091})
        for name in ("http", "admin"):
            key = "listen" if name == "http" else name
            self.assertRegex(self.text, rf'{key} = "0\.0\.0\.0:{ports[name]}"')
        with server() as (_, admin):
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = self.container[probe]["httpGet"]
                self.assertEqual(asked["port"], "admin")
                self.assertTrue(get(admin, asked["path"]))

    def test_a_pod_has_the_time_to_drain(self):
        stop = seconds(re.search(r'stop = "(\w+)"', self.text)[1])
        before = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], stop + before + 5)

    def test_names_and_mounts_fit_together(self):
        spec = self.parts["StatefulSet"]["spec"]
        self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
        self.assertEqual(self.parts["Service"]["spec"]["selector"], spec["selector"]["matchLabels"])
        volumes = {volume["name"] for volume in [*self.pod["volumes"], *(claim["metadata"] for claim in spec["volumeClaimTemplates"])]}
        self.assertEqual({mount["name"] for mount in self.container["volumeMounts"]}, volumes)


class Kernel(unittest.TestCase):
    def test_the_kernel_knows_every_setting(self):
        names = re.findall(r"^#?(\w+(?:\.\w+)+) = ", (HERE / "sysctl.conf").read_text(), re.M)
        self.assertGreater(len(names), 3)
        for name in names:
            self.assertTrue(Path("/proc/sys", *name.split(".")).exists(), name)


class Image(unittest.TestCase):
    def test_the_server_takes_the_settings_of_the_image(self):
        text = (HERE / "Dockerfile").read_text()
        given = dict(pair.split("=", 1) for pair in re.search(r"^ENV (.*)$", text, re.M)[1].split())
        said = settings(environment={**given, "CHINWAG_INSECURE": "true"})
        for value in given.values():
            self.assertIn(value, said)
        self.assertRegex(text, r"(?m)^USER 65532:65532$")
        self.assertEqual(re.findall(r"(?m)^FROM (\S+)$", text), ["scratch"])


if __name__ == "__main__":
    unittest.main()
