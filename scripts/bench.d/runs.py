"""One run: a server, the generator beside it, and what the machine did meanwhile."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from servers import GENERATOR_CORE, die_with_parent, pinned, running

# How long the load runs before it is measured.
WARM_UP_S = 0.5
# What connecting, joining, settling and closing may take beside the measured seconds.
SETUP_S = 40
# Addresses that the generator connects from: ports that rest after one run must not fail the next one's connections.
SOURCES = "100"
# What a probe counts.
COUNT = "deliveries_total"
# A probe looks at Chinwag's counters this long, once its deliveries have begun.
PROBE_S = 0.5


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    programs: object
    # Where the first run of each contender is kept whole, and what is drawn from these.
    pages: Path

    def generator(self, workload, contender, server, seconds, bytes_each=None):
        load = workload.command.split()
        if contender.long:
            load[load.index("--text-len") + 1] = str(payload_len(bytes_each))
        argv = [*self.programs.generator, *load, *contender.extra, *server.target()]
        timing = ["--warm-up", f"{WARM_UP_S:g}", "--seconds", f"{seconds:g}"]
        return pinned(GENERATOR_CORE, [*argv, *timing, "--sources", SOURCES, "--json", "-"])

    def run(self, workload, contender, seconds, bytes_each, is_kept):
        """Runs one contender once. Returns what is kept of it; `error` says why there is no `report`."""
        began, machine = time.time(), Machine.now()
        result = {"workload": workload.key, "contender": contender.name, "at": round(began, 1)}
        try:
            argv = self.programs.argv[contender.program]
            with running(argv) as server:
                command = self.generator(workload, contender, server, seconds, bytes_each)
                result |= {"server": argv, "generator": command}
                report = generate(command, seconds)
                if is_kept:
                    self.page_of(workload, contender).write_text(json.dumps(report))
                # A point for each moment, and for each latency, is the pages' business.
                report.pop("series", None)
                (report.get("latency_us") or {}).pop("values", None)
                if contender.is_answered:
                    count_replies(report)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            return result | {"error": str(error)}
        cpu_s = sum((report.get(side) or {}).get("cpu_us") or 0 for side in ("server", "generator")) / 1e6
        result |= {"report": report, "machine": machine.since(cpu_s)}
        if not report.get("ok"):
            faults = {name: count for name, count in report.get("faults", {}).items() if count}
            result["error"] = f"not as it should be: {'; '.join(report.get('failures', []))} {faults or ''}".rstrip()
        return result

    def page_of(self, workload, contender):
        return self.pages / f"{workload.key}.{contender.name.replace(', ', '-').replace(' ', '-')}.json"

    def draw(self, workload):
        """Draws what was kept of a workload's contenders, side by side. Says why if it cannot."""
        pages = ((contender.name, self.page_of(workload, contender)) for contender in workload.contenders)
        files = [f"{name}={page}" for name, page in pages if page.exists()]
        if not files:
            return "nothing was measured"
        page = self.pages / f"{workload.key}.html"
        pictures = [("--svg", name, str(page.with_suffix(f".{name}.svg"))) for name in workload.pictures]
        command = [*self.programs.generator, "report", *files, "--out", str(page), *sum(pictures, ())]
        try:
            drawn = subprocess.run(command, capture_output=True, text=True, timeout=SETUP_S)
        except subprocess.TimeoutExpired as error:
            return str(error)
        return drawn.stderr.strip() if drawn.returncode else None

    def probe(self, workload, contender):
        """How many bytes Chinwag sends for a delivery, and how many deliveries in one write."""
        with running(self.programs.argv[contender.program]) as server, tempfile.TemporaryFile() as output:
            command = self.generator(workload, contender, server, 1.5)
            process = subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=die_with_parent)
            try:
                before = after = server.counters()
                deadline = time.monotonic() + SETUP_S
                while after[COUNT] < before[COUNT] + 10_000:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("nothing was delivered")
                    time.sleep(0.1)
                    after = server.counters()
                time.sleep(PROBE_S)
                last = server.counters()
            finally:
                process.kill()
                process.wait()
        spent = {name: last[name] - after[name] for name in (COUNT, "sent_bytes_total", "queued_bytes", "writes_total")}
        if not spent[COUNT] or not spent["writes_total"]:
            raise RuntimeError("nothing was delivered")
        # A delivery counts when it is queued, and may leave later.
        bytes_total = spent["sent_bytes_total"] + spent["queued_bytes"]
        return {
            "bytes_per_delivery": round(bytes_total / spent[COUNT]),
            "deliveries_per_write": round(spent[COUNT] / spent["writes_total"], 1),
        }


def count_replies(report):
    """Counts the reply to a message as a delivery, since it stands for the sender's own message."""
    deliveries, sends = report.get("deliveries"), report.get("sends")
    if not deliveries:
        return
    more = (deliveries + sends) / deliveries
    report["deliveries"] = deliveries + sends
    report["deliveries_per_s"] *= more
    for side in ("server", "generator"):
        if report[side]["cpu_us_per_delivery"] is not None:
            report[side]["cpu_us_per_delivery"] /= more


def payload_len(frame_len):
    """The payload of a frame from the server that has so many bytes in all."""
    return frame_len - 2 if frame_len < 128 else max(126, frame_len - 4)


def generate(command, seconds):
    """Runs the generator and returns its report."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    )
    try:
        out, err = process.communicate(timeout=seconds + SETUP_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the generator was not done after {seconds + SETUP_S:g} s") from None
    finally:
        process.kill()
        process.wait()
    try:
        report = json.loads(out)
    except ValueError:
        words = "; ".join(err.strip().splitlines()[:3])
        raise RuntimeError(f"the generator left with {process.returncode}: {words}") from None
    return report


@dataclass(frozen=True)
class Machine:
    """What all cores have done, in seconds."""

    at: float
    busy: float
    stolen: float

    @classmethod
    def now(cls):
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
        ticks = os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), (user + nice + system + irq + softirq) / ticks, steal / ticks)

    def since(self, explained_s=0):
        """What has been stolen, and what others have used, as shares of one core."""
        now = Machine.now()
        span = now.at - self.at
        others = max(0, now.busy - self.busy - explained_s) / span
        return {"stolen": round((now.stolen - self.stolen) / span, 3), "unexplained": round(others, 3)}
