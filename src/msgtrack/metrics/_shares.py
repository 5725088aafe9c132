"""Statistics of two shares: tests of difference, the interval of the difference, the correction for several tests.

Pure arithmetic over counts, ``hits`` out of ``size`` each, with ``0 <= hits <= size`` and ``size > 0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, hypot, sqrt

from msgtrack.metrics._values import Value

__all__ = ["SMALL", "fisher", "holm", "newcombe", "smallest_expected", "two_proportions", "wilson"]

SMALL = 5
"""Below this many expected in any of the four cells, a normal approximation is not trusted (W. G. Cochran, "Some methods
for strengthening the common chi-squared tests", Biometrics 10, 1954).
"""

# Tables as unlikely as the observed one differ from it by rounding alone.
_SAME = 1 + 1e-7


def smallest_expected(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The smallest of the four counts expected if both shares were the same.

    >>> smallest_expected((3, 10), (1, 30))
    1.0
    """
    hits, size = first[0] + second[0], first[1] + second[1]
    return min(first[1], second[1]) * min(hits, size - hits) / size


def two_proportions(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """The two-sided z-test of two shares with pooled variance: z (above 0 when the second is larger) and p.

    ``z = (p2 - p1) / sqrt(p (1 - p) (1/n1 + 1/n2))`` with ``p`` the share of both together; its square is Pearson's
    chi-squared of the four cells without correction for continuity.

    Source: A. Agresti, "Categorical Data Analysis", 3rd edition, 2013, section 3.2. Where both together are 0 or 1
    nothing differs: z is 0 and p is 1.
    """
    (hits1, size1), (hits2, size2) = first, second
    hits, size = hits1 + hits2, size1 + size2
    # The difference of the shares over a common denominator, so that no digits cancel.
    top = hits2 * size1 - hits1 * size2
    if not top:
        return 0.0, 1.0
    z = top / (size1 * size2) / sqrt(hits / size * ((size - hits) / size) * (1 / size1 + 1 / size2))
    return z, erfc(abs(z) / sqrt(2))


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The two-sided p of Fisher's exact test: all tables with the same sums that are no likelier than the observed one.

    Source: R. A. Fisher, "The Design of Experiments", 1935; the two-sided rule is that of A. Agresti, "A survey of exact
    inference for contingency tables", Statistical Science 7, 1992. Likelihoods are set off against the likeliest table,
    step by step outwards, so that neither large factorials nor their logarithms lose digits.
    """
    (hits1, size1), (hits2, size2) = first, second
    hits = hits1 + hits2
    lowest, highest = max(0, hits - size2), min(hits, size1)
    mode = min(max((hits + 1) * (size1 + 1) // (size1 + size2 + 2), lowest), highest)
    weights = {mode: 1.0}
    for at in range(mode, highest):
        weights[at + 1] = weights[at] * ((size1 - at) * (hits - at) / ((at + 1) * (size2 - hits + at + 1)))
        if not weights[at + 1]:
            break
    for at in range(mode, lowest, -1):
        weights[at - 1] = weights[at] * (at * (size2 - hits + at) / ((size1 - at + 1) * (hits - at + 1)))
        if not weights[at - 1]:
            break
    limit = weights.get(hits1, 0.0) * _SAME
    tail = sum(sorted(weight for weight in weights.values() if weight <= limit))
    return min(tail / sum(sorted(weights.values())), 1.0)


def wilson(share: tuple[int, int], confidence: float) -> tuple[float, float]:
    """The Wilson score interval of one share; see :meth:`Value.interval`.

    Raises:
        InvalidOption: ``confidence`` does not lie between 0 and 1.
    """
    hits, size = share
    value = Value(value=hits / size, unit="ratio", numerator=hits, denominator=size, is_share=True)
    return value.interval(confidence) or (0.0, 1.0)


def newcombe(first: tuple[int, int], second: tuple[int, int], confidence: float) -> tuple[float, float]:
    """The interval of the second share less the first, made of the Wilson intervals of both.

    ``d - sqrt((p2 - l2)^2 + (u1 - p1)^2)`` to ``d + sqrt((u2 - p2)^2 + (p1 - l1)^2)``.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17, 1998, method 10.

    Raises:
        InvalidOption: ``confidence`` does not lie between 0 and 1.
    """
    share1, share2 = first[0] / first[1], second[0] / second[1]
    low1, high1 = wilson(first, confidence)
    low2, high2 = wilson(second, confidence)
    difference = share2 - share1
    low = difference - hypot(share2 - low2, high1 - share1)
    high = difference + hypot(high2 - share2, share1 - low1)
    return max(low, -1.0), min(high, 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being several, in the order given: the least times their number, the next times one
    less, and so on, none below one before it, none above 1.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    It holds whatever the tests have to do with each other.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = list(p_values)
    floor = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        floor = max(floor, min(p_values[place] * (len(p_values) - rank), 1.0))
        adjusted[place] = floor
    return adjusted
