"""What keeping house leaves in a store: frozen counts, entries of the audit trail, and how long each kind of data is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import field, fields, frozen

from msgtrack._borders import closed, one_of, optional_count, optional_utc, text_id, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidOption, InvalidValue

__all__ = ["NONE", "OUTSIDE", "PURGED_KINDS", "AuditEntry", "FrozenCounts", "Retention", "cutoffs"]

OUTSIDE = "outside"
"""The audience of frozen counts that hold no event at all: what a window beside the delivery's life is answered with."""

NONE = "none"
"""The audience of frozen counts that hold views and no event: what a query that no event passes is answered with."""

PURGED_KINDS: Mapping[str, str] = {
    "events": "events and views of shared messages, by the moment they happened",
    "messages": "messages and exclusions, by their last change",
    "visitors": "visitors that are no recipients, by the moment they were met",
    "rejects": "the rejected lines that run records keep, by the start of the run",
    "audits": "entries of the audit trail, those of unfinished erasures apart, by their start",
    "strays": "events that name no delivery, by the moment they happened; nothing is frozen of them",
}
"""What ``purge`` takes away, and by which moment it is old. The first two go from deliveries whose counts are frozen."""

_ZONE = re.compile(r"[A-Za-z0-9/_+-]{1,64}")
_BY_NAME_ALONE = frozenset({"strays"})


def _audience(value: object) -> str:
    return one_of("audience", ("all", "human", "proxy", "unsure", "machine", NONE, OUTSIDE))(value)


def _zone(value: object) -> str:
    zone = as_text(value)
    if not _ZONE.fullmatch(zone):
        raise InvalidValue(
            f"the name of a time zone has 1 to 64 ASCII letters, digits and any of / _ + -, this is {zone!r:.80}"
        )
    return zone


def _action(value: object) -> str:
    return one_of("action", ("purge", "erase"))(value)


def _status(value: object) -> str:
    return one_of("status", ("started", "finished"))(value)


@closed
@frozen(kw_only=True)
class FrozenCounts:
    """The counts of one delivery as they were before its events or messages went, for one audience and time zone.

    ``first_at`` and ``last_at`` are the moments of its first and last event or shared view, None without any. ``body`` is the
    written form of :class:`msgtrack.counts.Counts`, opaque to stores; it may be long.
    """

    delivery_id: str = field(converter=text_id)
    audience: str = field(converter=_audience)
    zone: str = field(converter=_zone)
    frozen_at: datetime | None = field(default=None, converter=optional_utc)
    first_at: datetime | None = field(default=None, converter=optional_utc)
    last_at: datetime | None = field(default=None, converter=optional_utc)
    body: str = field(default="", converter=as_text)


@closed
@frozen(kw_only=True)
class AuditEntry:
    """That something was purged or erased: when (None where nobody said), by what rule, and how much of each kind.

    ``subject`` is the digest of the erased recipient's id (:func:`msgtrack.storage.subject_digest`). ``secret`` is there while the work is
    under way, so that it can be taken up again, and empty in a finished entry. ``done`` counts what was touched, by kind.
    """

    id: str = field(converter=text_id)
    action: str = field(converter=_action)
    started_at: datetime | None = field(default=None, converter=optional_utc)
    status: str = field(default="started", converter=_status)
    subject: str = field(default="", converter=as_text)
    secret: str = field(default="", converter=as_text, repr=False)
    detail: str = field(default="", converter=as_text)
    done: Mapping[str, int] = field(factory=dict)


@closed
@frozen(kw_only=True)
class Retention:
    """For how many days each kind of :data:`PURGED_KINDS` is kept; None for ever.

    The defaults are those of the reference's cleanup (section 5.4).
    """

    events_days: int | None = field(default=360, converter=optional_count)
    messages_days: int | None = field(default=180, converter=optional_count)
    visitors_days: int | None = field(default=30, converter=optional_count)
    rejects_days: int | None = field(default=180, converter=optional_count)
    audits_days: int | None = field(default=180, converter=optional_count)
    strays_days: int | None = field(default=None, converter=optional_count)

    def before(self, now: datetime) -> dict[str, datetime]:
        """By kind the moment before which it is too old, as ``purge`` takes it.

        >>> from datetime import UTC
        >>> Retention(messages_days=None).before(datetime(2026, 12, 31, tzinfo=UTC))["events"].isoformat()
        '2026-01-05T00:00:00+00:00'
        """
        moment = utc(now)
        days = {attribute.name.removesuffix("_days"): getattr(self, attribute.name) for attribute in fields(Retention)}
        return {kind: moment - timedelta(days=kept) for kind, kept in days.items() if kept is not None}


def cutoffs(before: datetime | Mapping[str, datetime]) -> dict[str, datetime]:
    """By kind the moment before which ``purge`` takes it away: one moment stands for every kind but ``strays``.

    Raises:
        InvalidOption: no such kind.
        InvalidValue: neither a moment nor a mapping of them.
    """
    if isinstance(before, datetime):
        return {kind: utc(before) for kind in PURGED_KINDS if kind not in _BY_NAME_ALONE}
    if not isinstance(before, Mapping):
        raise InvalidValue(
            f"expected a moment, or moments by kind of data, not {type(before).__name__}: {before!r:.80}"
        )
    for kind in before:
        if kind not in PURGED_KINDS:
            raise InvalidOption(f"nothing is purged by the name {kind!r:.40}; kinds are: {', '.join(PURGED_KINDS)}")
    return {kind: utc(at) for kind, at in before.items()}
