"""Persons counted one by one or by a sketch, alone and taken together."""

from __future__ import annotations

from math import sqrt

import pytest

from msgtrack import _people
from msgtrack._people import SKETCH_ERROR, People
from msgtrack.errors import MissingExtra

MISSING = r"^counting persons by sketches needs the package 'datasketches', which is not installed"


def ids(first: int, last: int) -> list[str]:
    return [f"person {number}" for number in range(first, last)]


def people(first: int, last: int, above: int | None) -> People:
    found = People(above)
    for source_id in ids(first, last):
        found.update([source_id])
    return found


def is_near(found: People, size: int) -> bool:
    return abs(len(found) - size) <= 4 * SKETCH_ERROR * size


def test_the_number_of_registers_fits_the_error_it_states() -> None:
    pytest.importorskip("datasketches")
    assert people(0, 2, 1)._sketch.lg_config_k == 14
    assert 1.04 / sqrt(2**14) <= SKETCH_ERROR < 1.04 / sqrt(2**14) + 0.0001


def test_a_set_is_exact_up_to_the_number_and_a_sketch_above_it() -> None:
    pytest.importorskip("datasketches")
    assert people(0, 3000, None).is_exact
    assert len(people(0, 3000, None)) == 3000
    assert people(0, 10, 10).is_exact
    assert len(people(0, 10, 10)) == 10
    assert not people(0, 11, 10).is_exact
    assert len(people(0, 11, 10)) == 11
    assert is_near(people(0, 3000, 10), 3000)
    assert not people(0, 1, 0).is_exact


def test_one_who_comes_again_is_no_other() -> None:
    pytest.importorskip("datasketches")
    for above in (None, 0, 50):
        found = people(0, 100, above)
        found.update(ids(0, 100))
        assert len(found) == 100


@pytest.mark.parametrize("mine", [None, 0])
@pytest.mark.parametrize("theirs", [None, 0])
def test_two_together_are_those_of_both_and_the_other_stays(mine: int | None, theirs: int | None) -> None:
    pytest.importorskip("datasketches")
    found, other = people(0, 2000, mine), people(1000, 3000, theirs)
    before = len(other)
    found.absorb(other)
    assert is_near(found, 3000)
    assert found.is_exact == (mine is theirs is None)
    found.update(["a new one"])
    assert len(other) == before
    assert other.is_exact == (theirs is None)
    assert is_near(other, 2000)
    if found.is_exact:
        assert len(found) == 3001


def test_together_they_may_be_too_many_for_a_set() -> None:
    pytest.importorskip("datasketches")
    found = people(0, 60, 100)
    found.absorb(people(30, 100, 100))
    assert found.is_exact
    assert len(found) == 100
    found.absorb(people(100, 101, None))
    assert not found.is_exact
    assert len(found) == 101
    empty = People(5)
    empty.absorb(people(0, 100, 50))
    assert not empty.is_exact
    assert len(empty) == 100
    empty.absorb(people(100, 200, 50))
    empty.absorb(people(150, 250, 50))
    assert is_near(empty, 250)


def test_a_sketch_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_people, "import_module", missing)
    assert len(people(0, 5, 5)) == 5
    with pytest.raises(MissingExtra, match=MISSING) as caught:
        people(0, 6, 5)
    assert caught.value.hint == "pip install 'msgtrack[sketches]'"
