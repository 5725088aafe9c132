"""Equal events of one log are counted the same wherever reading stops and goes on, and wherever the log is cut into parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack.events import UnhashedId, hashed_id
from msgtrack.identity import Ordinals, PartOrdinals, is_unhashed

L = TypeVar("L")
Count = Callable[[Ordinals, tuple[L, ...]], list[int]]

START = 1_772_442_000
# Lines of a server, one or two seconds apart; then late ones by all that makes a difference, and logs one behind the other.
seconds = st.one_of(
    st.lists(st.integers(0, 3), max_size=30),
    st.lists(st.sampled_from([0, 1, 2, 9, 10, 11, 12, 20, 21, 22, 23, 40]), max_size=30),
    st.lists(st.integers(0, 60), max_size=30),
)
logs = seconds.flatmap(lambda at: st.tuples(*(st.tuples(st.just(second), st.integers(0, 1)) for second in at)))
cuts = st.lists(st.integers(0, 30), max_size=4).map(sorted)


def key(line: tuple[int, int]) -> str:
    return f"{START + line[0]:08x}{line[1]:024x}"


def counted(ordinals: Ordinals, lines: tuple[tuple[int, int], ...]) -> list[int]:
    return [ordinals.next(key(line)) for line in lines]


def parts_of(lines: tuple[L, ...], places: list[int]) -> list[tuple[L, ...]]:
    return [lines[start:end] for start, end in pairwise([0, *places, len(lines) + 30])]


def by_states(count: Count[L], parts: list[tuple[L, ...]]) -> tuple[list[int], dict[str, int]]:
    """The ordinals, and the last state, of who goes on from a state with each part."""
    found: list[int] = []
    state: dict[str, int] = {}
    for part in parts:
        ordinals = Ordinals(json.loads(json.dumps(state)))
        found += count(ordinals, part)
        state = ordinals.state()
    return found, state


def by_parts(count: Count[L], parts: list[tuple[L, ...]]) -> tuple[list[int], dict[str, int]]:
    """The same of who counts each part alone, and again where what stands before it matters."""
    found: list[int] = []
    before = Ordinals()
    for part in parts:
        alone = PartOrdinals()
        ordinals = count(alone, part)
        both = alone.behind(before)
        if both is None:
            both = Ordinals(before.state())
            ordinals = count(both, part)
        found += ordinals
        before = both
    return found, before.state()


@given(logs, cuts)
def test_reading_stops_and_goes_on_anywhere(lines: tuple[tuple[int, int], ...], places: list[int]) -> None:
    whole = Ordinals()
    expected = counted(whole, lines)
    assert by_states(counted, parts_of(lines, places)) == (expected, whole.state())


@given(logs, cuts)
@example(((0, 0), (0, 0)), [1])
@example(((10, 0), (0, 1), (11, 0), (0, 0), (0, 0)), [3])
@example(((20, 0), (10, 0), (20, 0)), [1])
@example(((20, 0), (5, 0), (30, 0), (5, 0)), [2])
@example(((20, 0), (5, 0), (21, 0), (40, 0), (15, 0), (5, 0)), [3])
def test_a_part_knows_when_what_stands_before_it_matters(lines: tuple[tuple[int, int], ...], places: list[int]) -> None:
    whole = Ordinals()
    expected = counted(whole, lines)
    assert by_parts(counted, parts_of(lines, places)) == (expected, whole.state())


@given(st.lists(st.integers(0, 3), max_size=30).map(sorted), cuts)
def test_parts_of_a_log_in_order_without_equal_lines_are_never_read_again(at: list[int], places: list[int]) -> None:
    lines = tuple((second, number) for number, second in enumerate(at))
    before = Ordinals()
    for part in parts_of(lines, places):
        alone = PartOrdinals()
        counted(alone, part)
        both = alone.behind(before)
        assert both is not None
        before = both


def test_a_late_log_behind_another_is_counted_as_the_other_was() -> None:
    day = tuple((second, 0) for second in range(60) for _ in range(2))
    ordinals = Ordinals()
    assert counted(ordinals, day) == [0, 1] * 60
    assert counted(ordinals, day[:98]) == [0, 1] * 49, "the last ten seconds are known still"


def test_one_late_line_makes_nobody_forget() -> None:
    ordinals = Ordinals()
    assert counted(ordinals, ((60, 0), (0, 0), (60, 0), (0, 0), (60, 0))) == [0, 0, 1, 1, 2]


def unhashed(line: tuple[int, int]) -> UnhashedId:
    return f"{START + line[0]:08x}", "", str(line[1]), "", ""


def counted_in_two_ways(ordinals: Ordinals, lines: tuple[tuple[int, int, bool], ...]) -> list[int]:
    """As those count who hash late and those who hash at once, in turns."""
    found = []
    for second, number, is_late in lines:
        event = unhashed((second, number))
        if not is_late:
            found.append(ordinals.next(hashed_id(event)))
            continue
        seen = ordinals.of_second(event[0])
        key: Any = event if is_unhashed(seen) else hashed_id(event)
        found.append(seen.get(key, 0))
        seen[key] = found[-1] + 1
    return found


two_ways = seconds.flatmap(
    lambda at: st.tuples(
        *(st.tuples(st.just(second), st.integers(0, 1), st.sampled_from([True, True, False])) for second in at)
    )
)


@given(two_ways, cuts)
@example(((0, 0, True), (0, 0, False)), [])
@example(((0, 0, True), (0, 0, True)), [1])
@example(((0, 0, True), (0, 1, True), (0, 1, False), (0, 0, True)), [2])
def test_what_is_hashed_late_is_counted_alike(lines: tuple[tuple[int, int, bool], ...], places: list[int]) -> None:
    whole = Ordinals()
    expected = [whole.next(hashed_id(unhashed((second, number)))) for second, number, _ in lines]
    in_one = Ordinals()
    assert counted_in_two_ways(in_one, lines) == expected
    assert in_one.state() == whole.state()
    parts = parts_of(lines, places)
    wanted = (expected, whole.state())
    assert by_states(counted_in_two_ways, parts) == wanted
    assert by_parts(counted_in_two_ways, parts) == wanted
