"""Distinct persons: an exact set, or a HyperLogLog sketch above a number that the caller chose."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgtrack.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SKETCH_ERROR", "People"]

_LG_K = 14
SKETCH_ERROR = 0.0082
"""The relative standard error of a sketch with 2**14 registers (1.04 / sqrt(2**14), rounded up)."""


class People:
    """A set of source ids that answers how many there are; with ``above`` it turns into a sketch once it holds more.

    The answer depends on what was added and not on the order: an exact set turns at one size whatever came first, and
    sketches answer by the estimator that knows no order.

    Raises:
        MissingExtra: the set must turn into a sketch and the package ``datasketches`` is not installed.
    """

    __slots__ = ("_above", "_exact", "_sketch")

    def __init__(self, above: int | None = None) -> None:
        self._above = above
        self._exact: set[str] = set()
        self._sketch: Any = None

    @property
    def is_exact(self) -> bool:
        """Whether it is a set still."""
        return self._sketch is None

    def update(self, source_ids: Iterable[str]) -> None:
        """Take some in."""
        if self._sketch is None:
            self._exact.update(source_ids)
            self._turn()
        else:
            for source_id in source_ids:
                self._sketch.update(source_id)

    def absorb(self, other: People) -> None:
        """Take in all of another, which stays as it is."""
        if other._sketch is None:
            self.update(other._exact)
            return
        mine: Iterable[str] = self._exact
        sketches = _sketches()
        union = sketches.hll_union(_LG_K)
        if self._sketch is not None:
            union.update(self._sketch)
        union.update(other._sketch)
        self._sketch = union.get_result(sketches.tgt_hll_type.HLL_8)
        for source_id in mine:
            self._sketch.update(source_id)
        self._exact = set()

    def __len__(self) -> int:
        if self._sketch is None:
            return len(self._exact)
        # Merged twice with the same, a sketch forgets the order in which it was filled, and estimates without it.
        union = _sketches().hll_union(_LG_K)
        union.update(self._sketch)
        union.update(self._sketch)
        return round(float(union.get_estimate()))

    def _turn(self) -> None:
        if self._above is not None and len(self._exact) > self._above:
            sketches = _sketches()
            self._sketch = sketches.hll_sketch(_LG_K, sketches.tgt_hll_type.HLL_8)
            for source_id in self._exact:
                self._sketch.update(source_id)
            self._exact = set()


def _sketches() -> Any:
    try:
        datasketches = import_module("datasketches")
    except ImportError:
        raise MissingExtra(
            "counting persons by sketches needs the package 'datasketches', which is not installed",
            hint="pip install 'msgtrack[sketches]'",
        ) from None
    return datasketches
