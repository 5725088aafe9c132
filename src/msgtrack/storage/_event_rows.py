"""Events as rows of the SQL tables, made by column: what events have in common is made once, the rest without a step of Python each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, cast

from msgtrack.events import Event, Transaction
from msgtrack.records import SCHEMA_VERSION, to_dict
from msgtrack.storage._rows import EVENT_COLUMNS, IN_COLUMNS, REST, Term, derived_of_event
from msgtrack.storage._types import pack_ids

__all__ = ["Commons", "EventWriter"]

_SHARED = ("part", "client", "verdict", "is_seed", "is_proof", "source")
_WITH_MORE = frozenset(cls for cls, names in REST.items() if {*names} != {*_SHARED})
"""Classes that have fields of their own without a column: an amount, a reason."""

_rest_of: dict[type[Event], Callable[[Event], tuple[Any, ...]]] = {
    cls: attrgetter(*names) for cls, names in REST.items()
}
_fields_of = attrgetter(*("occurred_at", "delivery_id", "message_id", "link_id", "source_id", "request_id"), *_SHARED)
_CACHED_BODIES = 4096
_AT_ONCE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLAIN_HEAD = {"v": SCHEMA_VERSION}
_encode = json.JSONEncoder(separators=(",", ":")).encode


class _Common(NamedTuple):
    """What the rows of many events have in common: columns of theirs, the term of the program, and the objects that it was made of."""

    kind: str
    audience: str
    agent_key: int | None
    left_out: int
    body: str | None
    term: Term | None = None
    made_of: tuple[object, ...] = ()


class Commons:
    """What rows of events had in common lately: bodies repeat (a browser, a verdict), from one call of a store to the next as well."""

    def __init__(self) -> None:
        self._equal: dict[tuple[Any, ...], _Common] = {}
        # Readers of logs mostly share the very objects, which are found faster than equal ones are compared. What is found
        # holds them, or another object could come to have the number of one that is gone.
        self._same: dict[tuple[Any, ...], _Common] = {}

    def of(
        self,
        events: Sequence[Event],
        parts: Sequence[Any],
        clients: Sequence[Any],
        verdicts: Sequence[Any],
        *others: Sequence[Any],
    ) -> list[_Common]:
        """That of each of some events; the columns are those of ``_SHARED``."""
        keys = [*zip(map(type, events), map(id, parts), map(id, clients), map(id, verdicts), *others, strict=True)]
        found = [*map(self._same.get, keys)]
        return cast("list[_Common]", found) if all(found) else [*map(self._found, keys, events)]

    def _found(self, key: tuple[Any, ...], event: Event) -> _Common:
        found = self._same.get(key)
        if found is None:
            found = self._made(event)
            if key[0] not in _WITH_MORE:
                if len(self._same) >= _CACHED_BODIES:
                    self._same.clear()
                self._same[key] = found._replace(made_of=(event.part, event.client, event.verdict))
        return found

    def _made(self, event: Event) -> _Common:
        cls = event.__class__
        key = (cls, *_rest_of[cls](event))
        # Amounts can be equal and yet written differently: 1.5 and 1.50.
        is_alone = cls is Transaction
        found = None if is_alone else self._equal.get(key)
        if found is None:
            program, left_out = derived_of_event(event)
            agent_key = None if program is None else program[0]
            found = _Common(cls.kind, event.verdict.audience.value, agent_key, left_out, _event_body(event), program)
            if len(self._equal) >= _CACHED_BODIES:
                self._equal.clear()
            if not is_alone:
                self._equal[key] = found
        return found


class EventWriter:
    """Makes rows of the events of one call; ``commons`` are those of the calls before."""

    def __init__(self, commons: Commons | None = None) -> None:
        self._commons = Commons() if commons is None else commons
        self._known: set[int | None] = {None}
        self._terms: list[Term] = []

    def terms(self) -> list[Term]:
        """The terms of the rows made since the last call, those given before left out; they go in before the rows."""
        terms, self._terms = self._terms, []
        return terms

    def rows(self, ids: Sequence[str], events: Sequence[Event]) -> list[tuple[Any, ...]]:
        """The rows of events and the ids that they are kept under, in the order of :data:`EVENT_COLUMNS`."""
        return [*zip(*self.columns(ids, events), strict=True)]

    def columns(self, ids: Sequence[str], events: Sequence[Event]) -> list[Sequence[Any]]:
        """The same by column; none of them holds anything where there are no events."""
        if not events:
            return [()] * len(EVENT_COLUMNS)
        # Where many are made at once, what is made on the way lives long enough for Python to look through all that the caller holds.
        parts = [
            self._columns(ids[start : start + _AT_ONCE], events[start : start + _AT_ONCE])
            for start in range(0, len(events), _AT_ONCE)
        ]
        return parts[0] if len(parts) == 1 else [[*chain.from_iterable(column)] for column in zip(*parts, strict=True)]

    def _columns(self, ids: Sequence[str], events: Sequence[Event]) -> list[Sequence[Any]]:
        at, delivery_ids, message_ids, link_ids, source_ids, request_ids, *shared = zip(
            *map(_fields_of, events), strict=True
        )
        commons = self._commons.of(events, *shared)
        kinds, audiences, agent_keys, left_out, common_bodies, programs, _ = zip(*commons, strict=True)
        if new := {*agent_keys} - self._known:
            self._known |= new
            self._terms += dict.fromkeys(term for term in programs if term is not None and term[0] in new)
        bodies: Sequence[str | None] = common_bodies
        written: Sequence[str | None] = [None] * len(events)
        if any(request_ids):
            written = [request_id or None for request_id in request_ids]
            if not "".join(request_ids).isprintable():
                written, bodies = _with_requests(events, request_ids, bodies)
        return [
            pack_ids(ids),
            kinds,
            [(moment - _EPOCH) // _MICROSECOND for moment in at],
            delivery_ids,
            message_ids,
            link_ids,
            source_ids,
            audiences,
            agent_keys,
            left_out,
            written,
            bodies,
        ]


def _with_requests(
    events: Sequence[Event], request_ids: Sequence[str], bodies: Sequence[str | None]
) -> tuple[list[str | None], list[str | None]]:
    """Requests and bodies where some requests are no printable text: NUL and lone surrogates, which some engines do not keep, and JSON
    writes all of them.
    """
    is_plain = [*map(str.isprintable, request_ids)]
    return (
        [(plain and request_id) or None for plain, request_id in zip(is_plain, request_ids, strict=True)],
        [
            body if plain else _event_body(event, with_request=True)
            for plain, event, body in zip(is_plain, events, bodies, strict=True)
        ],
    )


def _event_body(event: Event, *, with_request: bool = False) -> str | None:
    rest = to_dict(event)
    for name in IN_COLUMNS:
        if not (with_request and name == "request_id"):
            rest.pop(name, None)
    return None if rest == _PLAIN_HEAD else _encode(rest)
