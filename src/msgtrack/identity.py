"""What makes two hits the same event: the ids given to events that come from hits.

A request that its server named is known by that name, wherever it is read again. Otherwise the event's own content
is its name, within its source; equal ones of one file are told apart by their order in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from msgtrack.events import Event, Open, event_id

__all__ = ["Ordinals", "collected_id", "identified"]

_WINDOW_SECONDS = 10
_MOST_SECONDS = 16


class Ordinals:
    """How many equal events of one file came before; remembers ten seconds, so that reading can stop and go on
    anywhere.

    ``state()`` is small and JSON-able; a new object made of it continues the count.
    """

    def __init__(self, state: Mapping[str, int] | None = None) -> None:
        # By second, as ids begin with it: eight digits, whose texts sort as they do. What is old goes by the second, too.
        self._seen: dict[str, dict[str, int]] = {}
        for key, seen in (state or {}).items():
            self._seen.setdefault(key[:8], {})[key] = seen

    def next(self, key: str) -> int:
        """0 for the first event of this derived id, 1 for the second, and so on."""
        seen = self.of_second(key[:8])
        ordinal = seen.get(key, 0)
        seen[key] = ordinal + 1
        return ordinal

    def of_second(self, second: str) -> dict[str, int]:
        """How often each id came that begins with these eight digits, for whoever counts many of one second; not to be
        kept over another call.
        """
        seen = self._seen.get(second)
        if seen is None:
            # Before this one is taken in, for it may be an old one, and is counted all the same.
            if len(self._seen) >= _MOST_SECONDS:
                self.forget()
            seen = self._seen[second] = {}
        return seen

    def state(self) -> dict[str, int]:
        """What must be kept to go on later."""
        self.forget()
        return {key: ordinal for seen in self._seen.values() for key, ordinal in seen.items()}

    def forget(self) -> None:
        """Drop what is older than the ten seconds, as :meth:`state` does: who counts on elsewhere must have dropped it, too."""
        newest = max(self._seen, default="0")
        horizon = f"{max(0, int(newest, 16) - _WINDOW_SECONDS):08x}"
        self._seen = {second: seen for second, seen in self._seen.items() if second >= horizon}


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
