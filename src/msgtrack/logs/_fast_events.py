"""Events made by the million, of parts that were checked once: their ids, and the values themselves.

An event comes from a *model*: an event that went the long way, of which all but the moment, the message, the client and the
id is taken over. The tests hold both ways against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick, PageVisit, UnhashedId
from msgtrack.model import Client

__all__ = ["MODELS", "Make", "id_behind", "id_head", "maker", "sized"]

Make = Callable[[datetime, str, "str | UnhashedId | None", "Client | None"], Event]
"""From moment, message, id and client to an event."""


def sized(text: str) -> str:
    """A part as it stands in the text that an id is the hash of; see :func:`msgtrack.events.event_id`."""
    return f"{len(text)}:{text}"


def id_head(at: datetime) -> str:
    """The eight digits that ids of a moment begin with."""
    return f"{int(at.timestamp()) & 0xFFFFFFFF:08x}"


def id_behind(agent: str, source: str = "") -> str:
    """The parts behind the link: no person, the agent, the source, the first of its kind."""
    return sized("") + sized(agent) + sized(source) + sized("0")


MODELS: frozenset[type[Event]] = frozenset({Open, Click, MirrorPageView, OptOutClick, PageVisit})
"""The classes of events that can be models: they have the fields of all events, and no more."""


class _Twin(Event):
    """An event whose fields can be set, to become one of :data:`MODELS` when it is whole: all are laid out alike.

    One class for all, because the interpreter remembers at each assignment where the field was in the last object, and is
    several times as fast where it was of the same class.
    """

    __slots__ = ()
    __init__ = object.__init__
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


def maker(model: Event) -> Make:
    """What makes events after a model, a fifth of a microsecond each."""
    cls, twin = type(model), _Twin
    delivery_id, link_id, part, verdict = model.delivery_id, model.link_id, model.part, model.verdict
    is_seed, is_proof, source = model.is_seed, model.is_proof, model.source

    def make(occurred_at: datetime, message_id: str, event_id: str | UnhashedId | None, client: Client | None) -> Event:
        # The fields are set in C, as those of any object, and what comes out is as frozen as ever.
        event: Any = twin()
        event.occurred_at = occurred_at
        event.delivery_id = delivery_id
        event.message_id = message_id
        event._held = event_id
        event.link_id = link_id
        event.part = part
        event.source_id = None
        event.client = client
        event.verdict = verdict
        event.is_seed = is_seed
        event.is_proof = is_proof
        event.source = source
        event.request_id = ""
        event.__class__ = cls
        made: Event = event
        return made

    return make
