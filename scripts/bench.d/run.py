"""Runs the standard set and writes what came out: scripts/bench says how.

usage: run.py CHINWAG GENERATOR PEERS [quick] [KEY=VALUE…] [--noisy] [--out FOLDER]
       run.py check [quick] …            says what is wrong with the arguments, before anything is built
       run.py table RESULT.json
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import markdown
from runs import Bench, Machine
from servers import Programs, ROOT
from summary import summarize
from workloads import CHINWAG, FLOOR0_LONG, METRICS, NO_ECHO, WORKLOADS

# How long the machine is watched before anything runs, and how much others may do meanwhile, as a share of one core.
WATCH_S, BUSY_MAX = 3, 0.1
PAIRS = 9


def main():
    # To be told to end is like being interrupted: no server stays behind, and what there is is written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.argv[1:2] == ["table"]:
        print("\n".join(markdown.table(json.loads(Path(sys.argv[2]).read_text()))))
        return 0
    if sys.argv[1:2] == ["check"]:
        parse(["", "", "", *sys.argv[2:]])
        return 0
    options = parse(sys.argv[1:])
    if not options.noisy:
        refuse_if_busy()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    began = datetime.now().astimezone()
    name = began.strftime("%Y-%m-%dT%H-%M-%S")
    pages = out / name
    pages.mkdir()
    result = {
        "date": began.isoformat(timespec="seconds"),
        "about": about(options),
        "machine": machine(),
        "probes": {},
        "runs": [],
    }
    bench = Bench(Programs(options.chinwag, options.generator, options.peers), pages)
    code = 0
    try:
        for workload in options.only:
            run_workload(bench, workload, options, result)
            text = save(result, out / name, began)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        text, code = save(result, out / name, began), 130
    print(f"\n{text}\n{out / name}.json, {out / name}.md, {pages}/")
    return code or int(any("error" in run for run in result["runs"]))


def save(result, path, began):
    """Writes what there is so far, and returns it in words."""
    result["about"]["took"] = f"{(datetime.now().astimezone() - began).seconds} s"
    result["about"]["load average after"] = Path("/proc/loadavg").read_text().strip()
    result["summary"] = summarize(result)
    text = "\n".join(markdown.whole(result))
    Path(f"{path}.json").write_text(json.dumps(result, indent=1) + "\n")
    Path(f"{path}.md").write_text(text)
    return text


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench", usage="scripts/bench [quick] [KEY=VALUE…] [OPTION…]")
    parser.add_argument("chinwag")
    parser.add_argument("generator")
    parser.add_argument("peers")
    parser.add_argument("words", nargs="*", metavar="quick | only=b,d | pairs=3 | seconds=2")
    parser.add_argument("--noisy", action="store_true", help="run although the machine is busy")
    parser.add_argument("--out", default=str(ROOT / "bench-results"), help="the folder for results")
    options = parser.parse_intermixed_args(arguments)
    options.only, options.pairs, options.seconds = WORKLOADS, PAIRS, None
    for word in options.words:
        key, _, value = word.partition("=")
        if word == "quick":
            options.pairs, options.seconds = 1, 1
        elif key == "pairs":
            options.pairs = int(value)
        elif key == "seconds":
            options.seconds = float(value)
        elif key == "only":
            known = {workload.key: workload for workload in WORKLOADS}
            missing = set(value.split(",")) - known.keys()
            if missing:
                parser.error(f"no workload {', '.join(missing)}; there are {', '.join(known)}")
            options.only = [known[name] for name in value.split(",")]
        else:
            parser.error(f"not understood: {word}")
    options.command = shlex.join(["scripts/bench", *arguments[3:]])
    return options


def refuse_if_busy():
    before = Machine.now()
    time.sleep(WATCH_S)
    found = before.since()
    if found["unexplained"] > BUSY_MAX or found["stolen"] > BUSY_MAX:
        sys.exit(
            f"error: over {WATCH_S} s others have used {found['unexplained']:.0%} of a core, and {found['stolen']:.0%} "
            "was stolen: nothing measured now would mean anything. --noisy runs all the same."
        )


def run_workload(bench, workload, options, result):
    """All rounds of a workload; every other round runs its contenders backwards, so that none is always first."""
    print(f"\n{workload.title}", flush=True)
    bytes_each = probe(bench, workload, result)
    able = [contender for contender in workload.contenders if bench.programs.can_run(contender.program)]
    for number in range(min(options.pairs, workload.rounds or options.pairs)):
        contenders = [one for one in able if one.rounds is None or number < one.rounds]
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            if contender.long and bytes_each is None:
                continue
            seconds = options.seconds or contender.seconds or workload.seconds
            run = bench.run(workload, contender, seconds, bytes_each, number == 0) | {"round": number}
            result["runs"].append(run)
            print(f"  {number + 1} {contender.name:18} {said(run, workload)}", flush=True)
    fault = bench.draw(workload)
    if fault:
        print(f"  no page: {fault}", flush=True)


def probe(bench, workload, result):
    """Looks how Chinwag writes in this workload. Returns the bytes of a delivery for floors that send as many."""
    if FLOOR0_LONG not in workload.contenders:
        return None
    found = result["probes"].setdefault(workload.key, {})
    for contender in (CHINWAG, NO_ECHO):
        if contender not in workload.contenders:
            continue
        try:
            found[contender.name] = bench.probe(workload, contender)
            print(f"  probe {contender.name}: {found[contender.name]}", flush=True)
        except (RuntimeError, OSError, KeyError) as error:
            print(f"  probe {contender.name}: {error}", flush=True)
    return found.get(CHINWAG.name, {}).get("bytes_per_delivery")


def said(run, workload):
    if "report" not in run:
        return f"FAILED: {run['error']}"
    figures = ((name, METRICS[name].of(run["report"])) for name in workload.metrics)
    words = ", ".join("–" if value is None else markdown.figure(name, value) for name, value in figures)
    machine = run["machine"]
    noise = machine["unexplained"] + machine["stolen"]
    others = f" (others: {noise:.0%} of a core)" if noise > BUSY_MAX else ""
    wrong = f"  FAULTY: {run['error']}" if "error" in run else ""
    return f"{words}{others}{wrong}"


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def about(options):
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "command": options.command,
        "commit": output("git", "rev-parse", "--short=12", "HEAD") + (" and changes" if changed else ""),
        "pairs": options.pairs,
        "rustc": output("rustc", "--version"),
        "cc": output("cc", "--version").split("\n")[0],
        "node": output("node", "--version"),
        "load average before": Path("/proc/loadavg").read_text().strip(),
    }


def machine():
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cpu": models[0] if models else "unknown",
        "cores": str(len(models)),
        "kernel": output("uname", "-sr"),
        "memory": f"{int(memory) // 1024} MiB",
    }


if __name__ == "__main__":
    sys.exit(main())
