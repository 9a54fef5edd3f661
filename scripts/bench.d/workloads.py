"""The standard set: what is measured, on whom, and what is aimed at.

A workload is one setting of the load generator. Its contenders take turns: each round runs every one of them once,
and a ratio is always of two runs of one round, since runs that are minutes apart are not comparable.
"""

from dataclasses import dataclass, replace

# The rounds that a contender takes part in: all of them, or only as many as give an idea.
EVERY, SOME, FEW = None, 3, 2


@dataclass(frozen=True)
class Metric:
    """A figure of a run."""

    # Where it stands in the generator's report. A scenario's own figures are a list, told apart by name.
    path: tuple
    unit: str
    factor: float = 1

    def of(self, report):
        for key in self.path:
            if isinstance(report, list):
                report = next((figure["value"] for figure in report if figure["name"] == key), None)
            else:
                report = (report or {}).get(key)
        return None if report is None else report * self.factor


METRICS = {
    "cpu_us_per_delivery": Metric(("server", "cpu_us_per_delivery"), "µs"),
    "deliveries_per_s": Metric(("deliveries_per_s",), "/s"),
    "cpu_us_per_handshake": Metric(("server", "cpu_us_per_handshake"), "µs"),
    "handshakes_per_s": Metric(("handshakes_per_s",), "/s"),
    "user_bytes": Metric(("server", "user_bytes_per_connection"), "bytes"),
    "kernel_bytes": Metric(("kernel", "bytes_per_connection"), "bytes"),
    "busy": Metric(("server", "busy"), "%", 100),
    "p50": Metric(("latency_us", "p50"), "µs"),
    "p99": Metric(("latency_us", "p99"), "µs"),
    "p999": Metric(("latency_us", "p999"), "µs"),
    "p99 before": Metric(("extra", "p99 without slow readers"), "µs"),
    "cut": Metric(("extra", "slow readers cut"), ""),
    "resumed": Metric(("extra", "sessions resumed"), ""),
    "user memory": Metric(("extra", "user memory of slow readers"), "bytes"),
    "kernel memory": Metric(("extra", "kernel memory of slow readers"), "bytes"),
}


@dataclass(frozen=True)
class Contender:
    """A server, and how it is loaded."""

    name: str
    # The program: a key of servers.PROGRAMS.
    program: str
    rounds: int | None = EVERY
    # What the generator is told besides the workload's settings.
    extra: tuple = ()
    # Whether messages are so long that there are as many bytes in a delivery as Chinwag sends for one.
    long: bool = False
    # How long it is measured, where that is not the workload's time.
    seconds: float | None = None
    # Variables of the server's environment.
    settings: tuple = ()

    @property
    def is_answered(self):
        """Whether senders get the reply to a message instead of the message."""
        return "--no-echo" in self.extra or "--events" in self.extra


CHINWAG = Contender("chinwag", "chinwag")
NO_ECHO = Contender("chinwag, no echo", "chinwag", extra=("--no-echo",))
EVENTS = Contender("chinwag, events", "chinwag", extra=("--events",))
FLOOR0 = Contender("floor0", "floor0")
FLOOR0_LONG = Contender("floor0, as long", "floor0", long=True)
FLOOR1 = Contender("floor1", "floor1", FEW)
UWEBSOCKETS = Contender("uwebsockets", "uwebsockets", SOME)
TUNGSTENITE = Contender("tungstenite", "tungstenite", FEW)
WS = Contender("ws", "ws", FEW)

OTHERS = (UWEBSOCKETS, TUNGSTENITE, WS)
FANOUT = (CHINWAG, FLOOR0, FLOOR0_LONG, FLOOR1, *OTHERS)


@dataclass(frozen=True)
class Aim:
    """A bound on Chinwag's ratio to floor0, or on its own figure."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None
    ratio: bool = True

    def is_reached(self, value):
        return value <= self.at_most if self.at_least is None else value >= self.at_least

    def words(self):
        bound = f"≤ {self.at_most:g}" if self.at_least is None else f"≥ {self.at_least:g}"
        return f"{bound} ×" if self.ratio else f"{bound} {METRICS[self.metric].unit}".strip()


@dataclass(frozen=True)
class Workload:
    key: str
    title: str
    # The generator's scenario and settings.
    command: str
    contenders: tuple
    # What is shown; the first is what contenders are compared by.
    metrics: tuple
    aims: tuple = ()
    # The contender to which ratios are.
    reference: str = "floor0"
    seconds: float = 2
    # At most so many rounds.
    rounds: int | None = EVERY
    # The generator's pictures that are drawn beside its page.
    pictures: tuple = ()


DELIVERY = ("cpu_us_per_delivery", "deliveries_per_s", "p99")
WITHIN = (Aim("cpu_us_per_delivery", at_most=1.08),)
TEN_ROOMS = "fanout --connections 1000 --rooms 10 --senders one --text-len 64"

WORKLOADS = (
    Workload(
        "b",
        "B: 10 rooms of 100, one sends, 64 bytes, window 8",
        f"{TEN_ROOMS} --window 8",
        (*FANOUT, NO_ECHO),
        DELIVERY,
        WITHIN,
    ),
    Workload("b1", "B1: as B, window 1", f"{TEN_ROOMS} --window 1", FANOUT, DELIVERY, WITHIN),
    Workload("b32", "B32: as B, window 32", f"{TEN_ROOMS} --window 32", FANOUT, DELIVERY, WITHIN),
    Workload(
        "c",
        "C: 10,000 in one room, one sends, 128 bytes, window 4",
        "fanout --connections 10000 --rooms 1 --senders one --text-len 128 --window 4",
        FANOUT,
        DELIVERY,
        WITHIN,
    ),
    Workload(
        "sse",
        "SSE: as C, all but the sender by Server-Sent Events, beside WebSocket",
        "fanout --connections 10000 --rooms 1 --text-len 128 --window 4",
        (NO_ECHO, EVENTS),
        DELIVERY,
        (Aim("cpu_us_per_delivery", at_most=1.05),),
        reference=NO_ECHO.name,
    ),
    Workload(
        "d",
        "D: 5,000 rooms of 2, all send, 64 bytes, window 1",
        "fanout --connections 10000 --rooms 5000 --senders all --text-len 64 --window 1",
        (*FANOUT, NO_ECHO),
        ("deliveries_per_s", "cpu_us_per_delivery", "p99"),
        (Aim("deliveries_per_s", at_least=1.5),),
    ),
    Workload(
        "e",
        "E: connect, upgrade, close",
        "handshake",
        (CHINWAG, FLOOR0, *OTHERS),
        ("cpu_us_per_handshake", "handshakes_per_s"),
        (Aim("cpu_us_per_handshake", at_most=1.35),),
    ),
    Workload(
        "idle",
        "idle: 19,000 joined, nothing said",
        "idle --connections 19000",
        # Chinwag long enough for each connection to be pinged once; nobody else pings.
        (replace(CHINWAG, seconds=26), *(replace(other, rounds=1) for other in (FLOOR0, *OTHERS))),
        ("user_bytes", "busy", "kernel_bytes"),
        (Aim("user_bytes", at_most=520, ratio=False), Aim("busy", at_most=1, ratio=False)),
        seconds=3,
        rounds=2,
        pictures=("memory-over-connections", "footprints"),
    ),
    Workload(
        "f",
        "F: 1,000 in one room, 512 bytes, 500 a second; 10 never read, 10 read 1 KB a second",
        "slow --connections 1000 --rooms 1 --text-len 512 --rate 500 --slow 20 --crawlers 10 --crawl 1024",
        (CHINWAG, *(replace(other, rounds=1) for other in OTHERS)),
        ("p99", "p99 before", "user memory", "kernel memory"),
        seconds=5,
        rounds=2,
    ),
    Workload(
        "cut",
        "F with a stall deadline of a second: the 10 that never read are cut, and resume",
        "slow --connections 1000 --rooms 1 --text-len 512 --rate 500 --slow 10",
        (replace(CHINWAG, settings=(("CHINWAG_TIMEOUTS_STALL", "1s"), ("CHINWAG_TIMEOUTS_PONG", "1s"))),),
        ("cut", "resumed", "p99", "p99 before"),
        (Aim("cut", at_least=10, ratio=False), Aim("resumed", at_least=10, ratio=False)),
        seconds=5,
        rounds=1,
    ),
    Workload(
        "fair",
        "fair: direct messages while 14 a second go to a room of 10,000, half of a core's work",
        "direct --connections 200 --rate 500 --text-len 64 --background 10000 --background-rate 14",
        (CHINWAG,),
        ("p50", "p99", "p999", "busy"),
        (Aim("p99", at_most=5000, ratio=False),),
        rounds=3,
    ),
    Workload(
        "steady",
        "steady: as B, 80,000 deliveries a second, open loop",
        f"{TEN_ROOMS} --rate 800",
        (CHINWAG, FLOOR0, FLOOR1, *OTHERS),
        ("p50", "p99", "p999", "cpu_us_per_delivery"),
        pictures=("latency",),
    ),
)
