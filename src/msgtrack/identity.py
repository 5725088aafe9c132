"""What makes two hits the same event: the ids given to events that come from hits.

A request that its server named is known by that name, wherever it is read again. Otherwise the event's own content
is its name, within its source; equal ones of one file are told apart by their order in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from msgtrack.events import Event, Open, event_id, hashed_id

__all__ = ["Counted", "Ordinals", "PartOrdinals", "collected_id", "identified", "is_unhashed"]

_WINDOW_SECONDS = 10
_MOST_SECONDS = 16

Counted = dict[Any, int]
"""How often each event of one second came: all of them by their ids, or all by what their ids will be made of
(:data:`msgtrack.events.UnhashedId`), as whoever counts first has it.
"""


def is_unhashed(seen: Counted) -> bool:
    """Whether events of this second may be counted by what their ids will be made of: no id was counted yet."""
    return not seen or type(next(iter(seen))) is tuple


def _hash(seen: Counted) -> Counted:
    """The same, by ids, in the same place."""
    if seen and is_unhashed(seen):
        hashed = {hashed_id(unhashed): ordinal for unhashed, ordinal in seen.items()}
        seen.clear()
        seen.update(hashed)
    return seen


class Ordinals:
    """How many equal events of one file came before; remembers ten seconds, so that reading can stop and go on
    anywhere.

    A window of ten seconds goes with the newest event. What comes later than that has a window of its own, which goes with the
    newest of the late ones, and is begun anew where those go back by more than it holds (as in a log that another was put
    behind). ``state()`` is small and JSON-able; a new object made of it continues the count.
    """

    def __init__(self, state: Mapping[str, int] | None = None) -> None:
        # By second, as ids begin with it: eight digits, whose texts sort as they do. What is old goes by the second, too.
        self._seen: dict[str, Counted] = {}
        self._newest = self._horizon = ""
        self._late: Ordinals | None = None
        if state:
            self._move(max(state)[:8])
            for key in sorted(state):
                self.of_second(key[:8])[key] = state[key]

    def next(self, key: str) -> int:
        """0 for the first event of this derived id, 1 for the second, and so on."""
        seen = _hash(self.of_second(key[:8]))
        ordinal = seen.get(key, 0)
        seen[key] = ordinal + 1
        return ordinal

    def of_second(self, second: str) -> Counted:
        """How often each event came whose id begins with these eight digits, for whoever counts many of one second; not to be
        kept over another call. What is new is counted by what its id is made of if :func:`is_unhashed` says so, else by its id.
        """
        if second < self._horizon:
            if self._late is None or second < self._late._horizon:
                self._late = Ordinals()
            return self._late.of_second(second)
        seen = self._seen.get(second)
        if seen is None:
            if second > self._newest:
                self._move(second)
            seen = self._seen[second] = {}
        return seen

    def state(self) -> dict[str, int]:
        """What must be kept to go on later, by id in order."""
        self.forget()
        state = {} if self._late is None else self._late.state()
        state |= {key: ordinal for seen in self._seen.values() for key, ordinal in _hash(seen).items()}
        # In one order, wherever reading stopped and went on.
        return dict(sorted(state.items()))

    def _move(self, newest: str) -> None:
        self._newest, self._horizon = newest, _shifted(newest, -_WINDOW_SECONDS)
        if len(self._seen) >= _MOST_SECONDS:
            self.forget()

    def forget(self) -> None:
        """Let go of what is older than the ten seconds; nothing is counted otherwise by it."""
        self._seen = {second: seen for second, seen in self._seen.items() if second >= self._horizon}


class PartOrdinals(Ordinals):
    """Ordinals of a part of a file, counted from nothing, that tell afterwards whether what stands before the part would
    have made them others.
    """

    def __init__(self) -> None:
        super().__init__()
        # All of the first seconds, which what came before may still know.
        self._first: dict[str, Counted] = {}
        self._first_late = self._limit = ""

    def of_second(self, second: str) -> Counted:
        """As :meth:`Ordinals.of_second`."""
        seen = super().of_second(second)
        if second < self._horizon:
            self._first_late = self._first_late or second
            return seen
        self._limit = self._limit or _shifted(second, _WINDOW_SECONDS)
        if second <= self._limit:
            self._first[second] = seen
        return seen

    def behind(self, earlier: Ordinals) -> Ordinals | None:
        """The ordinals behind both, where those of this part are the same behind ``earlier``; else None: then the part must be
        read again, on from ``earlier``.
        """
        if not self._first:
            return Ordinals(earlier.state())
        # Ours that would have been late there; equal ones on both sides; late ones that may go on with those there.
        if min(self._first) < earlier._horizon:
            return None
        for second, seen in earlier._seen.items():
            if second >= earlier._horizon and not _hash(seen).keys().isdisjoint(_hash(self._first.get(second, {}))):
                return None
        if self._first_late and earlier._late is not None and _is_near(self._first_late, earlier._late._newest):
            return None
        both = Ordinals()
        both._move(max(self._newest, earlier._newest))
        for one in (earlier, self):
            for second, seen in one._seen.items():
                both._seen.setdefault(second, {}).update(_hash(seen))
        late = self._late or earlier._late
        both._late = None if late is None else Ordinals(late.state())
        both.forget()
        return both


def _shifted(second: str, by: int) -> str:
    return f"{min(max(0, int(second, 16) + by), 0xFFFFFFFF):08x}"


def _is_near(one: str, other: str) -> bool:
    return abs(int(one, 16) - int(other, 16)) <= _WINDOW_SECONDS


def identified(event: Event, ordinals: Ordinals) -> Event:
    """The event with its own id: by the request behind it, else by its content and its ordinal. One with an id
    stays as it is.
    """
    if event.has_own_id:
        return event
    if event.request_id:
        return evolve(event, id=event_id(event.occurred_at, "request", event.request_id, event.kind))
    ordinal = ordinals.next(event.derived_id())
    return evolve(event, id=event.derived_id(ordinal))


def collected_id(event: Event) -> Event:
    """The event as the Tracking workflow keeps it: all opens of one message within one calendar minute (UTC) are
    one open.

    The minute is that of the clock, not of the first open, so the order in which opens arrive changes nothing.
    """
    if not isinstance(event, Open) or event.message_id is None:
        return event
    minute = event.occurred_at.replace(second=0, microsecond=0)
    return evolve(event, id=event_id(minute, "open", event.delivery_id or "", event.message_id, minute.isoformat()))
