"""The strategies that others are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from msgtrack._borders import MAX_ID_BYTES

__all__ = ["ids", "maybe", "members", "moments", "rarely", "seldom", "texts"]

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def maybe(strategy: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """What is drawn, or None."""
    return st.none() | strategy


def rarely(strategy: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """Mostly None."""
    return st.sampled_from([False, False, True]).flatmap(lambda given: strategy if given else st.none())


def seldom(strategy: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """None nine times of ten."""
    return st.integers(0, 9).flatmap(lambda drawn: strategy if drawn == 9 else st.none())


def members(kind: type[E]) -> SearchStrategy[E]:
    """The members of an enumeration."""
    return st.sampled_from(list(kind))


def ids() -> SearchStrategy[str]:
    """Ids: numbers, hexadecimal digits in both cases, UUIDs, and any text of at most 64 bytes that UTF-8 can write."""
    digits = "0123456789abcdef"
    hexadecimal = st.text(digits, min_size=32, max_size=32)
    anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ID_BYTES)
    return st.one_of(
        st.integers(0, 2**70).map(str),
        hexadecimal,
        hexadecimal.map(str.upper),
        st.uuids().map(str),
        anything.filter(lambda text: len(text.encode()) <= MAX_ID_BYTES),
    )


def texts(*, max_size: int = 60) -> SearchStrategy[str]:
    """Any text whatever, NUL and lone surrogates included."""
    return st.text(st.characters(exclude_categories=[]), max_size=max_size)


def moments(first: datetime = _FIRST, last: datetime = _LAST) -> SearchStrategy[datetime]:
    """Aware moments in UTC, to the microsecond, from ``first`` to ``last`` (both aware, in UTC)."""
    # Hypothesis takes naive bounds and puts the zone on what it draws.
    return st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None), timezones=st.just(UTC))
