"""What a run has measured, as the lines that are read."""

# What the generator would have to say of a run in which nothing was wrong.
WRONG = ("gaps", "duplicates", "reordered", "lost", "unexpected", "disconnected")


def number(text):
    """1234567 as 1,234,567; what is no whole number as it is."""
    return f"{int(text):,}" if str(text).isdigit() else str(text)


def contradictions(seen):
    """What cannot be if all went well, though nobody has complained."""
    found = []
    results = {key: float(value) for key, value in seen.results.items() if value.replace(".", "", 1).isdigit()}
    connections = results.get("connected", 0)
    for key in ("named", "joined", "pinged_connections"):
        if results.get(key) != connections:
            found.append(f"{key}: {results.get(key)} instead of {connections}")
    for key in ("pings", "pongs"):
        if results.get(key, 0) < connections:
            found.append(f"only {results.get(key)} {key} for {connections} connections")
    for members, run in seen.rooms.items():
        wrong = {key: value for key, value in run.get("faults", {}).items() if value}
        if wrong or not run.get("ok") or not run.get("deliveries"):
            found.append(f"room of {members}: {wrong or run.get('failures') or 'nothing was delivered'}")
    # At the end the server ends every connection, and nothing else may have happened to them.
    faults = (seen.idle or {}).get("faults", {})
    if faults.get("disconnected") != connections:
        found.append(f"{faults.get('disconnected')} connections were told that the server stops, instead of {connections}")
    for key in WRONG[:-1]:
        if faults.get(key):
            found.append(f"idle connections: {faults[key]} {key}")
    return found


def whole(result):
    """The result as Markdown."""
    lines = [f"# {number(result['about']['connections'])} connections, {'good' if result['ok'] else 'FAULTY'}", ""]
    lines += [f"- {fault}" for fault in result["faults"]]
    if result["faults"]:
        lines.append("")
    lines += ["| what | measured |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows(result)]
    lines += ["", "| where and how | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in {**result["machine"], **result["about"]}.items()]
    return lines + [""]


def rows(result):
    """Names and values, as far as the run has come."""
    results = result["results"]

    def said(key, form):
        if key in results:
            yield form.format(number(results[key]))

    table = [
        ("guest: kernel, cores", ["guest_kernel", "guest_cores"]),
        ("guest: seconds to boot", ["boot_s"]),
        ("connections: open, named users, in a room", ["connected", "named", "joined"]),
        ("rooms", ["rooms"]),
        ("seconds to open them, say hello and join", ["open_s"]),
        ("… of the core: server, generator (with the kernel's work)", ["server_open_cpu_s", "generator_open_cpu_s"]),
        ("user memory of the server for each: bytes", ["user_bytes"]),
        ("kernel memory for each, both ends: bytes", ["kernel_bytes"]),
        ("user memory of the generator for each: bytes", ["generator_bytes"]),
        ("sockets", ["sockets"]),
    ]
    for name, keys in table:
        values = [value for key in keys for value in said(key, "{}")]
        if values:
            yield name, ", ".join(values)
    for members, run in result["rooms"].items():
        yield f"one message to {number(members)} more in one room: until they have it", latency(run)
    for name, keys in [
        ("seconds in which all were pinged", ["ping_window_s"]),
        ("… pings, pongs, connections after", ["pings", "pongs", "pinged_connections"]),
        ("seconds to stop, exit code", ["stop_s", "stop_code"]),
        ("longest turn of the server's loop, at most: seconds", ["server_turn_max_s"]),
        ("packets lost by the guest's queue", ["packets_lost"]),
    ]:
        values = [value for key in keys for value in said(key, "{}")]
        if values:
            yield name, ", ".join(values)


def latency(run):
    """Half of them, and the last of them, in the messages that were sent."""
    times = run.get("latency_us")
    if not times or not times.get("count"):
        return "not measured"
    sends, deliveries = run.get("sends", 0), run.get("deliveries", 0)
    return f"half {seconds(times['p50'])}, the last {seconds(times['max'])} ({sends} messages, {number(deliveries)} deliveries)"


def seconds(us):
    return f"{us / 1e6:.1f} s" if us >= 1_000_000 else f"{us / 1e3:.1f} ms"
