"""The texts of our own pages: given in any language, chosen for the reader, and never trusted."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.model import Resolution
from msgtrack.redirect import Outcome, PageTexts, RedirectHandler, Request

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
OPT_OUT = TRACKER.opt_out_url(delivery_id="26", message_id="7")
ENGLISH = PageTexts()
FRENCH = PageTexts(language="fr", ask_title="Se désabonner", ask_button="Oui & non", nowhere_title="Page introuvable")
BRAZILIAN = PageTexts(language="pt-BR", ask_title="Cancelar")
ARABIC = PageTexts(language="ar", direction="rtl", ask_title="إلغاء الاشتراك")
ALL = (ENGLISH, FRENCH, BRAZILIAN, ARABIC)


def ask(url: str, handler: RedirectHandler, method: str = "GET", accept: str | None = None) -> Outcome:
    headers = [] if accept is None else [("Accept-Language", accept)]
    return handler.handle(Request(method=method, url=url, headers=headers, received_at=AT))


def title(outcome: Outcome) -> str:
    (found,) = re.findall(r"<h1>(.*?)</h1>", outcome.response.body.decode())
    return str(found)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ENGLISH),
        ("", ENGLISH),
        ("fr", FRENCH),
        ("FR-ca", FRENCH),
        ("de, fr;q=0.3, en;q=0.2", FRENCH),
        ("en;q=0.2, fr;q=0.3", FRENCH),
        ("fr;q=0, en", ENGLISH),
        ("pt-BR", BRAZILIAN),
        ("pt", ENGLISH),
        ("de-DE, *;q=0.1, fr;q=0.05", ENGLISH),
        ("ar", ARABIC),
        ("fr;q=7, ar", ARABIC),
        ("fr;q=x", ENGLISH),
        (",;,=;q=,\x00, fr", FRENCH),
        ("x" * 2_000 + ", fr", ENGLISH),
    ],
)
def test_a_reader_gets_the_language_that_the_browser_likes_best(accept: str | None, expected: PageTexts) -> None:
    """R29."""
    outcome = ask(OPT_OUT, RedirectHandler(TRACKER, texts=ALL), accept=accept)
    assert title(outcome) == expected.ask_title
    start = f'<html lang="{expected.language}" dir="{expected.direction}">'
    assert start in outcome.response.body.decode()


def test_the_language_of_the_message_wins() -> None:
    """R29."""
    wanted: dict[str, Any] = {"26": "fr-FR", "27": None, "28": "xx"}

    def language(said: Resolution) -> str | None:
        return wanted[said.delivery_id or ""]

    handler = RedirectHandler(TRACKER, texts=ALL, language=language)
    assert title(ask(OPT_OUT, handler, accept="ar")) == FRENCH.ask_title
    for delivery_id in ("27", "28"):
        url = TRACKER.opt_out_url(delivery_id=delivery_id, message_id="7")
        assert title(ask(url, handler, accept="ar")) == ARABIC.ask_title
    # Nobody knows the delivery of a damaged link: the function is not asked.
    assert title(ask(OPT_OUT[:-1] + "!", handler, accept="fr")) == FRENCH.ask_title


@pytest.mark.parametrize("said", [5, b"fr"])
def test_a_language_that_is_none_is_told(said: object) -> None:
    """R24, R26, R29."""
    handler = RedirectHandler(TRACKER, texts=ALL, language=lambda _: said)  # type: ignore[arg-type, return-value]
    outcome = ask(OPT_OUT, handler, accept="fr")
    assert title(outcome) == FRENCH.ask_title
    assert [str(one) for one in outcome.failures] == ["language: InvalidValue"]


class Text(HTMLParser):
    """Everything that a page shows, and every tag and attribute that it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


HOSTILE = "</title><script>alert(1)</script>\"' onload=x &lt;{title}%s{0}"
EXPIRED = re.findall(
    r'href="([^"]+)"',
    TRACKER.compile(
        html='<a href="https://a.example/">x</a>', delivery_id="26", expires_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    .render(message_id="7")
    .html
    or "",
)[0]


@pytest.mark.parametrize(
    ("url", "method", "kind"),
    [
        (OPT_OUT, "GET", "ask"),
        (OPT_OUT, "POST", "done"),
        (OPT_OUT[:-1] + "!", "POST", "lost"),
        ("/nowhere/at-all", "GET", "nowhere"),
        (EXPIRED, "GET", "expired"),
        (EXPIRED, "PUT", "method"),
        (TRACKER.mirror_url(delivery_id="26", message_id="7"), "GET", "later"),
    ],
)
def test_texts_are_shown_as_text(url: str, method: str, kind: str) -> None:
    """R11, R26, R29."""
    names = [field.name for field in attrs.fields(PageTexts) if field.name not in ("language", "direction")]
    hostile = PageTexts(**{name: f"{name}{HOSTILE}" for name in names})

    def fails(_: Resolution) -> str:
        raise ValueError

    page = ask(url, RedirectHandler(TRACKER, texts=hostile, mirror=fails), method).response.body.decode()
    plain = ask(url, RedirectHandler(TRACKER, mirror=fails), method).response.body.decode()
    shown, expected = Text(page), Text(plain)
    assert shown.tags == expected.tags
    assert f"{kind}_title{HOSTILE}" in shown.text
    assert f"{kind}_text{HOSTILE}" in shown.text


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_and_any_header_make_a_page(text: str, accept: str) -> None:
    """R1, R29."""
    texts = [PageTexts(ask_title=text, ask_text=text, ask_button=text), FRENCH]
    outcome = ask(OPT_OUT, RedirectHandler(TRACKER, texts=texts), accept=accept)
    assert outcome.response.status == 200
    assert not outcome.failures


@pytest.mark.parametrize("language", ["", "e", "en_US", 'en" onload="x', "en-", "x" * 9])
def test_a_language_is_a_tag(language: str) -> None:
    """R29."""
    with pytest.raises(InvalidOption, match="language"):
        PageTexts(language=language)


def test_texts_are_checked() -> None:
    """R1, R29."""
    with pytest.raises(InvalidOption, match="direction"):
        PageTexts(direction="up")
    for texts, complaint in (
        ((), "one language"),
        ((FRENCH, PageTexts(language="FR")), "twice"),
        (("fr",), "PageTexts"),
    ):
        with pytest.raises(InvalidValue, match=complaint):
            RedirectHandler(TRACKER, texts=texts)  # type: ignore[arg-type]
