"""Runs the Autobahn cases against a WebSocket echo server and judges them more strictly than usual.

usage: run.py quick|full URL

A case passes when its messages were answered as the case demands and the connection ended as it demands.
NON-STRICT is reported, and not accepted of 6.4.*: invalid UTF-8 has to be refused inside the fragment.
Prints one line for each group of cases and each case that did not pass; leaves with 1 if there is one.
"""

import asyncio
import os
import sys
from collections import Counter, defaultdict

from kosoku import FailureError, run_fuzzingclient

# How many cases there are, and how many without LONG.
CASES_IN_ALL = 517
CASES_SHORT = 247
# The groups that measure speed and compression with many and large messages: minutes instead of seconds.
LONG = ["9.*", "12.*", "13.*"]
# Of these, what every run tries: the largest messages, the smallest fragments, and each way of compressing.
SAMPLE = [
    "9.1.6", "9.2.6", "9.3.9", "9.4.9", "9.5.1", "9.6.1", "9.7.3", "9.8.3",
    "12.1.1", "12.1.10", "12.2.5", "12.3.11", "12.4.15", "12.5.18",
    "13.1.3", "13.2.3", "13.3.3", "13.4.3", "13.5.3", "13.6.3", "13.7.3",
]  # fmt: skip
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
GOOD_END = {"OK", "INFORMATIONAL"}


async def run(url, cases=None, exclude=None):
    """The results of the chosen cases, whether they passed or not."""
    try:
        return await run_fuzzingclient(url, cases, exclude, concurrency=2 * (os.cpu_count() or 1))
    except FailureError as failure:
        return failure.results


def fault(result):
    """Why this result is not good enough, or None."""
    behavior, end = result.behavior.value, result.behavior_close.value
    if behavior not in GOOD:
        return f"{behavior}: {result.result}"
    if end not in GOOD_END:
        return f"closing: {end}: {result.result_close}"
    if result.case_id.startswith("6.4.") and behavior != "OK":
        return f"{behavior}, and 6.4 has to be strict"
    return None


async def main():
    mode, url = sys.argv[1:]
    if mode == "full":
        results = await run(url)
        expected = CASES_IN_ALL
    else:
        results = await run(url, exclude=LONG)
        results += await run(url, cases=SAMPLE)
        expected = CASES_SHORT + len(SAMPLE)

    groups = defaultdict(Counter)
    faults = []
    for result in results:
        groups[int(result.case_id.split(".")[0])][result.behavior.value] += 1
        why = fault(result)
        if why:
            faults.append(f"  {result.case_id}: {why}")
    for group, counts in sorted(groups.items()):
        print(f"  {group:>2}.*  " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    total = sum(groups.values(), Counter())
    print("  all   " + ", ".join(f"{n} {kind}" for kind, n in sorted(total.items())))
    if faults:
        print(*faults, sep="\n")

    # A case that could not connect is a result, too; one that is missing did not run.
    if len(results) != expected:
        print(f"error: {len(results)} cases ran, {expected} should have", file=sys.stderr)
        return 1
    print(f"{len(results) - len(faults)} passed, {len(faults)} failed")
    return 1 if faults else 0


code = asyncio.run(main())
sys.stdout.flush()
sys.stderr.flush()
# The runner's threads may still hold a case that ran out of time; tearing them down aborts the process.
os._exit(code)
