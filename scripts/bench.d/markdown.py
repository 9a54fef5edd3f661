"""A result as Markdown: the whole of it, and the table of the README."""

from workloads import METRICS, WORKLOADS

COLUMNS = ("chinwag", "floor0", "floor0, as long", "floor1", "uwebsockets", "tungstenite", "ws")


def number(value):
    """Three significant digits, and thousands in words."""
    for size, word in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= 10 * size or (abs(value) >= size and word == " M"):
            return f"{number(value / size)}{word}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def figure(name, value):
    unit = METRICS[name].unit
    if unit == "µs" and value >= 10_000_000:
        return f"{number(value / 1e6)} s"
    if unit == "µs" and value >= 10_000:
        return f"{number(value / 1000)} ms"
    if unit == "bytes":
        return f"{value:,.0f} bytes"
    return f"{number(value)}{'' if unit == '/s' else ' '}{unit}".strip()


def spread(found, words=number):
    if not found:
        return "–"
    if found["count"] == 1:
        return words(found["median"])
    return f"{words(found['median'])} ({words(found['least'])}–{words(found['most'])})"


def ratio(value):
    return f"{value:.2f}"


def ratios(found):
    if not found:
        return ""
    value = f"**{ratio(found['median'])}**"
    return value if found["count"] == 1 else f"{value} ({ratio(found['least'])}–{ratio(found['most'])})"


def rows(header, lines):
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


def verdict(aim):
    if aim["value"] is None:
        return "not measured"
    return "reached" if aim["reached"] else "missed"


def whole(result):
    """Everything that a result says, for whoever looks at it by itself."""
    machine = result["machine"]
    yield f"# Chinwag beside others, {result['date']}"
    yield ""
    yield from rows(("", ""), ((key, f"`{value}`") for key, value in {**result["about"], **machine}.items()))
    yield "Medians, with the least and the greatest. A ratio is to floor0 in the same round; of SSE, to WebSocket. Without"
    yield "echo, the reply to a message counts as a delivery."
    yield ""
    for summary in result["summary"]:
        yield from workload(summary, result["probes"])
    failures = [run for run in result["runs"] if "error" in run]
    if failures:
        yield "## Runs that do not count"
        yield ""
        for run in failures:
            yield f"- {run['workload']}, {run['contender']}, round {run['round']}: {run['error']}"
        yield ""


def workload(summary, probes):
    metrics = next(workload for workload in WORKLOADS if workload.key == summary["workload"]).metrics
    yield f"## {summary['title']}"
    yield ""
    for name, probe in probes.get(summary["workload"], {}).items():
        yield probed(name, probe, summary["contenders"][name]["figures"].get("cpu_us_per_delivery"))
        yield ""
    contenders = summary["contenders"].values()
    compared = [metric for metric in metrics if any(one["ratios"].get(metric) for one in contenders)]
    header = ["", "runs"]
    for metric in metrics:
        header += [metric, "ratio"] if metric in compared else [metric]
    lines = []
    for name, contender in summary["contenders"].items():
        line = [name, f"{contender['runs']}{'*' if contender['generator_at_its_limit'] else ''}"]
        for metric in metrics:
            line.append(spread(contender["figures"][metric], lambda value, metric=metric: figure(metric, value)))
            if metric in compared:
                line.append(ratios(contender["ratios"].get(metric)))
        lines.append(line)
    yield from rows(header, lines)
    if any(contender["generator_at_its_limit"] for contender in summary["contenders"].values()):
        yield "\\* The generator was at its limit: the rate is a lower bound, the server's CPU is what to compare."
        yield ""
    for aim in summary["aims"]:
        words = ratio if aim["aim"].endswith("×") else lambda value, aim=aim: figure(aim["metric"], value)
        value = "–" if aim["value"] is None else words(aim["value"])
        yield f"- {aim['contender']}, {aim['metric']}: {value}, aim {aim['aim']}: **{verdict(aim)}**"
    if summary["aims"]:
        yield ""


def probed(name, probe, cpu):
    """How a server writes, which explains what a delivery costs: the kernel's price is for each write."""
    each, coalesced = probe["bytes_per_delivery"], probe["deliveries_per_write"]
    words = f"{name}: {each} bytes a delivery, {coalesced:g} deliveries in one write"
    return f"{words} of {number(cpu['median'] * coalesced)} µs." if cpu else f"{words}."


def table(result):
    """The README's table: a row a workload, and the ratios that the aims are about."""
    lines = []
    for summary in result["summary"]:
        metrics = next(workload for workload in WORKLOADS if workload.key == summary["workload"]).metrics
        line = [summary["title"]]
        for column in COLUMNS:
            line.append(cell(summary["contenders"].get(column), metrics[:2]))
        aims = summary["aims"] or [None]
        line.append("<br>".join(aimed(aim, summary) for aim in aims))
        lines.append(line)
    header = ("", *(name.capitalize() if name == "chinwag" else name for name in COLUMNS), "ratio to floor0, aim")
    yield from rows(header, lines)


def cell(contender, metrics):
    if not contender or not contender["runs"]:
        return "–"
    found = ((name, contender["figures"][name]) for name in metrics)
    return " · ".join(figure(name, figures["median"]) if figures else "–" for name, figures in found)


def aimed(aim, summary):
    if aim is None or aim["value"] is None:
        return "–"
    who = "" if aim["contender"] == "chinwag" else aim["contender"].removeprefix("chinwag, ") + ": "
    contender = summary["contenders"][aim["contender"]]
    found = contender["ratios"].get(aim["metric"]) if aim["aim"].endswith("×") else None
    value = ratios(found) if found else f"**{figure(aim['metric'], aim['value'])}**"
    return f"{who}{value}, {aim['aim']}"
