"""``msgtrack report --report``: reports of indicators on the command line."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from msgtrack.cli import main
from msgtrack.events import Click, Open
from msgtrack.metrics import IndicatorReport, indicator_report, layouts, report_from
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.storage import open_store

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    with open_store(url) as opened:
        for name in ("spring", "autumn"):
            opened.put([Delivery(id=name, to_deliver=2, contact_at=AT)])
            opened.put([Message(id=n, delivery_id=name, status="sent", address=f"{n}@gmail.com") for n in "ab"])
            opened.put([TrackedLink(delivery_id=name, id=f"2{n}", url="https://x.example/", label=n) for n in "abc"])
            opened.ingest(
                [
                    Open(occurred_at=AT, delivery_id=name, message_id="a", id=f"{name}-o"),
                    *(
                        Click(occurred_at=AT, delivery_id=name, message_id="a", link_id=f"2{n}", id=f"{name}-{n}")
                        for n in "abc"
                    ),
                ]
            )
    return url


def test_the_list_needs_no_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--report", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == list(layouts)
    assert main(["report", "--report", "list", "--json"]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)] == list(layouts)


@pytest.mark.parametrize("name", layouts)
def test_every_report_prints(name: str, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--store", store, "--delivery", "spring", "--report", name]) == 0
    assert capsys.readouterr().out.startswith(layouts[name].title)


@pytest.mark.parametrize("name", layouts)
def test_peers_are_read_only_for_the_report_that_compares_with_them(
    name: str, store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def recorded(*arguments: Any, peers: bool, **options: Any) -> IndicatorReport:
        asked.append(peers)
        return indicator_report(*arguments, peers=peers, **options)

    monkeypatch.setattr("msgtrack.metrics.indicator_report", recorded)
    arguments = ["report", "--store", store, "--delivery", "spring", "--report", name, "--json"]
    assert main(arguments) == 0
    assert asked == [name == "urls-and-click-streams"]
    assert json.loads(capsys.readouterr().out)


def test_several_deliveries_and_audiences_stand_together(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", "--store", store, "--delivery", "spring", "--delivery", "autumn", "--report", "cumulated"]
    assert main([*arguments, "--audience", "all,human", "--json"]) == 0
    report = report_from(json.loads(capsys.readouterr().out))
    assert report.delivery_ids == ("spring", "autumn")
    assert report.audiences == ("all", "human")
    total = report["deliveries"].total
    assert total is not None
    assert total["summary_success"].value == 4
    assert total["stats_clicks", "human"].value == 0


def test_csv_to_standard_output(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", "--store", store, "--delivery", "spring", "--report", "urls-and-click-streams", "--top", "1"]
    assert main([*arguments, "--csv", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = [row for row in rows if row["block"] == "by-label" and row["key"] == "url_clicks"]
    assert [(row["row"], row["kind"], row["value"]) for row in found] == [
        ("a", "row", "1"),
        ("Others", "others", "2"),
        ("Total", "total", "3"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report", "tracking-indicator"], "did you mean tracking-indicators?"),
        (["--report", "tracking-indicators", "--html", "x.html"], "no HTML"),
        (["--report", "opens-interval", "--audience", "human"], "every audience"),
        (["--report", "top-links", "--top", "-1"], "count"),
        (["--delivery", "autumn"], "one delivery"),
        (["--top", "3"], "--report"),
    ],
)
def test_what_makes_no_sense_is_said(
    arguments: list[str], said: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--store", store, "--delivery", "spring", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--report", "cumulated"], ["--store", "memory:"], ["--delivery", "1"]])
def test_what_is_missing_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["report", *arguments])
    assert leaving.value.code == 2
    assert "required" in capsys.readouterr().err
