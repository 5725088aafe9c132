"""What a sender is told before sending: each finding by a message that gives rise to it and one that just does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from msgtrack import Keyring, LinkRules, Rule, Tracker
from msgtrack.links import FINDINGS, CompiledMessage, Finding, LinkReason
from msgtrack.links.findings import CLIP_SIZE

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
LINK = '<a href="https://a.example/">x</a>'


def message(html: str | None = None, **options: object) -> CompiledMessage:
    options = {"delivery_id": "spring", "text": "x", **options}
    return TRACKER.compile(html=html, **options)  # type: ignore[arg-type]


def found(html: str | None = None, **options: object) -> list[Finding]:
    findings = message(html, **options).findings
    for finding in findings:
        assert finding.severity == FINDINGS[finding.code][0]
        assert finding.line >= 1
        assert finding.column >= 1
    return list(findings)


def codes(html: str | None = None, **options: object) -> list[str]:
    return [finding.code for finding in found(html, **options)]


def test_nothing_to_say() -> None:
    assert codes(LINK) == []


CASES: dict[str, tuple[str, str]] = {
    "already-tracked": ('<a href="https://t.example.com/x/y">x</a>', '<a href="https://t.example.org/x/y">x</a>'),
    "amp": (f"<!doctype html><html \u26a14email>{LINK}</html>", f"<html><p \u26a14email>{LINK}</html>"),
    "http-downgrade": ('<a href="HTTP://a.example/">x</a>', '<a href="https://a.example/?http:">x</a>'),
    "template-tag": ('<a href="https://a.example/{{ x }}">x</a>', f"{LINK}{{{{ x }}}}"),
    "unknown-type": ('<a href="https://a.example/" _type="x">x</a>', '<a href="https://a.example/" _type="web">x</a>'),
    "url-as-text": ('<a href="https://a.example/">www.a.example</a>', '<a href="https://a.example/">See www.a</a>'),
    "long-url": (f'<a href="https://a.example/{"x" * 1900}">x</a>', f'<a href="https://a.example/{"x" * 600}">x</a>'),
}


@pytest.mark.parametrize("code", CASES)
def test_a_link_gives_rise_to_it(code: str) -> None:
    with_it, without_it = CASES[code]
    assert code in codes(f"{with_it}\n")
    assert code not in codes(f"{without_it}\n")


def test_they_say_where() -> None:
    (finding,) = found('<p>\n <a href="http://a.example/">x</a>')
    assert (finding.part, finding.line, finding.column) == ("html", 2, 11)


def test_no_downgrade_from_http() -> None:
    tracker = Tracker("http://t.example.com", KEYS)
    assert tracker.compile(text="http://a.example/", delivery_id="1").findings == ()


def test_an_amp_part_is_left_alone_as_a_whole() -> None:
    source = f"<!doctype html><html amp4email><body>{LINK}</body></html>"
    made = message(source, rules=LinkRules(trap="https://a.example/"))
    assert (made.render(message_id="1").html, made.edits, made.links) == (source, (), ())
    assert [decision.reason for decision in made.decisions] == [LinkReason.AMP]
    assert made.restore(source) == source


class TestLongLines:
    def test_octets_after_encoding(self) -> None:
        assert codes("é" * 498, pixel="none") == []
        assert codes("x" * 998 + "\r\n" + "x" * 998, pixel="none") == []
        assert codes("é" * 500, pixel="none") == ["long-line"]
        assert codes("x" * 999, pixel="none") == ["long-line"]

    def test_the_line_is_that_of_the_source(self) -> None:
        """The rendered line is long, the written one is not; and line breaks inside a link are gone before it."""
        url = "https://a.example/" + "x" * 300
        text = f"<{url[:40]}\n{url[40:]}>\n" + f"{url}\n" * 4 + f"{url} {url}\n" * 2
        (finding,) = found(text=text)
        assert (finding.code, finding.part.value, finding.line, finding.column) == ("long-line", "text", 7, 1)
        assert finding.message.startswith("2 rendered lines")
        assert max(map(len, text.split("\n"))) < 998


class TestSize:
    def test_an_open_image_behind_the_clip_size(self) -> None:
        body = "<p>é</p>\n" * (CLIP_SIZE // 10 + 1)
        (finding,) = found(f"<body>{body}</body>")
        assert (finding.code, finding.line) == ("clipped-pixel", body.count("\n") + 1)
        assert codes(f"<body>{body}</body>", pixel="top") == []
        assert codes(f"<body>{body}</body>", pixel="none") == []
        assert codes(f"<body>{body[: len(body) // 2]}</body>") == []

    def test_growth(self) -> None:
        link = '<a href="https://a.example/">x</a>\n'
        assert codes(link * 150) == ["message-growth"]
        assert codes(link * 10) == []
        assert codes(link * 150, rules=LinkRules(rules=[Rule(mode="not-tracked")])) == []


def test_a_missing_text_part() -> None:
    assert codes(LINK, text=None) == ["missing-text-part"]
    assert codes(text="x") == []


def test_an_address_as_the_delivery_id() -> None:
    assert codes(LINK, delivery_id="ann@a.example") == ["address-as-id"]


def test_the_page_lists_what_there_is(root: Path) -> None:
    """The page of reasons and findings is closed, and says what the code says."""
    page = (root / "docs" / "reference" / "link-decisions.md").read_text(encoding="utf-8")
    reasons, _, findings = page.partition("## Findings")
    assert re.findall(r"^\| `([a-z-]+)` \|", reasons, re.MULTILINE) == [reason.value for reason in LinkReason]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z]+) \| (.+) \|$", findings, re.MULTILINE)
    assert [(code, (severity, meaning)) for code, severity, meaning in rows] == list(FINDINGS.items())
