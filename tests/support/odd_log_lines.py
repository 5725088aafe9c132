"""Lines of a web server's log that ask for tracked URLs, most of them usual and any part of them odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.links import MemoryRegistry

BASE = "https://t.example.com"
SECRET, OLD = "a secret of thirty-two bytes or so", "another secret of thirty-two bytes"
KEYS = Keyring.from_secrets(SECRET)
HTML = (
    '<a href="https://shop.example/">Shop</a> <a href="https://shop.example/x" data-type="web">Page</a>'
    ' <a href="https://shop.example/bye" data-type="opt-out">Bye</a> <a href="https://shop.example/m" data-type="mirror-page">M</a>'
    ' <a href="https://shop.example/t" data-type="transaction">T</a>'
)
END = datetime(2026, 3, 2, 10, 0, 30, tzinfo=UTC)


def paths(tracker: Tracker, **options: object) -> list[str]:
    """Path and query of all URLs of some messages, of several policies."""
    found: list[str] = []
    policies = [Policy(), Policy(opens="pseudonymous"), Policy(clicks="aggregate"), Policy(opens="none", clicks="none")]
    for delivery, kind in (("4711", "normal"), ("spring", "proof")):
        mail = tracker.compile(html=HTML, delivery_id=delivery, kind=kind, **options)  # type: ignore[arg-type]
        if tracker.registry is not None:
            tracker.registry.publish(mail)
        for number, message_id in enumerate(
            ["1", "2", "77", "ü-1", "a@b.example", "0d4f2c7e-1111-4222-8333-0123456789ab", "12"]
        ):
            out = mail.render(message_id=message_id, policy=policies[number % 4], seed=number == 6)
            texts = [out.html or "", f'="{tracker.opt_out_url(delivery_id=delivery, message_id=message_id)}"']
            urls = [piece.partition('"')[0] for text in texts for piece in text.split('="')[1:]]
            found += [url.removeprefix(BASE) for url in urls if url.startswith(BASE)]
    return found


TRACKERS = {
    "stateless": Tracker(BASE, KEYS),
    "a path": Tracker(f"{BASE}/t/o", KEYS),
    "registered": Tracker(BASE, KEYS, registry=MemoryRegistry(), link_style="registered"),
    "concealed": Tracker(BASE, KEYS, conceal_ids=True),
    "two secrets": Tracker(BASE, Keyring.from_secrets(OLD, verify_only=[SECRET])),
    "of a realm": Tracker(BASE, KEYS, realm="tenant"),
    "campaign": Tracker(BASE, KEYS, registry=MemoryRegistry(), link_style="registered", url_format="campaign"),
}
PATHS = {
    name: (paths(tracker) if name != "campaign" else [])
    + paths(TRACKERS["stateless"])
    + paths(TRACKERS["stateless"], expires_at=END, variant="b")
    for name, tracker in TRACKERS.items()
}

AGENTS = ["Mozilla/5.0 (X11) Firefox/130.0", "-", "", r"odd \"one\" \x41\xe4", "é", "tab\there", "a" * 600, "\ud800"]
HEADS = [
    "203.0.113.5 - - ", "2001:db8::1 - - ", "- - - ", "203.0.113.5 - frank - ", "1 - - ", "203.0.113.5, 10.0.0.1 - - ",
    "203.0.113.5 - frank ", "host.example 203.0.113.5 - ", "Mar  2 10:00:00 web nginx: 203.0.113.5 - - ", "<13>1 - - ",
    "web-1  | 203.0.113.5 - - ", "203.0.113.5 - - [x] ", "2026:: - - ", "203.0.113.5\t- - ", "", " - - ",
    " 203.0.113.5 - - ", "203\t0.113.5 - - ",
]  # fmt: skip
REQUESTS = [
    "GET {} HTTP/1.1", "GET {} HTTP/2.0", "GET {}", "HEAD {} HTTP/1.1", "POST {} HTTP/1.1", "GET  {} HTTP/1.1", "get {} HTTP/1.1",
    "GET {} HTTP/9", "GET {}?utm=1 HTTP/1.1", "GET {}. HTTP/1.1", "GET https://t.example.com{} HTTP/1.1", "GET /t/o{} HTTP/1.1",
    "GET /{} HTTP/1.1", "GET {} HTTP/1.1 ", "-", "", "GET {}x HTTP/1.1", r"GET {}\x22 HTTP/1.1", "GET {}/ HTTP/1.1",
    "GET /r?u={} HTTP/1.1", "GET {} HTTP/x", "GET {}.html/1.1", "GET {} http/1.1", "GET {} HTTPS/1.1", "GET {} HTTP/1.1 x",
    "M-SEARCH {} HTTP/1.1",
]  # fmt: skip
TAILS = [
    ' 302 0 "-" "{}"', ' 200 43 "https://mail.example/" "{}"', ' 404 0 "-" "{}"', ' 499 0 "-" "{}"', ' - - "-" "{}"', " 302 0",
    ' 302 0 "-" "{}" 0.003 "-"', ' 302 0 "-" "{}"x', ' 302 0 "-"', ' 30 0 "-" "{}"', ' 302 0 "a"b" "{}"', "", '302 0 "-" "{}"',
    ' 302 0 "-" "{}" "', " 302 0 - -",
]  # fmt: skip
ENDS = ["", "\n", "\r\n", "\n\n", " \n", '"\n']


def moment_text(seconds: int, zone: str) -> str:
    return (datetime(2026, 3, 2, 10, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%d/%b/%Y:%H:%M:%S ") + zone


zones = st.sampled_from(["+0000", "+0000", "+0000", "+0530", "-0800"])
moments = st.builds(moment_text, st.integers(0, 60), zones) | st.sampled_from(
    ["31/Feb/2026:10:00:00 +0000", "02/MAR/2026:10:00:00 +0000", "02/Mar/2026:10:00:60 +0000", "02/Mar/1966:10:00:00 +0000", "x"]
)  # fmt: skip


WRITTEN = [
    *(moment_text(second, zone) for second in (5, 29, 30) for zone in ("+0000", "+0530")),
    "31/Feb/2026:10:00:00 +0000",
    "x",
]


def line_of(
    path: str, head: int = 0, moment: int = 0, request: int = 0, tail: int = 0, agent: int = 0, end: int = 1
) -> str:
    """A usual line, but for the parts that are chosen."""
    behind = TAILS[tail].format(AGENTS[agent])
    return f'{HEADS[head]}[{WRITTEN[moment]}] "{REQUESTS[request].format(path)}"{behind}{ENDS[end]}'


# The last segment of a path that stands before a version need not be that of what was asked for.
ELSEWHERE = [
    'GET {0}" 302 0 "-" "x{0} HTTP/1.1', 'GET {0}\\"{0} HTTP/1.1', 'GET {0}" 302 0 "x{0} HTTP/1.1" "x HTTP/1.1',
    "GET {0} HTTP/1.1 {0} HTTP/1.1",
    "GET {0} x{0} HTTP/1.1", '{0} HTTP/1.1" 302 0 "-" "{0} HTTP/1.1', "GET {0} - - [{0} HTTP/1.1",
]  # fmt: skip


def elsewhere(path: str) -> list[str]:
    """Lines that hold a message part where no server would ask for it."""
    behind = TAILS[0].format("agent")
    return [f'{HEADS[0]}[{WRITTEN[0]}] "{request.format(path)}"{behind}\n' for request in ELSEWHERE]


PARTS = {"head": HEADS, "moment": WRITTEN, "request": REQUESTS, "tail": TAILS, "agent": AGENTS, "end": ENDS}


def mostly(first: str, others: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([first] * len(others) + others)


def lines_of(paths: list[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda head, moment, request, path, tail, agent, end: (
            f'{head}[{moment}] "{request.format(path)}"{tail.format(agent)}{end}'
        ),
        mostly(HEADS[0], HEADS),
        moments,
        mostly(REQUESTS[0], REQUESTS),
        st.sampled_from(paths),
        mostly(TAILS[0], TAILS),
        mostly(AGENTS[0], AGENTS),
        mostly("\n", ENDS),
    )
