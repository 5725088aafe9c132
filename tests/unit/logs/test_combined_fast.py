"""The fast way through the combined format gives what the long way gives, line for line, whatever the lines."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.decide import decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Click, Event, Open
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.links import MemoryRegistry
from msgtrack.logs import combined, parse
from msgtrack.logs._fast import FastLines, message_reader_of
from msgtrack.model import Resolution

BASE = "https://t.example.com"
SECRET, OLD = "a secret of thirty-two bytes or so", "another secret of thirty-two bytes"
KEYS = Keyring.from_secrets(SECRET)
HTML = (
    '<a href="https://shop.example/">Shop</a> <a href="https://shop.example/x" data-type="web">Page</a>'
    ' <a href="https://shop.example/bye" data-type="opt-out">Bye</a> <a href="https://shop.example/m" data-type="mirror-page">M</a>'
    ' <a href="https://shop.example/t" data-type="transaction">T</a>'
)
END = datetime(2026, 3, 2, 10, 0, 30, tzinfo=UTC)


def slowly(lines: Iterable[str], tracker: Tracker) -> Iterator[Event | Rejected]:
    """Each line for itself, through the values that everybody else uses."""
    ordinals = Ordinals()
    for number, line in enumerate(lines, 1):
        record = combined.parse_line(line.rstrip("\r\n"), number)
        if isinstance(record, Hit):
            event = decide(record, tracker).event
            if event is not None:
                yield identified(event, ordinals)
        elif record is not None:
            yield record


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


PARTS = {"head": HEADS, "moment": WRITTEN, "request": REQUESTS, "tail": TAILS, "agent": AGENTS, "end": ENDS}


@pytest.mark.parametrize("name", TRACKERS)
def test_one_odd_part_after_usual_lines(name: str) -> None:
    odd = [{part: number} for part, values in PARTS.items() for number in range(len(values))]
    for path in PATHS[name][::3]:
        # The first line is learned from, the second is of what was learned.
        lines = [line_of(path), line_of(path), *(line_of(path, **choice) for choice in odd)]
        assert list(parse(lines, tracker=TRACKERS[name])) == list(slowly(lines, TRACKERS[name]))


# The last segment of a path that stands before a version need not be that of what was asked for.
ELSEWHERE = [
    'GET {0}" 302 0 "-" "x{0} HTTP/1.1', 'GET {0}\\"{0} HTTP/1.1', 'GET {0}" 302 0 "x{0} HTTP/1.1" "x HTTP/1.1',
    "GET {0} HTTP/1.1 {0} HTTP/1.1",
    "GET {0} x{0} HTTP/1.1", '{0} HTTP/1.1" 302 0 "-" "{0} HTTP/1.1', "GET {0} - - [{0} HTTP/1.1",
]  # fmt: skip


@pytest.mark.parametrize("request_text", ELSEWHERE)
def test_message_parts_elsewhere_say_nothing(request_text: str) -> None:
    for path in PATHS["stateless"][::5]:
        line = f'{HEADS[0]}[{WRITTEN[0]}] "{request_text.format(path)}"{TAILS[0].format("agent")}\n'
        lines = [line_of(path), line_of(path), line, line, line]
        assert list(parse(lines, tracker=TRACKERS["stateless"])) == list(slowly(lines, TRACKERS["stateless"]))


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


@pytest.mark.parametrize("name", TRACKERS)
@settings(max_examples=40)
@given(data=st.data())
def test_both_ways_say_the_same(name: str, data: st.DataObject) -> None:
    few = data.draw(st.lists(st.sampled_from(PATHS[name]), min_size=1, max_size=3))
    lines = data.draw(st.lists(lines_of(few), max_size=40))
    # Most lines twice: what was learned is used, and equal events are told apart by their order.
    lines += data.draw(st.permutations(lines))
    assert list(parse(lines, tracker=TRACKERS[name])) == list(slowly(lines, TRACKERS[name]))


@example('"')
@example('1.1.1.1 - - [02/Mar/2026:10:00:05 +0000] "GET / HTTP/1.1" 302 0 "-" "-"')
@given(st.text('1. -[]"/GETHP:\n\\x2', max_size=60))
def test_any_text(line: str) -> None:
    assert list(parse([line], tracker=TRACKERS["stateless"])) == list(slowly([line], TRACKERS["stateless"]))


def _clean(number: int, seconds: int) -> str:
    # Of messages whose readers may be followed.
    opens = [path for path in PATHS["stateless"] if path.startswith("/1/")][0:4:3]
    return f'203.0.113.5 - - [{moment_text(seconds, "+0000")}] "GET {opens[number % 2]} HTTP/1.1" 200 43 "-" "{AGENTS[0]}"\n'


def test_old_seconds_are_counted_alike_whatever_their_order() -> None:
    rng = random.Random(1)
    lines = [_clean(rng.randrange(2), rng.randrange(60)) for _ in range(3_000)]
    assert list(parse(lines, tracker=TRACKERS["stateless"])) == list(slowly(lines, TRACKERS["stateless"]))


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgtrack.logs._fast._ROOM", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MODELS", 1)
    lines = [
        f'203.0.113.5 - - [{moment_text(seconds, "+0000")}] "GET {path} HTTP/1.1" 302 0 "-" "agent {seconds % 5}"\n'
        for seconds in range(20)
        for path in PATHS["stateless"]
    ]
    assert list(parse(lines, tracker=TRACKERS["stateless"])) == list(slowly(lines, TRACKERS["stateless"]))


def test_most_lines_go_the_fast_way() -> None:
    tracker = TRACKERS["stateless"]
    reader = message_reader_of(tracker)
    assert reader is not None
    fast = FastLines(tracker, reader, Ordinals())
    asked: list[str] = []
    resolve = tracker.resolve

    class Counting:
        def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
            asked.append(url)
            return resolve(url, at=at)

    fast._tracker = Counting()  # type: ignore[assignment]  # it is asked nothing else
    events = list(fast.events(_clean(number, number // 10) for number in range(100)))
    assert len(events) == 100
    assert {type(event) for event in events} == {Open}
    assert len(asked) == 1


def test_events_of_the_fast_way_are_as_frozen_as_others() -> None:
    event = list(parse([_clean(0, 0), _clean(1, 0)], tracker=TRACKERS["stateless"]))[1]
    assert type(event) is Open
    with pytest.raises(AttributeError):
        event.delivery_id = "other"  # type: ignore[misc]  # that it is refused is the point


def test_a_tracker_that_resolves_in_its_own_way_is_asked_each_time() -> None:
    class Own(Tracker):
        def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
            return super().resolve("/other", at=at)

    class PassingOn:
        def __init__(self, tracker: Tracker) -> None:
            self._tracker = tracker

        def __getattr__(self, name: str) -> object:
            return getattr(self._tracker, name)

        def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
            return self._tracker.resolve("/other", at=at)

        def person_salt(self, day: str) -> bytes:
            return b""

    lines = [_clean(0, 0), _clean(1, 1)]
    assert list(parse(lines, tracker=Own(BASE, KEYS))) == []
    assert list(parse(lines, tracker=PassingOn(TRACKERS["stateless"]))) == []


def test_no_text_is_refused_where_it_stands() -> None:
    records = parse([_clean(0, 0), b"x"], tracker=TRACKERS["stateless"])  # type: ignore[list-item]  # that is what is refused
    assert isinstance(next(records), Open)
    with pytest.raises(InvalidValue, match="line 2 must be text, not bytes"):
        next(records)


def test_an_expired_link_means_nothing_from_its_end_on() -> None:
    tracker = TRACKERS["stateless"]
    path = next(path for path in paths(tracker, expires_at=END) if path.count("/") == 2 and not path.startswith("/1/"))
    line = '203.0.113.5 - - [{}] "GET ' + path + ' HTTP/1.1" 302 0 "-" "-"'
    found = list(parse([line.format(moment_text(second, "+0000")) for second in (28, 29, 30, 31)], tracker=tracker))
    assert [type(event) for event in found] == [Click, Click]
