"""Reports: a delivery's indicators, curves and links as an HTML page, fragments to embed, CSV, JSON and plain text.

One value (:class:`msgtrack.reports.data.ReportData`) is built from a store, and every rendering comes from it. HTML
needs the extra ``reports``; the rest comes with the bare install.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgtrack._borders import one_of
from msgtrack.errors import NotSupported
from msgtrack.model import Audience
from msgtrack.protocols import Store
from msgtrack.reports.build import delivery_data
from msgtrack.reports.report import FRAGMENTS, Report

__all__ = ["FRAGMENTS", "Report", "delivery_report", "recipient_report"]

_language = one_of("language", ("en",))


def delivery_report(
    store: Store,
    *,
    delivery_id: str | int,
    zone: str = "UTC",
    now: datetime,
    language: str = "en",
    content: object | None = None,
    audience: str | Audience | Iterable[str | Audience] = "all",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Report:
    """The report of one delivery: tracking indicators, the curve of opens and clicks, links and Internet domains.

    Args:
        store: where the facts are.
        delivery_id: of one delivery; reports over several are made of :func:`msgtrack.metrics.indicators`.
        zone: name of the time zone of every moment shown, such as ``Europe/Paris``; bins of the curve follow it.
        now: the moment of the report, aware; it is printed and decides nothing else.
        language: ``en``.
        content: the compiled message, for hot clicks on it; not there yet.
        audience: whose reactions count: ``all``, or one or several of ``human``, ``proxy``, ``unsure``, ``machine``.
            Messages count whole.
        since: leave out reactions before this moment.
        until: leave out reactions from this moment on.

    Raises:
        InvalidValue: the store knows no such delivery.
        InvalidOption: no such zone, language or audience.
        NaiveDatetime: a moment without a time zone.
        NotSupported: ``content`` was given.
    """
    if content is not None:
        raise NotSupported("hot clicks on the message are not there yet", hint="leave content out")
    return Report(
        data=delivery_data(
            store,
            delivery_id=delivery_id,
            zone=zone,
            now=now,
            audience=audience,
            since=since,
            until=until,
            language=_language(language),
        )
    )


def recipient_report(store: Store, *, recipient_id: str | int, zone: str = "UTC", now: datetime) -> Report:
    """The report of one recipient: every tracked link reacted to, in all deliveries (reference 6.1).

    Raises:
        NotSupported: always; it is not there yet.
    """
    raise NotSupported("the report of a recipient is not there yet")
