"""From what a source holds to the events that are kept of it: the same for the Tracking workflow and for jobs over many files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import Attribute, field, frozen

from msgtrack.clients import ClientReader
from msgtrack.decide import Reason, decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.hits import Hit
from msgtrack.identity import Ordinals, collected_id, identified
from msgtrack.model import PeoplePolicy
from msgtrack.protocols import Resolver
from msgtrack.webtags import WebTags

__all__ = ["Collecting"]


def _none_or(cls: type[object], what: str) -> Callable[[object, Attribute[Any], object], None]:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if value is not None and not isinstance(value, cls):
            raise InvalidValue(f"{attribute.name} must be {what}, not {value!r:.80}")

    return check


@frozen(kw_only=True)
class Collecting:
    """Makes events of hits, with the ids and the client facts under which they are kept.

    Raises:
        InvalidValue: a part is of another class.
    """

    tracker: Resolver
    people: PeoplePolicy | None = field(default=None, validator=_none_or(PeoplePolicy, "a PeoplePolicy"))
    tags: WebTags | None = field(default=None, validator=_none_or(WebTags, "WebTags"))
    clients: ClientReader | None = field(default=None, validator=_none_or(ClientReader, "a ClientReader"))

    def event(self, record: Hit | Event, source: str, ordinals: Ordinals) -> Event | Reason:
        """The event of a hit, or of an event that came as one; else why a hit means none."""
        if isinstance(record, Hit):
            decision = decide(record, self.tracker, people=self.people, source=source, tags=self.tags)
            if decision.event is None:
                return decision.reason
            record = decision.event
        event = collected_id(identified(record, ordinals))
        return event if self.clients is None else self.clients.event(event)
