"""The fast way through the combined format gives what the long way gives, line for line, whatever the lines."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_log_lines import (
    AGENTS,
    BASE,
    ELSEWHERE,
    END,
    KEYS,
    PARTS,
    PATHS,
    TRACKERS,
    elsewhere,
    line_of,
    lines_of,
    moment_text,
    paths,
)

from msgtrack import Tracker
from msgtrack.decide import decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Click, Event, Open
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.logs import combined, parse
from msgtrack.logs._fast import FastLines
from msgtrack.model import Resolution
from msgtrack.protocols import message_reader_of


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


@pytest.mark.parametrize("name", TRACKERS)
def test_one_odd_part_after_usual_lines(name: str) -> None:
    odd = [{part: number} for part, values in PARTS.items() for number in range(len(values))]
    for path in PATHS[name][::3]:
        # The first line is learned from, the second is of what was learned.
        lines = [line_of(path), line_of(path), *(line_of(path, **choice) for choice in odd)]
        assert list(parse(lines, tracker=TRACKERS[name])) == list(slowly(lines, TRACKERS[name]))


@pytest.mark.parametrize("number", range(len(ELSEWHERE)))
def test_message_parts_elsewhere_say_nothing(number: int) -> None:
    for path in PATHS["stateless"][::5]:
        lines = [line_of(path), line_of(path), *[elsewhere(path)[number]] * 3]
        assert list(parse(lines, tracker=TRACKERS["stateless"])) == list(slowly(lines, TRACKERS["stateless"]))


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
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_PLACES", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MESSAGES", 2)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_FOR_MOMENTS", 1)
    monkeypatch.setattr("msgtrack.logs._fast._ROOM_AT_A_PLACE", 1)
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
