"""What makes two hits the same event: the ids given to events that come from hits.

A request that its server named is known by that name, wherever it is read again. Otherwise the event's own content
is its name, within its source; equal ones of one file are told apart by their order in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from attrs import evolve

from msgtrack.events import Event, Open, event_id

__all__ = ["Ordinals", "collected_id", "identified"]

_WINDOW = timedelta(seconds=10)
_ROOM = 1_024


class Ordinals:
    """How many equal events of one file came before; remembers ten seconds, so that reading can stop and go on
    anywhere.

    ``state()`` is small and JSON-able; a new object made of it continues the count.
    """

    def __init__(self, state: Mapping[str, int] | None = None) -> None:
        self._seen: Counter[str] = Counter(dict(state or {}))
        self._newest = max((int(key[:8], 16) for key in self._seen), default=0)
        self._room = _ROOM

    def next(self, key: str) -> int:
        """0 for the first event of this derived id, 1 for the second, and so on."""
        ordinal = self._seen[key]
        self._seen[key] = ordinal + 1
        self._newest = max(self._newest, int(key[:8], 16))
        if len(self._seen) > self._room:
            self._forget()
            # Twice what is left: forgetting then costs each event the same, however many there are.
            self._room = max(_ROOM, 2 * len(self._seen))
        return ordinal

    def state(self) -> dict[str, int]:
        """What must be kept to go on later."""
        self._forget()
        return dict(self._seen)

    def _forget(self) -> None:
        horizon = self._newest - int(_WINDOW.total_seconds())
        self._seen = Counter({key: seen for key, seen in self._seen.items() if int(key[:8], 16) >= horizon})


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
