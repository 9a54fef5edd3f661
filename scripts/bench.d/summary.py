"""What many runs say together: medians, spreads, and the medians of the ratios within rounds."""

from statistics import median

from workloads import METRICS, WORKLOADS

# The units in which a server is held against the floor, which keeps no state worth the name.
COMPARED = ("µs", "/s")


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": median(values), "least": min(values), "most": max(values), "count": len(values)}


def rounds_of(runs, workload, contender):
    """A contender's good reports by round."""
    return {
        run["round"]: run["report"]
        for run in runs
        if (run["workload"], run["contender"]) == (workload.key, contender) and "error" not in run
    }


def ratios(runs, workload, contender, reference, metric):
    """Of a contender to another, where both did well in the same round."""
    ours, theirs = (rounds_of(runs, workload, name) for name in (contender, reference))
    pairs = [(metric.of(ours[number]), metric.of(theirs[number])) for number in ours if number in theirs]
    return [a / b for a, b in pairs if a is not None and b]


def summarize(result):
    """All workloads of a result: of each contender its figures, its ratios to another, and whether aims are met."""
    runs = result["runs"]
    return [summarize_workload(runs, workload) for workload in WORKLOADS if has_runs(runs, workload)]


def has_runs(runs, workload):
    return any(run["workload"] == workload.key for run in runs)


def summarize_workload(runs, workload):
    contenders = {}
    for contender in workload.contenders:
        reports = rounds_of(runs, workload, contender.name).values()
        figures = {name: spread(METRICS[name].of(report) for report in reports) for name in workload.metrics}
        to = {
            name: spread(ratios(runs, workload, contender.name, workload.reference, METRICS[name]))
            for name in workload.metrics
            if METRICS[name].unit in COMPARED
        }
        bottleneck = sum(bool((report.get("generator") or {}).get("is_bottleneck")) for report in reports)
        contenders[contender.name] = {
            "runs": len(reports),
            "figures": figures,
            "ratios": to if contender.name != workload.reference else {},
            "generator_at_its_limit": bottleneck,
        }
    aims = [summarize_aim(aim, name, contenders[name]) for aim in workload.aims for name in ours(workload)]
    return {"workload": workload.key, "title": workload.title, "contenders": contenders, "aims": aims}


def ours(workload):
    names = [contender.name for contender in workload.contenders if contender.program == "chinwag"]
    return [name for name in names if name != workload.reference]


def summarize_aim(aim, name, contender):
    found = contender["ratios" if aim.ratio else "figures"].get(aim.metric)
    value = found and found["median"]
    return {
        "contender": name,
        "metric": aim.metric,
        "aim": aim.words(),
        "value": value,
        "reached": None if value is None else aim.is_reached(value),
    }
