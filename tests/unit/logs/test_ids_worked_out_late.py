"""Events of the fast way hold what their ids will be made of; nobody who looks at them can tell."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from odd_log_lines import AGENTS, PATHS, TRACKERS, line_of, lines_of, moment_text

from msgtrack import records
from msgtrack.decide import decide
from msgtrack.events import Click, Event, Open, event_id, hashed_id
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.logs import combined
from msgtrack.logs._fast import FastLines
from msgtrack.logs._fast_events import MODELS, maker
from msgtrack.model import Client, Part, Verdict
from msgtrack.protocols import message_reader_of
from msgtrack.storage import MemoryStore
from msgtrack.tally import Tally

TRACKER = TRACKERS["stateless"]
OPENS = [path for path in PATHS["stateless"] if path.startswith("/1/")][0:4:3]


def usual(number: int, seconds: int) -> str:
    at = moment_text(seconds, "+0000")
    return f'203.0.113.5 - - [{at}] "GET {OPENS[number % 2]} HTTP/1.1" 200 43 "-" "{AGENTS[0]}"\n'


def slowly(lines: list[str], ordinals: Ordinals) -> list[Event]:
    hits = [combined.parse_line(line.rstrip("\r\n"), number) for number, line in enumerate(lines, 1)]
    events = [decide(hit, TRACKER).event for hit in hits if isinstance(hit, Hit)]
    return [identified(event, ordinals) for event in events if event is not None]


def quickly(lines: list[str], ordinals: Ordinals) -> list[Event]:
    reader = message_reader_of(TRACKER)
    assert reader is not None
    found = FastLines(TRACKER, reader, ordinals).events(lines)
    return [event for event in found if not isinstance(event, Rejected)]


# The first second is learned from, so its ids are there from the start; two events of the next are equal.
LINES = [usual(0, 0), usual(0, 1), usual(1, 1), usual(1, 1), usual(0, 2)]


def waiting() -> Event:
    event = quickly(LINES, Ordinals())[1]
    assert type(event._held) is tuple
    return event


EXPECTED = slowly(LINES, Ordinals())[1]

LOOKS: dict[str, Callable[[Event], object]] = {
    "id": lambda event: event.id,
    "has_own_id": lambda event: event.has_own_id,
    "derived_id": lambda event: event.derived_id(),
    "repr": repr,
    "hash": hash,
    "asdict": attrs.asdict,
    "astuple": attrs.astuple,
    "evolve": lambda event: attrs.evolve(event, source_id="someone"),
    "evolve, id": lambda event: attrs.evolve(event, source_id="someone").id,
    "another id": lambda event: attrs.evolve(event, id="other").id,
    "pickle": lambda event: pickle.loads(pickle.dumps(event)),
    "pickled": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "as generated code does": lambda event: getattr(event, "_id"),  # noqa: B009  # the name is the point
    "JSON": records.to_json,
    "identified": lambda event: identified(event, Ordinals()),
    "from JSON": lambda event: records.from_json(records.to_json(event), Event),
}


@pytest.mark.parametrize("name", LOOKS)
def test_whoever_looks_sees_the_id(name: str) -> None:
    assert LOOKS[name](waiting()) == LOOKS[name](EXPECTED)


def test_equal_in_both_directions_and_different_from_others() -> None:
    one, other = waiting(), EXPECTED
    assert one == other
    one = waiting()
    assert other == one
    assert waiting() == waiting()
    assert {waiting(), EXPECTED} == {EXPECTED}
    assert waiting() != attrs.evolve(EXPECTED, id="other")
    assert waiting() != attrs.evolve(EXPECTED, id=None)


def test_an_id_is_worked_out_once_and_kept() -> None:
    event = waiting()
    assert event.id is event.id
    assert event.id == EXPECTED.id
    assert event._held is event.id


def test_stores_and_folds_take_them_as_others() -> None:
    quick, slow = MemoryStore(), MemoryStore()
    assert quick.ingest(quickly(LINES, Ordinals())) == slow.ingest(slowly(LINES, Ordinals()))
    assert quick.ingest([waiting()]).known == 1
    assert list(quick.scan()) == list(slow.scan())
    one, other = Tally(), Tally()
    one.extend([*quickly(LINES, Ordinals()), waiting()])
    other.extend(slowly(LINES, Ordinals()))
    assert one.counts() == other.counts()


def test_threads_that_ask_at_once_are_told_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            assert set(pool.map(lambda event: event.id, [waiting()] * 8)) == {EXPECTED.id}


def test_most_ids_are_waited_for() -> None:
    lines = [usual(number, number // 10) for number in range(100)]
    held = [type(event._held) for event in quickly(lines, Ordinals())]
    assert held[:10] == [str] * 10
    # Of a second's ten lines two are the first of their kind; the others need an ordinal.
    assert [kind is tuple for kind in held[10:]] == [True, True, *[False] * 8] * 9


@pytest.mark.parametrize("cls", sorted(MODELS, key=lambda cls: cls.kind))
def test_one_twin_serves_all_classes(cls: type[Event]) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    model = cls(
        occurred_at=at,
        delivery_id="1",
        message_id="2",
        link_id="3",
        part=Part.TEXT,
        verdict=Verdict(audience="machine"),
        is_seed=True,
        source="a",
    )
    made = maker(model)(at, "4", "5", Client(user_agent="b"))
    assert type(made) is cls
    assert made == attrs.evolve(model, message_id="4", id="5", client=Client(user_agent="b"))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.message_id = "6"  # type: ignore[misc]  # that it is refused is the point
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.message_id


@given(st.lists(st.text(), min_size=4, max_size=4), st.datetimes(timezones=st.just(UTC)))
@example(["", "\ud800", "", ""], datetime(1, 1, 1, tzinfo=UTC))
def test_what_an_id_is_made_of_makes_that_id(parts: list[str], at: datetime) -> None:
    before, message_id, link, behind = parts
    sized = [f"{len(part)}:{part}" for part in parts]
    expected = event_id(at, before, message_id, link, behind)
    assert hashed_id((expected[:8], sized[0], message_id, sized[2], sized[3])) == expected


few = st.lists(st.sampled_from(PATHS["stateless"]), min_size=1, max_size=2)


@given(few.flatmap(lambda paths: st.lists(lines_of(paths), max_size=12)), st.integers(0, 24), st.booleans())
@example([usual(0, 0), usual(0, 0), line_of(PATHS["stateless"][1]), usual(0, 0)], 2, True)
def test_both_ways_count_in_one_log(lines: list[str], cut: int, slow_first: bool) -> None:
    """A log is read on the one way from where it was left on the other; the state between them is of ids."""
    lines = lines + lines
    expected_ordinals = Ordinals()
    expected = slowly(lines, expected_ordinals)
    ways = (slowly, quickly) if slow_first else (quickly, slowly)
    before = Ordinals()
    found = ways[0](lines[:cut], before)
    # Once with the same object, which nobody has asked for its state, once with what a checkpoint keeps of it.
    state = copy.deepcopy(before).state()
    assert all(len(key) == 32 for key in state)
    kept = Ordinals(state)
    found_again = [*found, *ways[1](lines[cut:], kept)]
    found += ways[1](lines[cut:], before)
    assert found == expected
    assert found_again == expected
    assert before.state() == kept.state() == expected_ordinals.state()


moments = st.builds(
    lambda at, second, zone: f"{at.strftime('%d/%b/')}{at.year:04}{at.strftime(':%H:%M:')}{second:02} {zone}",
    st.datetimes(timezones=st.just(UTC))
    | st.sampled_from([datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1970, 9999)]),
    st.integers(0, 61) | st.just(99),
    st.sampled_from(["+0000", "+0530", "-0800", "+9999"]),
)


@given(st.lists(moments, max_size=4))
@example(["02/Mar/2026:10:00:00 +0000", "02/Mar/2026:10:00:59 +0000", "02/Mar/2026:10:00:60 +0000"])
@example(["01/Jan/1970:00:00:00 +0000", "31/Dec/1969:23:59:59 +0000", "01/Jan/0001:00:00:05 +0530"])
def test_any_moment_is_read_alike(written: list[str]) -> None:
    line = f'203.0.113.5 - - [{{}}] "GET {OPENS[0]} HTTP/1.1" 200 43 "-" "-"\n'
    lines = [usual(0, 0), *(line.format(at) for at in written)]
    assert quickly(lines, Ordinals()) == slowly(lines, Ordinals())


def test_nothing_is_learned_from_lines_with_something_else_before_the_moment() -> None:
    """Cut at the same place, what stands behind would look like another method."""
    line = f'203.0.113.5 - {{}}[{moment_text(0, "+0000")}] "{{}} {OPENS[0]} HTTP/1.1" 200 43 "-" "-"\n'
    lines = [line.format(" ", "GET"), line.format("- ", "ET"), line.format("- ", "GET"), line.format("- ", "ET")]
    assert [type(event) for event in slowly(lines, Ordinals())] == [Open, Open]
    assert quickly(lines, Ordinals()) == slowly(lines, Ordinals())


def test_events_made_otherwise_have_no_part_in_this() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    values: list[tuple[Any, Any]] = [(None, None), ("1", "1"), (7, "7")]
    for given_id, held in values:
        event = Click(occurred_at=at, id=given_id)
        assert event._held == held
        assert event.has_own_id == (held is not None)
        assert event.id == (held or event.derived_id())
