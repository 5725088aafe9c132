"""The reference page shows of every indicator its formula, an example with numbers, and what it does not mean."""

from __future__ import annotations

import csv
import os
import re
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from msgtrack import open_store
from msgtrack.facts import Exclusion
from msgtrack.metrics import Table, _example, _page, catalogue, indicators, reference_page
from msgtrack.metrics._misreadings import MISREADINGS
from msgtrack.model import Client, MessageStatus

ROOT = Path(__file__).resolve().parents[3]
CORPORA = Path(os.environ.get("MSGTRACK_CORPORA", ROOT.parent / "shared" / "corpora"))
TABLE = CORPORA.parent / "spec" / "indicators.csv"

WORLD = (_example.DELIVERIES, _example.MESSAGES, _example.LINKS, _example.EVENTS, _example.FACTS)


@pytest.fixture(scope="module")
def sections() -> dict[str, list[str]]:
    """The lines of each indicator by key."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^###? ", reference_page(), flags=re.MULTILINE):
        heading, _, body = part.partition("\n")
        if heading.startswith("`"):
            found[heading.strip("`")] = body.splitlines()
    return found


@pytest.fixture(scope="module")
def stored() -> dict[str, Table]:
    """The tables of the world by delivery, by way of a store."""
    store = open_store("memory:")
    store.put([*_example.DELIVERIES, *_example.MESSAGES, *_example.LINKS, *_example.FACTS])
    store.ingest(_example.EVENTS)
    return {d.id: indicators(store, d.id, now=_example.NOW, peers=True) for d in _example.DELIVERIES}


def test_every_section_has_formula_example_and_misreading(sections: dict[str, list[str]]) -> None:
    assert list(sections) == list(dict.fromkeys(sections))
    assert set(sections) == set(catalogue)
    for key, lines in sections.items():
        indicator = catalogue[key]
        assert f"- Formula: `{indicator.formula}`" in lines, key
        assert f"- Does not mean: {MISREADINGS[key]}" in lines, key
        assert sum(line.startswith("- Example") for line in lines) in (1, 2), key


def test_examples_are_the_numbers_of_their_table(sections: dict[str, list[str]], stored: dict[str, Table]) -> None:
    """By way of a store, so that the page and the test reach the numbers by two ways."""
    for key, lines in sections.items():
        indicator = catalogue[key]
        value = stored[_example.delivery_for(indicator)][key]
        (line,) = (line for line in lines if re.match(r"- Example( \(delivery `\w+`\))?: ", line))
        shown = line.partition(": ")[2]
        if value.denominator is not None:
            made_of, _, shown = shown.rpartition(" = ")
            assert made_of == f"{value.numerator} / {value.denominator}", key
        if value.value is None:
            reason = re.fullmatch(r"undefined \(`([a-z-]+)`\)", shown)
            assert reason, key
            assert reason[1] in value.caveats, key
            assert reason[1] not in indicator.caveats, f"{key}: every value bears {reason[1]}, which explains nothing"
        else:
            factor = 100 if value.is_share else 1
            number = float(re.sub(r" [%s]$", "", shown))
            assert number == pytest.approx(float(value.value) * factor, rel=1e-3, abs=0.006), key


def test_no_number_has_an_exponent(sections: dict[str, list[str]]) -> None:
    assert not [line for lines in sections.values() for line in lines if re.search(r"\de[+-]\d", line)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (Decimal("1.50"), "1.50"),
        (_example.NOW, "2026-03-09 08:00"),
        (MessageStatus.SENT_TO_PROVIDER, "sent_to_provider"),
        (("a", "b"), "a, b"),
        ((True, 3), "yes, 3"),
        (Client(browser="Firefox", browser_version="147", os="Windows"), "Firefox 147 on Windows"),
    ],
)
def test_cells_are_written_for_people(value: object, shown: str) -> None:
    assert _page._cell(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.0, "0"), (0.5, "0.5"), (2 / 3, "0.6667"), (-12.3456, "-12.35"), (999.94, "999.9"), (123456.7, "123457")],
)
def test_numbers_have_four_digits_and_all_before_the_point(number: float, shown: str) -> None:
    assert _page._plain(number) == shown


def test_every_indicator_shows_a_number_somewhere() -> None:
    numbers = {}
    for key, indicator in catalogue.items():
        table = _example.table_for(indicator)
        rows = [value for by in indicator.groupings for value in table.series(key, by=by).values()]
        found = [value.value for value in (table[key], *rows) if value.value is not None]
        assert found, f"{key} is undefined in the world of the examples, and in every row"
        numbers[key] = any(found)
    silent = sorted(key for key, says_something in numbers.items() if not says_something)
    assert len(silent) <= len(numbers) / 10, f"nothing but zeros: {silent}"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("to_deliver", "- Example: 15"),
        ("success", "- Example: 6"),
        ("recipient_open", "- Example: 4"),
        ("estimated_recipient_open", "- Example: 5"),
        ("raw_reactivity", "- Example: 3 / 4 = 75.00 %"),
        ("total_click_rate", "- Example: 5 / 6 = 83.33 %"),
        ("forward_estimate", "- Example: 2"),
        ("amount", "- Example: 79.90"),
        ("average_transaction_amount", "- Example: 79.90 / 2 = 39.95"),
        ("share_open_rate", "- Example: 2 / 1 = 200.00 %"),
        ("evolution", "- Example: 1"),
        ("loyalty", "- Example: 3 / 4 = 75.00 %"),
        ("webapp_conversion_rate", "- Example: 1 / 4 = 25.00 %"),
        ("webapp_funnel_loss", "- Example by step: start: 2 / 4 = 50.00 %; form: 1 / 2 = 50.00 %"),
        ("sent_sms", "- Example (delivery `reminder`): 3"),
    ],
)
def test_examples_counted_by_hand(sections: dict[str, list[str]], key: str, line: str) -> None:
    assert line in sections[key], [found for found in sections[key] if "Example" in found]


def test_the_world_of_the_examples_adds_up() -> None:
    spring = _example.DELIVERIES[0]
    excluded = [fact for fact in _example.FACTS if isinstance(fact, Exclusion)]
    table = _example.table_for(catalogue["to_deliver"])
    assert spring.total_target is not None
    assert spring.reject == len(excluded) == table["exclusion_by_cause"].value == table["reject"].value
    assert spring.total_target == spring.reject + (table["to_deliver"].value or 0)
    assert table["to_deliver"].value == (table["total_processed"].value or 0)
    assert all(isinstance(table[key].value, int) for key in ("success", "error", "to_deliver"))


def test_the_page_shows_the_world_that_it_computes_in() -> None:
    _, _, shown = reference_page().partition("## The world of the examples\n")
    for items in WORLD:
        for item in items:
            heading = f"### {type(item).__name__}\n"
            rows = shown.partition(heading)[2].partition("### ")[0].splitlines()
            texts = [
                getattr(item, name) for name in ("id", "delivery_id", "label", "url", "step") if hasattr(item, name)
            ]
            wanted = {str(text) for text in texts if isinstance(text, str) and text}
            if not getattr(item, "has_own_id", True):
                wanted.discard(str(item.id))  # type: ignore[union-attr]  # an event, whose id is derived
            assert any(wanted <= {cell.strip() for cell in row.split("|")} for row in rows), item


def test_no_cell_of_the_world_breaks_its_table() -> None:
    for items in WORLD:
        for item in items:
            assert "|" not in str(attrs.astuple(item))  # type: ignore[arg-type]  # all of them are attrs classes
    _, _, shown = reference_page().partition("## The world of the examples\n")
    for table in re.findall(r"(?:^\|.*\n)+", shown, flags=re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_misreadings_are_of_the_reference_and_of_nothing_else() -> None:
    assert set(MISREADINGS) == set(catalogue)
    for key, sentence in MISREADINGS.items():
        assert sentence.startswith("Not "), key
        assert sentence.endswith("."), key
        assert len(sentence.split()) > 4, key
        assert catalogue[key].misreading == sentence
        assert sentence != catalogue[key].notes


def test_misreadings_are_in_the_order_of_the_reference() -> None:
    if not TABLE.is_file():
        pytest.skip(f"the table of the reference is not there: {TABLE}")
    with TABLE.open(encoding="utf-8", newline="") as file:
        assert list(MISREADINGS) == [row["key"] for row in csv.DictReader(file)]


def test_an_indicator_of_ones_own_has_no_misreading() -> None:
    own = attrs.evolve(catalogue["success"], key="my_own")
    assert own.misreading == ""
