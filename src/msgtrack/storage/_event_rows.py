"""Events as rows of the SQL tables, made by column: what events have in common is made once, the rest without a step of Python each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from msgtrack.events import Event, Transaction
from msgtrack.records import SCHEMA_VERSION, to_dict
from msgtrack.storage._rows import EVENT_COLUMNS, IN_COLUMNS, REST, Term, derived_of_event
from msgtrack.storage._types import pack_ids

__all__ = ["EventWriter"]

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
    """What the rows of many events have in common: columns of theirs."""

    kind: str
    audience: str
    agent_key: int | None
    left_out: int
    body: str | None


_UNMADE = _Common("", "", None, 0, None)


class EventWriter:
    """Makes rows of events. Bodies repeat (a browser, a verdict), so those made lately are kept."""

    def __init__(self) -> None:
        self._equal: dict[tuple[Any, ...], _Common] = {}
        # Readers of logs mostly share the very objects, which are found faster than equal ones are compared. The values
        # are held with what was made of them, or another object could come to have the number of one that is gone.
        self._same: dict[tuple[Any, ...], tuple[_Common, Event]] = {}
        self._known: set[int] = set()
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
        kinds, audiences, agent_keys, left_out, common_bodies = zip(*self._commons(events, *shared), strict=True)
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

    def _commons(
        self,
        events: Sequence[Event],
        parts: Sequence[Any],
        clients: Sequence[Any],
        verdicts: Sequence[Any],
        *others: Sequence[Any],
    ) -> list[_Common]:
        classes: list[type[Event]] = [*map(type, events)]
        keys = [*zip(classes, map(id, parts), map(id, clients), map(id, verdicts), *others, strict=True)]
        examples = dict(zip(keys, events, strict=True))
        made = {key: self._same[key][0] for key in examples.keys() & self._same.keys()}
        if len(made) < len(examples):
            if len(self._same) >= _CACHED_BODIES:
                self._same.clear()
            for key, event in examples.items():
                if key in made:
                    continue
                if key[0] in _WITH_MORE:
                    made[key] = _UNMADE
                    continue
                made[key] = self._common(event)
                if len(self._same) < _CACHED_BODIES:
                    self._same[key] = made[key], event
        commons = [*map(made.__getitem__, keys)]
        if not _WITH_MORE.isdisjoint(classes):
            for place, event in enumerate(events):
                if classes[place] in _WITH_MORE:
                    commons[place] = self._common(event)
        return commons

    def _common(self, event: Event) -> _Common:
        cls = event.__class__
        key = (cls, *_rest_of[cls](event))
        # Amounts can be equal and yet written differently: 1.5 and 1.50.
        is_alone = cls is Transaction
        found = None if is_alone else self._equal.get(key)
        if found is None:
            program, left_out = derived_of_event(event)
            if program is not None and program[0] not in self._known:
                self._known.add(program[0])
                self._terms.append(program)
            agent_key = None if program is None else program[0]
            found = _Common(cls.kind, event.verdict.audience.value, agent_key, left_out, _event_body(event))
            if len(self._equal) >= _CACHED_BODIES:
                self._equal.clear()
            if not is_alone:
                self._equal[key] = found
        return found


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
