"""The files for several nodes, held against the server: unit, proxies, dashboard, manifests."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

import test_files
from test_files import get, server, settings

HERE = Path(__file__).parent / "cluster"


class Dashboard(unittest.TestCase):
    check = test_files.Metrics.check

    def setUp(self):
        self.series = test_files.series()
        # There is no sample of a code before the first reply that has it.
        self.series.setdefault("chinwag_replies_total", {}).setdefault("code", set()).add("5004")
        self.series["chinwag_replies_total"]["instance"] = set()

    def test_the_dashboard_names_only_metrics_that_exist(self):
        panels = json.loads((HERE / "grafana.json").read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        named = set()
        for panel in panels:
            for target in panel["targets"]:
                self.check(target["expr"], target["legendFormat"])
                named |= set(re.findall(r"\bchinwag_\w+", target["expr"]))
        # What a cluster tells of itself is there to be looked at.
        told = {name for name in self.series if name.startswith("chinwag_cluster_")}
        self.assertEqual(told - named, {"chinwag_cluster_node"})

    def test_a_name_that_is_wrong_is_found(self):
        with self.assertRaises(AssertionError):
            self.check('chinwag_cluster_lag{instance=~"$instance"}', "")


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.parts = {part["kind"]: part for part in yaml.safe_load_all((HERE / "kubernetes.yaml").read_text())}
        self.spec = self.parts["Deployment"]["spec"]
        self.pod = self.spec["template"]["spec"]
        (self.container,) = self.pod["containers"]
        (self.text,) = self.parts["ConfigMap"]["data"].values()

    def test_the_server_takes_the_settings(self):
        with tempfile.TemporaryDirectory() as folder:
            # The container has the password and the authorities in a volume, and `check` reads them.
            secrets, file = Path(folder), Path(folder, "chinwag.toml")
            (secrets / "password").write_text("a password")
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ca"]
            subprocess.run([*make, "-keyout", secrets / "ca.key", "-out", secrets / "ca.crt"], check=True, capture_output=True)
            file.write_text(self.text.replace("/secrets/", f"{folder}/"))
            said = settings(file)
        self.assertIn("replicated", said)

    def test_the_probes_ask_for_what_there_is_and_a_lost_engine_restarts_nobody(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        for name, key in (("http", "listen"), ("admin", "admin")):
            self.assertRegex(self.text, rf'{key} = "0\.0\.0\.0:{ports[name]}"')
        paths = {probe: self.container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        self.assertEqual(paths, {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"})
        with server() as (_, admin):
            for path in paths.values():
                self.assertTrue(get(admin, path))

    def test_the_budget_leaves_nodes_that_serve(self):
        budget = self.parts["PodDisruptionBudget"]["spec"]
        labels = self.spec["template"]["metadata"]["labels"]
        for selector in (budget["selector"]["matchLabels"], self.spec["selector"]["matchLabels"], self.parts["Service"]["spec"]["selector"]):
            self.assertEqual(selector, labels)
        self.assertGreater(self.spec["replicas"] - budget["maxUnavailable"], 1)
        self.assertEqual(self.spec["strategy"]["rollingUpdate"]["maxUnavailable"], budget["maxUnavailable"])

    def test_a_pod_has_the_time_to_drain(self):
        stop = test_files.seconds(re.search(r'stop = "(\w+)"', self.text)[1])
        before = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], stop + before + 5)

    def test_mounts_and_secrets_fit_together(self):
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        self.assertEqual(set(mounts), set(volumes))
        self.assertEqual(volumes["config"]["configMap"]["name"], self.parts["ConfigMap"]["metadata"]["name"])
        self.assertEqual(volumes["secrets"]["secret"]["secretName"], self.parts["Secret"]["metadata"]["name"])
        for name in self.parts["Secret"]["stringData"]:
            self.assertIn(f"{mounts['secrets']}/{name}", self.text)


class Proxies(unittest.TestCase):
    """What people see through them is tried by scripts/cluster."""

    def test_each_names_the_three_nodes(self):
        for name in ("haproxy.cfg", "nginx.conf"):
            addresses = re.findall(r"10\.0\.0\.1[123]:8080", (HERE / name).read_text())
            self.assertEqual(len(set(addresses)), 3, name)

    @unittest.skipUnless(shutil.which("haproxy") and shutil.which("openssl"), "there is no haproxy")
    def test_haproxy_takes_its_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-keyout", f"{folder}/key", "-out", f"{folder}/pem", "-subj", "/CN=chat"], check=True, capture_output=True)  # fmt: skip
            chain = Path(folder, "chat.pem")
            chain.write_text(Path(folder, "pem").read_text() + Path(folder, "key").read_text())
            text = (HERE / "haproxy.cfg").read_text()
            path = Path(folder, "haproxy.cfg")
            path.write_text(text.replace("/etc/haproxy/chat.pem", str(chain)))
            done = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            # The check finds what is wrong.
            path.write_text(path.read_text().replace("balance leastconn", "balance leastcon"))
            self.assertNotEqual(subprocess.run(["haproxy", "-c", "-f", path], capture_output=True).returncode, 0)


class Unit(unittest.TestCase):
    def test_the_template_reads_a_file_of_its_own(self):
        service = test_files.unit(HERE / "chinwag@.service")
        for setting in ("ExecStart", "ExecStartPre"):
            self.assertIn("/etc/chinwag/node%i.toml", service[setting][0])
        self.assertEqual(service["Type"], ["notify"])
        self.assertEqual(service["LoadCredential"][0].split(":")[0], "engine")


if __name__ == "__main__":
    unittest.main()
