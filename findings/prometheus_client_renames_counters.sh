#!/usr/bin/env bash
# Guess:   what reads a page of metrics tells each sample by the name that the page has; a counter may have any name, since
#          only OpenMetrics wants `_total` at its end, and the text format 0.0.4 does not.
# Truth:   prometheus_client's parser of the text format writes `_total` behind the name of each sample of a counter that
#          does not end so, and takes it away from the family: of `http_requests 3` it tells a family `http_requests` with
#          a sample `http_requests_total`, and of `errors_total` a family `errors`. A check that looks for `http_requests`
#          among the samples finds nothing, and what a relay reads and writes again with `generate_latest` has another
#          name in Prometheus than what is scraped directly. Gauges are left alone.
# Version: prometheus_client 0.26.0 (PyPI). Source: `build_metric` in its parser.py and `add_sample` in metrics_core.py.
# So:      a server names its counters `…_total` from the beginning, and a test compares names with both ends in mind.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prometheus_client==0.26.0

cat >find.py <<'PYTHON'
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

PAGE = """\
# HELP http_requests Requests that were answered.
# TYPE http_requests counter
http_requests 3.0
# HELP errors_total Requests that were not.
# TYPE errors_total counter
errors_total 1.0
# HELP connections Those that are open.
# TYPE connections gauge
connections 2.0
"""

class Relay:
    def collect(self):
        return text_string_to_metric_families(PAGE)

names = {family.name: [sample.name for sample in family.samples] for family in text_string_to_metric_families(PAGE)}
registry = CollectorRegistry()
registry.register(Relay())
written = generate_latest(registry).decode()
for family, samples in names.items():
    print(f"family {family}: {', '.join(samples)}")
print("written again:", ", ".join(line for line in written.splitlines() if not line.startswith("#")))
expected = {"http_requests": ["http_requests_total"], "errors": ["errors_total"], "connections": ["connections"]}
assert names == expected, "names are another matter now"
assert written == PAGE.replace("http_requests", "http_requests_total"), "what is written again has other names now"
PYTHON
venv/bin/python find.py
echo "as found: prometheus_client 0.26.0 gives counters another name when it reads them"
