"""Boots the guest, watches its console and writes what it has measured: scripts/million says how.

usage: run.py KERNEL INITRAMFS [CONNECTIONS] [--out FOLDER] [--log FILE]
"""

import argparse
import json
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import table

ROOT = Path(__file__).resolve().parents[2]
# The guest says something every few seconds: one that is silent for so long is lost.
SILENCE_S = 600
# The guest's memory: the kernel's part and the server's and generator's, each with room to spare.
MEMORY_MIB, BYTES_PER_CONNECTION = 768, 11_800
# Whatever an emulated core can do without, and a table for so many sockets.
PARAMETERS = "console=ttyS0 quiet panic=-1 mitigations=off init_on_alloc=0 apparmor=0 audit=0 nowatchdog thash_entries=2097152"
# What the kernel says when it cannot go on.
DEATHS = re.compile(r"Kernel panic|Out of memory|Oops")


def main():
    # An end by signal unwinds like any other, so that no guest stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    began = datetime.now().astimezone()
    guest = Guest(options)
    seen = Seen()
    try:
        guest.watch(seen)
    except KeyboardInterrupt:
        seen.faults.append("interrupted")
    finally:
        guest.kill()
    result = {"date": began.isoformat(timespec="seconds"), "about": about(options, began), "machine": machine(), **seen.told()}
    text = "\n".join(table.whole(result))
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"million-{began:%Y-%m-%dT%H-%M-%S}"
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    path.with_suffix(".md").write_text(text)
    print(f"\n{text}\n{path}.json, {path}.md")
    return 0 if result["ok"] else 1


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/million", usage="scripts/million [CONNECTIONS] [--out FOLDER] [--log FILE]")
    parser.add_argument("kernel")
    parser.add_argument("initramfs")
    parser.add_argument("connections", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--out", default=str(ROOT / "bench-results"))
    parser.add_argument("--log")
    options = parser.parse_args(arguments)
    if not 1_000 <= options.connections <= 1_500_000:
        parser.error("from 1,000 to 1,500,000 connections")
    options.command = shlex.join(["scripts/million", *arguments[2:]])
    # The first ones are to be pinged when the last ones have come: on a quiet machine a thousand come in a second.
    options.ping_s = 30 + options.connections // 700
    options.timeout_s = 600 + options.connections // 100
    options.memory_mib = MEMORY_MIB + options.connections * BYTES_PER_CONNECTION // 2**20
    free_mib = meminfo("MemAvailable") // 1024
    if free_mib < options.memory_mib + 512:
        sys.exit(f"error: the guest needs {options.memory_mib} MiB, and only {free_mib} MiB are free here")
    return options


class Seen:
    """What the guest has said so far."""

    def __init__(self):
        self.results, self.rooms, self.idle, self.faults = {}, {}, None, []
        self.verdict = None

    def take(self, kind, rest):
        """Keeps one line that begins with `million:`."""
        if kind == "result":
            key, _, value = rest.partition(" ")
            self.results[key] = value
        elif kind == "room":
            members, _, text = rest.partition(" ")
            self.rooms[members] = self.parsed(text)
        elif kind == "idle":
            self.idle = self.parsed(rest)
        elif kind == "fault":
            self.faults.append(rest)
        elif kind == "verdict":
            self.verdict = int(rest)

    def parsed(self, text):
        try:
            # A sample for every second is more than anybody will look at.
            return {key: value for key, value in json.loads(text).items() if key != "series"}
        except ValueError:
            self.faults.append(f"the generator's result cannot be read: {text[:100]!r}")
            return {}

    def told(self):
        if self.verdict is None and not self.faults:
            self.faults.append("the guest ended without a verdict")
        if self.verdict == 0:
            self.faults += table.contradictions(self)
        return {
            "ok": not self.faults,
            "faults": self.faults,
            "results": self.results,
            "rooms": self.rooms,
            "idle": self.idle,
        }


class Guest:
    """The emulator, and its console as lines."""

    def __init__(self, options):
        self.options, self.began = options, time.monotonic()
        self.log = open(options.log, "w") if options.log else None
        parameters = f"{PARAMETERS} CONNECTIONS={options.connections} PING_S={options.ping_s}"
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", f"{options.memory_mib}M"]
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
        command += ["-kernel", options.kernel, "-initrd", options.initramfs, "-append", parameters]
        self.command = shlex.join(command)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").strip())
        self.lines.put(None)

    def watch(self, seen):
        """Takes the guest's lines until it has ended, or there is no more hope."""
        self.options.qemu = self.command
        end = self.began + self.options.timeout_s
        while True:
            try:
                line = self.lines.get(timeout=min(SILENCE_S, max(1, end - time.monotonic())))
            except queue.Empty:
                late = time.monotonic() >= end
                seen.faults.append("out of time" if late else f"the guest has said nothing for {SILENCE_S} s")
                return
            if line is None:
                return
            if self.log:
                print(line, file=self.log, flush=True)
            if DEATHS.search(line):
                seen.faults.append(line)
                return
            self.show(line, seen)

    def show(self, line, seen):
        mark, _, rest = line.partition(" ")
        if mark != "million:":
            if line:
                print(f"   {line[:200]}", flush=True)
            return
        kind, _, rest = rest.partition(" ")
        seen.take(kind, rest)
        passed = f"{time.monotonic() - self.began:6.0f} s"
        if kind == "stage":
            print(f"{passed}  {rest}", flush=True)
        elif kind in ("progress", "result", "fault"):
            print(f"{passed}    {'' if kind == 'progress' else kind + ' '}{rest}", flush=True)

    def kill(self):
        self.process.kill()
        self.process.wait()
        if self.log:
            self.log.close()


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def about(options, began):
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "command": options.command,
        "commit": output("git", "rev-parse", "--short=12", "HEAD") + (" and changes" if changed else ""),
        "connections": options.connections,
        "emulator": output("qemu-system-x86_64", "--version").split("\n")[0],
        "emulator's command": options.qemu,
        "ping after": f"{options.ping_s} s",
        "took": f"{(datetime.now().astimezone() - began).seconds} s",
        "load average": Path("/proc/loadavg").read_text().strip(),
    }


def meminfo(name):
    return int(re.search(rf"^{name}: *(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)[1])


def machine():
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "cpu": models[0] if models else "unknown",
        "cores": str(len(models)),
        "kernel": output("uname", "-sr"),
        "memory": f"{meminfo('MemTotal') // 1024} MiB",
    }


if __name__ == "__main__":
    sys.exit(main())
