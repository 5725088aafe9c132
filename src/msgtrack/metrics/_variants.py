"""Variants compared: whether one share differs from another by more than chance, and by how much.

The tests assume what an honest A/B test provides: the variant of a message was drawn by chance, every message counts
once, and what one recipient does has no bearing on another. A recipient with messages in several of the deliveries asked
for breaks that. Looking at the numbers again and again until something differs breaks it too; choose the moment first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Literal

from attrs import evolve, frozen

from msgtrack._borders import count, shown, texts
from msgtrack.counts import REACTION_KINDS, distinct
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.metrics._shares import SMALL, fisher, holm, newcombe, smallest_expected, two_proportions
from msgtrack.metrics._table import Table
from msgtrack.metrics._values import Value

__all__ = ["Comparison", "Difference", "Method", "compare_shares", "compare_variants"]

Method = Literal["z", "fisher"]


@frozen(kw_only=True)
class Difference:
    """Two variants side by side.

    - ``first`` and ``second``: their names; ``value``: the share of the second less that of the first, from -1 to 1;
    - ``low`` and ``high``: the interval of the difference (Newcombe's, of Wilson intervals), for this pair alone;
    - ``test``: ``"z"`` (two-sided, pooled variance), or ``"fisher"`` (exact, two-sided) where fewer than five are expected
      in a cell; ``statistic``: z, None for Fisher's test;
    - ``p_value``: the chance of a difference at least as odd if there were none; ``adjusted_p_value``: Holm's correction
      for the number of pairs, which is what to judge by.

    All of these but the names are None when one of the two is no share: nothing was sent, or more messages showed the
    reaction than were delivered. ``caveats`` says which, and ``small`` where Fisher's test was needed.
    """

    first: str
    second: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    test: Method | None = None
    statistic: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    is_significant: bool = False
    caveats: tuple[str, ...] = ()


@frozen(kw_only=True)
class Comparison:
    """Variants and how they differ.

    ``shares``: by variant, each a :class:`Value` with its own Wilson interval. ``differences``: every pair in the order of
    the names, or every other variant against ``control`` when there is one. ``confidence``: of the intervals; a
    difference is significant when its adjusted p lies below one minus that.
    """

    shares: Mapping[str, Value]
    differences: tuple[Difference, ...]
    confidence: float
    control: str | None = None

    def __getitem__(self, pair: tuple[str, str]) -> Difference:
        """The difference of a pair, in the order in which it was compared.

        Raises:
            KeyError: the pair was not compared in this order.
        """
        for difference in self.differences:
            if (difference.first, difference.second) == pair:
                return difference
        raise KeyError(pair)


def compare_shares(
    shares: Mapping[str, tuple[int, int]], *, control: str | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare shares given as plain numbers: how many of how many, by name.

    >>> found = compare_shares({"A": (48, 80), "B": (56, 70)})["A", "B"]
    >>> [round(bound, 4) for bound in (found.value, found.low, found.high)]
    [0.2, 0.0524, 0.3339]
    >>> found.test, round(found.p_value, 3), found.is_significant
    ('z', 0.008, True)

    Args:
        shares: hits and size of each; two at least.
        control: compare every other one with this one, and not all with each other.
        confidence: of the intervals, and of the verdict.

    Raises:
        InvalidValue: fewer than two shares, or one that is no pair of whole numbers from 0.
        InvalidOption: there is no such control, or ``confidence`` does not lie between 0 and 1.
    """
    if not isinstance(shares, Mapping) or len(shares) < 2:
        raise InvalidValue(f"a comparison needs two variants at least, by name: {shown(shares)}")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise InvalidOption(f"confidence={shown(confidence)} does not lie between 0 and 1")
    if control is not None and control not in shares:
        raise InvalidOption(f"control={shown(control)} is not one of: {', '.join(map(repr, sorted(shares)))}")
    sizes = {name: _share(name, shares[name]) for name in sorted(shares)}
    others = [name for name in sizes if name != control]
    pairs = combinations(others, 2) if control is None else ((control, other) for other in others)
    found = [_difference(first, second, sizes[first], sizes[second], confidence) for first, second in pairs]
    tested = [place for place, difference in enumerate(found) if difference.p_value is not None]
    adjusted = holm([found[place].p_value or 0.0 for place in tested])
    for place, p_value in zip(tested, adjusted, strict=True):
        found[place] = evolve(found[place], adjusted_p_value=p_value, is_significant=p_value < 1 - confidence)
    return Comparison(
        shares={name: _value(*share) for name, share in sizes.items()},
        differences=tuple(found),
        confidence=float(confidence),
        control=control,
    )


def compare_variants(
    table: Table, kinds: str | Iterable[str] = "click", *, control: str | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare the variants of the deliveries of a table (``Message.variant``) by a share of the delivered messages.

    Args:
        table: whose events count (audience, window) was settled when it was made.
        kinds: which reactions make a hit, once for each message: a kind of event (``open``, ``click``, ``opt-out-click``,
            …) or several, any of them; none at all stands for any reaction, which is how ``recipient_open`` counts.
        control: the variant that the others are compared with; left out, all are compared with each other.
        confidence: of the intervals, and of the verdict.

    Messages that bear no variant are left out, and so are the reactions to them.

    Raises:
        InvalidValue: there are fewer than two variants.
        InvalidOption: there is no such kind of reaction or no such control, or ``confidence`` does not lie between 0 and 1.
    """
    wanted = (kinds,) if isinstance(kinds, str) else texts(kinds)
    if not REACTION_KINDS.issuperset(wanted):
        raise InvalidOption(f"kinds={shown(kinds)} are not among: {', '.join(sorted(REACTION_KINDS))}")
    hits: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for delivery in table.counts.deliveries.values():
        for name, part in delivery.variants.items():
            if name:
                hits[name] = hits.get(name, 0) + distinct(part.reach, *wanted)
                sizes[name] = sizes.get(name, 0) + part.success
    return compare_shares({name: (hits[name], sizes[name]) for name in hits}, control=control, confidence=confidence)


def _share(name: str, share: object) -> tuple[int, int]:
    if not isinstance(share, tuple) or len(share) != 2:
        raise InvalidValue(f"the share of {shown(name)} is no pair of hits and size: {shown(share)}")
    return count(share[0]), count(share[1])


def _value(hits: int, size: int) -> Value:
    if not size:
        return Value(
            value=None, unit="ratio", numerator=hits, denominator=size, is_share=True, caveats=("no-denominator",)
        )
    caveats = ("above-one",) if hits > size else ()
    return Value(value=hits / size, unit="ratio", numerator=hits, denominator=size, is_share=True, caveats=caveats)


def _difference(
    first: str, second: str, share1: tuple[int, int], share2: tuple[int, int], confidence: float
) -> Difference:
    caveats = tuple(
        code
        for code, holds in (
            ("no-denominator", not share1[1] or not share2[1]),
            ("above-one", any(hits > size > 0 for hits, size in (share1, share2))),
        )
        if holds
    )
    if caveats:
        return Difference(first=first, second=second, caveats=caveats)
    low, high = newcombe(share1, share2, confidence)
    is_small = smallest_expected(share1, share2) < SMALL
    z, p_value = (None, fisher(share1, share2)) if is_small else two_proportions(share1, share2)
    return Difference(
        first=first,
        second=second,
        value=share2[0] / share2[1] - share1[0] / share1[1],
        low=low,
        high=high,
        test="fisher" if is_small else "z",
        statistic=z,
        p_value=p_value,
        caveats=("small",) if is_small else (),
    )
