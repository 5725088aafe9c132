"""Opens as an interval: how many messages were read at least and at most, beside the published estimate."""

from __future__ import annotations

from math import ceil
from typing import Protocol

from attrs import frozen

from msgtrack._borders import shown
from msgtrack.counts import distinct
from msgtrack.errors import InvalidOption
from msgtrack.events import Click, Open
from msgtrack.metrics._shares import wilson
from msgtrack.metrics._table import Table
from msgtrack.metrics._values import Value
from msgtrack.model import Audience

__all__ = ["ASSUMPTIONS", "OpenBounds", "TableOf", "open_bounds"]

ASSUMPTIONS = (
    "Lower: verdicts of human and proxy are right, and one such reaction means that somebody read the message.",
    "Lower: everything else was nobody: what cannot be told (unsure), and what machines loaded.",
    "Upper: what cannot be told was somebody; what machines loaded proves nothing either way.",
    "Upper: those who click hide images as often as those who read and do not click, so clicks without an open show how many do.",
    "Upper: of that share the upper end of its interval is taken; where nobody clicked, any share is possible.",
    "Upper: those who got text only read no less than others, as the published estimate assumes too.",
    "Upper: nobody read what was not delivered, unless a reaction proves it.",
)
"""What the two bounds take for granted, a sentence each."""

_PEOPLE = (Audience.HUMAN, Audience.PROXY)
_NO_MACHINES = (*_PEOPLE, Audience.UNSURE)
_CAVEATS = ("image-loads",)


class TableOf(Protocol):
    """What makes the same table for one audience or another, such as ``partial(indicators, store, "1")``."""

    def __call__(self, *, audience: tuple[Audience, ...] | str) -> Table:
        """The table of this audience."""
        ...


@frozen(kw_only=True)
class OpenBounds:
    """How many messages were read.

    - ``lower`` and ``upper``: counts of messages; ``lower_rate`` and ``upper_rate``: the same over the messages delivered;
    - ``estimate``: ``estimated_recipient_open`` over every audience, as published; it may lie outside, because it takes
      machines for readers;
    - ``hidden_rate``: readers whom no image showed: the clickers without an open, over the clickers (machines left out);
    - ``assumptions``: what that stands on (:data:`ASSUMPTIONS`).
    """

    lower: Value
    upper: Value
    lower_rate: Value
    upper_rate: Value
    estimate: Value
    hidden_rate: Value
    assumptions: tuple[str, ...] = ASSUMPTIONS


def open_bounds(table_of: TableOf, *, hidden: float | None = None, confidence: float = 0.95) -> OpenBounds:
    """Bounds of how many messages were read, machines left out and blocked images let in.

    The lower bound are the messages that a person (``human`` or ``proxy``) reacted to. The upper bound are those that
    anybody but a machine opened, over the share of readers whom an image shows; that share comes from those who clicked,
    who were there whether their image was loaded or not. This is the estimate of a population seen twice, by image and
    by click. It is never below the estimate for text messages, and never above what was delivered.

    Where every event is ``unsure``, which is so until something judges them, the lower bound is 0.

    Args:
        table_of: makes the table of an audience: ``partial(indicators, store, "1", zone="Europe/Paris")``, or a function
            of your own. It is called three times, so facts given to it must not be streams.
        hidden: the share of readers whose images are not loaded, from 0 up to 1 (not included), if you know it; it takes
            the place of the upper end of what clicks show.
        confidence: of the interval that this upper end is taken of.

    Source: C. G. J. Petersen, 1896, and F. C. Lincoln, 1930, for the population seen twice (G. A. F. Seber, "The Estimation
    of Animal Abundance", 2nd edition, 1982, section 3.1); E. B. Wilson, 1927, for the interval of the share.

    Raises:
        InvalidOption: ``hidden`` or ``confidence`` is not such a share.
    """
    if hidden is not None and (isinstance(hidden, bool) or not isinstance(hidden, int | float) or not 0 <= hidden < 1):
        raise InvalidOption(f"hidden={shown(hidden)} is no share from 0 up to 1")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise InvalidOption(f"confidence={shown(confidence)} does not lie between 0 and 1")
    people, others, everybody = table_of(audience=_PEOPLE), table_of(audience=_NO_MACHINES), table_of(audience="all")
    read = people["recipient_open"].value or 0
    reacted = others["recipient_open"].value or 0
    delivered = everybody["success"].value or 0
    reach = _reach(others)
    clicked = distinct(reach, Click.kind)
    unseen = distinct(reach, Click.kind, Open.kind) - distinct(reach, Open.kind)
    if hidden is None:
        hidden = wilson((unseen, clicked), confidence)[1] if clicked else 1.0
    most = max(int(delivered), int(reacted))
    estimate = others["estimated_recipient_open"]
    upper = most
    if hidden < 1 and estimate.value is not None and "partly-undefined" not in estimate.caveats:
        upper = min(max(int(reacted), int(estimate.value), ceil(distinct(reach, Open.kind) / (1 - hidden))), most)
    return OpenBounds(
        lower=_bound(int(read)),
        upper=_bound(upper),
        lower_rate=_rate(int(read), int(delivered)),
        upper_rate=_rate(upper, int(delivered)),
        estimate=everybody["estimated_recipient_open"],
        hidden_rate=_rate(unseen, clicked),
    )


def _reach(table: Table) -> dict[str, int]:
    reach: dict[str, int] = {}
    for delivery in table.counts.deliveries.values():
        for part in delivery.domains.values():
            for kinds, times in part.reach.items():
                reach[kinds] = reach.get(kinds, 0) + times
    return reach


def _bound(messages: int) -> Value:
    return Value(value=messages, unit="count", estimated=True, caveats=("estimate", *_CAVEATS))


def _rate(messages: int, size: int) -> Value:
    caveats = ["estimate", *_CAVEATS]
    if not size:
        caveats.append("no-denominator")
    elif messages > size:
        caveats.append("above-one")
    return Value(
        value=messages / size if size else None,
        unit="ratio",
        numerator=messages,
        denominator=size,
        estimated=True,
        is_share=True,
        caveats=caveats,
    )
