"""The catalogue: complete, consistent, and the same as the table of the reference."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import attrs
import pytest

from msgtrack import events, facts, model
from msgtrack.errors import MsgtrackError, UnknownIndicator
from msgtrack.metrics import CAVEATS, Indicator, catalogue, reference_page
from msgtrack.metrics._groups import GROUPINGS

ROOT = Path(__file__).resolve().parents[3]
CORPORA = Path(os.environ.get("MSGTRACK_CORPORA", ROOT.parent / "shared" / "corpora"))
TABLE = CORPORA.parent / "spec" / "indicators.csv"

INDICATORS = [pytest.param(indicator, id=key) for key, indicator in catalogue.items()]


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, str]]:
    if not TABLE.is_file():
        pytest.skip(f"the table of the reference is not there: {TABLE}")
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_every_indicator_says_what_the_reference_says(published: dict[str, dict[str, str]]) -> None:
    for key, indicator in catalogue.items():
        row = published[key]
        assert (indicator.label, indicator.unit, indicator.report) == (row["label"], row["unit"], row["report"]), key
        assert (indicator.field, indicator.formula) == (row["adobe_field"], row["formula"]), key
        assert "; ".join(indicator.sources) == row["source"], key


def test_every_key_of_the_reference_is_computed(published: dict[str, dict[str, str]]) -> None:
    assert set(published) == set(catalogue)


def test_the_tracking_indicators_are_complete(published: dict[str, dict[str, str]]) -> None:
    assert {key for key, row in published.items() if "Tracking indicators" in row["report"]} <= set(catalogue)


@pytest.mark.parametrize("indicator", INDICATORS)
def test_an_indicator_is_well_formed(indicator: Indicator) -> None:
    assert indicator.label
    assert indicator.formula
    assert set(indicator.caveats) <= set(CAVEATS)
    assert set(indicator.groupings) <= {*GROUPINGS, *indicator.cuts}
    assert set(indicator.cuts) <= set(indicator.groupings)
    assert indicator.undefined in CAVEATS
    assert indicator.shape == (indicator.groupings or "scalar")
    assert indicator.sources
    assert (indicator.over is None) == (indicator.unit in ("count", "duration") or indicator.key == "amount")
    assert not indicator.is_share or indicator.unit == "ratio"


def test_quotients_are_shares_but_for_these() -> None:
    assert {key for key, indicator in catalogue.items() if indicator.unit == "ratio" and not indicator.is_share} == {
        "average_article_per_transaction",
        "throughput_messages_per_hour",
        "throughput_bits_per_second",
        # Visitors and pages by day, on an average.
        "os_visitors",
        "os_pages",
        "evolution_rate",
    }


@pytest.mark.parametrize("indicator", INDICATORS)
def test_the_inputs_of_an_indicator_exist(indicator: Indicator) -> None:
    assert indicator.inputs
    for name in indicator.inputs:
        if "." not in name:
            assert name in catalogue
            continue
        owner, _, attribute = name.partition(".")
        kind = getattr(model, owner, None) or getattr(events, owner, None) or getattr(facts, owner)
        assert attribute in {field.name for field in attrs.fields(kind)} or hasattr(kind, attribute)


@pytest.mark.parametrize("indicator", INDICATORS)
def test_what_stands_on_an_estimate_is_one(indicator: Indicator) -> None:
    of_estimates = any(catalogue[name].estimated for name in indicator.inputs if name in catalogue)
    assert indicator.estimated or not of_estimates


def test_every_caveat_has_a_section_of_its_page() -> None:
    page = (ROOT / "docs" / "explanation" / "caveats.md").read_text(encoding="utf-8")
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")] == list(CAVEATS)
    for code, sentence in CAVEATS.items():
        assert sentence in page, code


def test_an_unknown_key_is_a_key_error_of_ours_with_a_proposal() -> None:
    with pytest.raises(UnknownIndicator, match="did you mean raw_reactivity") as caught:
        catalogue["raw_reactivty"]
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, MsgtrackError)
    assert catalogue.get("no such thing") is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("raw_reactivty", "did you mean raw_reactivity or reactivity or estimated_reactivity?"),
        ("dr_", "did you mean dr_sent?"),
        ("zzzz", ""),
    ],
)
def test_keys_that_are_near_are_proposed_three_at_most(key: str, said: str) -> None:
    with pytest.raises(UnknownIndicator) as caught:
        catalogue[key]
    assert (caught.value.message, caught.value.hint) == (f"there is no indicator {key!r}", said)


@pytest.mark.parametrize(
    "key",
    [None, 5, "", ("success",), pytest.param("x" * 10**5, id="long"), pytest.param(10**5000, id="large")],
)
def test_a_key_of_another_kind_is_unknown_too(key: object) -> None:
    with pytest.raises(UnknownIndicator, match=r"^there is no indicator .{1,80}$") as caught:
        catalogue[key]  # type: ignore[index]  # the point of the test
    assert caught.value.hint == ""


def test_the_catalogue_is_a_mapping_in_a_fixed_order() -> None:
    assert len(catalogue) == len(list(catalogue)) == len(set(catalogue)) >= 49
    assert next(iter(catalogue)) == "to_deliver"
    assert f"{len(catalogue)} indicators" in repr(catalogue)


def test_the_page_names_every_indicator_and_caveat() -> None:
    page = reference_page()
    for key, indicator in catalogue.items():
        assert f"### `{key}`\n" in page
        assert f"- Formula: `{indicator.formula}`\n" in page
    for code, sentence in CAVEATS.items():
        assert f"- [`{code}`](../explanation/caveats.md#{code}): {sentence}\n" in page
    assert page == reference_page()
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_the_written_page_is_the_made_one() -> None:
    path = ROOT / "docs" / "reference" / "indicators.md"
    assert path.read_text(encoding="utf-8") == reference_page(), "run scripts/docs and commit the page"
