"""What an indicator gives: a number or none, with what it was made of and what to keep in mind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from math import isfinite, sqrt
from statistics import NormalDist
from types import MappingProxyType
from typing import Literal, cast, get_args

from attrs import field, frozen

from msgtrack._borders import one_of, shown
from msgtrack.errors import InvalidOption, InvalidValue

__all__ = ["CAVEATS", "Number", "Unit", "Value", "half_away", "quotient"]

Number = int | float | Decimal
Unit = Literal["count", "ratio", "amount", "duration"]

CAVEATS: Mapping[str, str] = MappingProxyType(
    {
        "no-denominator": "There is nothing to divide by, so the value is undefined and not zero.",
        "no-data": "Nothing of the kind was recorded at all, so the zero may mean that nobody measured.",
        "left-out": "Every delivery asked for is a proof or a template; their messages and events count nowhere.",
        "partly-undefined": "A sum over several deliveries of which at least one has no value; that one counts as 0.",
        "out-of-range": "The number is too large to be written as a float or a decimal, so it is left undefined.",
        "negative": "Below zero, which counts cannot be: the estimate does not hold here, or inputs contradict.",
        "clipped": "It was below zero and is shown as 0, as was asked for.",
        "above-one": "A share above 100 %: one message may be opened or clicked more often than it was delivered.",
        "estimate": "No measurement: numbers were scaled up, or set off against each other, by a published formula.",
        "image-loads": "An open is a loaded image: text messages and blocked images give none, proxies may give some.",
        "browsers": "People are told apart by browser; one without cookies is a new person at every click.",
        "sketched": "Distinct persons were counted by a sketch: the relative error stands in `counts.distinct_error`.",
        "frozen": "Events of some deliveries were purged, and their numbers kept: who is in two of them counts twice.",
        "user-agents": "Programs are told by what their requests say; proxies hide them, and some say nothing.",
        "derived": "The delivery does not say it itself, so it was counted over the facts that were given.",
        "no-moment": "It needs the moment of the report, or of the launch, and nobody gave one.",
        "no-peers": "No delivery of the last six months was given to compare with.",
        "undated": "Messages that do not say when they were handled stand in no bin.",
        "unsized": "Messages that do not say their size count as 0 bytes.",
        "partial-window": "The window cuts off part of what the number is about.",
        "reading": "The published texts contradict each other here; the reference says which reading is meant.",
        "choice": "The published texts leave it open; the denominator, or the way of counting, is our choice.",
        "not-additive": "Distinct numbers of rows do not add up to that of the whole.",
        "small": "So few were counted that chance alone may explain it.",
    }
)
"""What may have to be kept in mind with a value, a sentence each; a closed list, in the order values give them."""

_ZEROS: Mapping[Unit, Number] = {"count": 0, "ratio": 0.0, "amount": Decimal(0), "duration": 0.0}
_RANK = {code: rank for rank, code in enumerate(CAVEATS)}
_QUOTIENTS = Context(prec=28, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def _caveats(codes: Iterable[str]) -> tuple[str, ...]:
    unique = set(codes)
    if not unique <= _RANK.keys():
        raise InvalidValue(f"no such caveat: {', '.join(sorted(unique - _RANK.keys()))}")
    return tuple(sorted(unique, key=_RANK.__getitem__))


def _unit(value: object) -> Unit:
    return cast(Unit, one_of("unit", get_args(Unit))(value))


@frozen(kw_only=True)
class Value:
    """One number of a report.

    ``value``: an int for counts, a float for ratios (1.0 is 100 %), a Decimal for amounts, seconds for durations;
    None when undefined. ``numerator`` and ``denominator``: what a quotient was made of, also when it is undefined;
    None for everything else. ``estimated``: whether it is an estimate. ``is_share``: whether it is read as a percentage of
    the denominator. ``caveats``: codes of :data:`CAVEATS`. ``otherwise``: what the reference prints in its place, where it
    is undefined and that is not 0. ``is_blank``: it is undefined, and the reference leaves its place empty.
    ``is_proportion``: whether all that the numerator counts is part of the denominator, once; clicks over messages are none,
    because one message may bring several.
    """

    value: Number | None
    unit: Unit = field(converter=_unit)
    numerator: int | Decimal | None = None
    denominator: int | Decimal | None = None
    estimated: bool = False
    is_share: bool = False
    caveats: tuple[str, ...] = field(default=(), converter=_caveats)
    otherwise: float | None = field(default=None, repr=False)
    is_blank: bool = field(default=False, repr=False)
    is_proportion: bool = field(default=True, repr=False)

    @property
    def value_or_zero(self) -> Number | None:
        """The reading of the reference, where a quotient without a denominator is 0, or ``otherwise``.

        None where the reference too has no number: there is no time to reach a share of nothing (reference 7.6), and no
        average over no peers (7.7).
        """
        if self.value is not None or self.is_blank:
            return self.value
        if self.otherwise is not None:
            return self.otherwise
        return _ZEROS[self.unit]

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The Wilson score interval of a share: where the true share lies, if this were a sample of it.

        None for what is no share, no proportion, undefined, an estimate (its error is not that of a sample), or outside 0
        to 1.

        >>> share = Value(value=0.5, unit="ratio", numerator=5, denominator=10, is_share=True)
        >>> [round(bound, 4) for bound in share.interval() or ()]
        [0.2366, 0.7634]

        Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

        Raises:
            InvalidOption: ``confidence`` does not lie between 0 and 1.
        """
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
            raise InvalidOption(f"confidence={shown(confidence)} does not lie between 0 and 1")
        if not (self.is_share and self.is_proportion) or self.estimated or self.value is None:
            return None
        if self.numerator is None or not self.denominator:
            return None
        if not 0 <= self.numerator <= self.denominator:
            return None
        share, size = float(self.value), float(self.denominator)
        quantile = -NormalDist().inv_cdf((1 - confidence) / 2)
        shrink = 1 + quantile**2 / size
        centre = (share + quantile**2 / (2 * size)) / shrink
        half = quantile * sqrt(share * (1 - share) / size + (quantile / (2 * size)) ** 2) / shrink
        # At the ends the interval reaches them exactly; floats would miss them by a hair.
        low = 0.0 if self.numerator == 0 else max(centre - half, 0.0)
        high = 1.0 if self.numerator == self.denominator else min(centre + half, 1.0)
        return low, high


def half_away(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest integer, halves away from zero, with no float on the way.

    >>> half_away(5, 2), half_away(-5, 2), half_away(7, 3)
    (3, -3, 2)

    Raises:
        ZeroDivisionError: the denominator is 0.
    """
    size = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return size if (numerator < 0) == (denominator < 0) else -size


def quotient(numerator: int | Decimal, denominator: int | Decimal, unit: Unit) -> Number | None:
    """``numerator / denominator``: a Decimal of 28 digits for amounts, else a float; None when it is out of range.

    Whatever decimal context the caller has set changes nothing.

    Raises:
        ZeroDivisionError: the denominator is 0.
    """
    if not denominator:
        raise ZeroDivisionError("a quotient needs a denominator other than 0")
    if unit == "amount" or isinstance(numerator, Decimal) or isinstance(denominator, Decimal):
        exact = _QUOTIENTS.divide(Decimal(numerator), Decimal(denominator))
        number = exact if unit == "amount" else float(exact)
        return number if isfinite(number) else None
    try:
        return numerator / denominator
    except OverflowError:
        return None
