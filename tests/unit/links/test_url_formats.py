"""The compact format and the repairs: what gateways do to a link is undone, whatever else is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack._options import base_of
from msgtrack.errors import InvalidId, InvalidOption
from msgtrack.links.formats import CompactFormat, ParsedUrl
from msgtrack.links.repair import canonical_path

BASE = "https://t.example.com"
LINK, MESSAGE = "10c2-.edr74tbecw-3f0q66vvd5", "100fzzzz-zzzzzzzz267behkc0j2nfrgw"
URL = f"{BASE}/{LINK}/{MESSAGE}"

DAMAGE = {
    "upper case": URL.upper(),
    "double percent-encoding": URL.replace("-", "%252D"),
    "encoded slash": f"{BASE}/{LINK}%2F{MESSAGE}",
    "trailing bracket": URL + ")",
    "trailing angle bracket": URL + ">",
    "trailing dot": URL + ".",
    "trailing semicolon": URL + ";",
    "trailing quote": URL + '"',
    "appended parameters": URL + "?utm_source=gateway",
    "appended entity": URL + "&amp;x=1",
    "appended fragment": URL + "#top",
    "white space around": f"  {URL}\n",
    "a line break inside": URL[:40] + "\r\n" + URL[40:],
    "a quoted-printable soft break": URL[:40] + "=\r\n" + URL[40:],
    "a space inside": URL[:40] + " " + URL[40:],
    "doubled slashes": f"{BASE}//{LINK}//{MESSAGE}",
    "encoded white space": URL[:40] + "%20" + URL[40:],
}


@pytest.mark.parametrize("url", DAMAGE.values(), ids=DAMAGE.keys())
def test_known_damage_is_undone_and_named(url: str) -> None:
    parsed = CompactFormat(BASE).parse(url)
    assert parsed is not None
    assert (parsed.link, parsed.message) == (LINK, MESSAGE)
    assert parsed.repairs


@pytest.mark.parametrize("url", [URL, f"/{LINK}/{MESSAGE}", f"//t.example.com/{LINK}/{MESSAGE}"])
def test_an_undamaged_url_is_read_as_it_is(url: str) -> None:
    parsed = CompactFormat(BASE).parse(url)
    if url.startswith("//t."):
        # A path that looks like a host is a path: a server sees no more than that.
        assert parsed is None
    else:
        assert parsed is not None
        assert (parsed.link, parsed.message, parsed.repairs) == (LINK, MESSAGE, ())


@pytest.mark.parametrize("base", ["https://example.com/t", "https://example.com/t/", "https://example.com/News/T"])
def test_a_base_with_a_path_is_taken_off_or_missed(base: str) -> None:
    url_format = CompactFormat(base)
    before, after = url_format.prepare(LINK)
    assert before == f"{base.rstrip('/')}/{LINK}/"
    assert after == ""
    for url in (before + MESSAGE, f"/{LINK}/{MESSAGE}", (before + MESSAGE).upper()):
        parsed = url_format.parse(url)
        assert parsed is not None
        assert (parsed.link, parsed.message) == (LINK, MESSAGE)


def test_a_link_part_alone_is_a_link_without_identity() -> None:
    parsed = CompactFormat(BASE).parse(f"{BASE}/{LINK}/")
    assert parsed is not None
    assert (parsed.link, parsed.message) == (LINK, "")


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    path, repairs = canonical_path(text)
    assert isinstance(path, str)
    assert len(set(repairs)) == len(repairs)
    CompactFormat(BASE).parse(text)


@given(st.text(max_size=200))
def test_repairing_twice_changes_nothing_more(text: str) -> None:
    once, _ = canonical_path("/" + text)
    if once and once.isascii() and once.startswith("/") and "%" not in once:
        assert canonical_path(once)[0] == once.rstrip()


def test_a_very_long_url_is_cut_not_refused() -> None:
    assert len(canonical_path("/" + "a" * 1_000_000)[0]) <= 16_384


@pytest.mark.parametrize(
    "base_url",
    ["", "t.example.com", "ftp://t.example.com", "https://", "https://t.example.com/?x=1", "https://t.example.com/#a",
     "https://user@t.example.com", 'https://t.example.com/"', "https://t.example.com/a b", "https://bücher.example", "https://[x", None],
)  # fmt: skip
def test_unfit_base_urls_are_refused(base_url: str) -> None:
    with pytest.raises(InvalidOption, match="base_url"):
        base_of(base_url)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://t.example.com", "https://t.example.com/"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
        ("http://[::1]:80/a", "http://[::1]:80/a/"),
    ],
)
def test_fit_base_urls_end_in_one_slash(base_url: str, expected: str) -> None:
    assert base_of(base_url) == expected


# Formats of others


class Signed:
    """Three texts for a link, two for a message part."""

    def prepare(self, link: str) -> tuple[str, ...]:
        raise NotImplementedError

    def prepare_link(self, link: object, part: str) -> tuple[str, ...]:
        return f"{BASE}/{part}/", "/s/", ""

    def spread(self, message: str) -> tuple[str, ...]:
        if len(message) > 60:
            raise InvalidId("too long for us")
        return message[:-16], message[-16:]

    def parse(self, url: str) -> ParsedUrl | None:
        parts = url.removeprefix(BASE).split("/")
        return ParsedUrl(link=parts[1], message=parts[2] + parts[4]) if len(parts) == 5 else None


KEYS = Keyring.from_secrets("k" * 32)
HTML = '<a href="https://a.example/">A</a><a href="https://b.example/">B</a>'


@pytest.mark.parametrize("conceal", [False, True])
def test_a_format_may_spread_the_message_part(conceal: bool) -> None:
    tracker = Tracker(BASE, KEYS, url_format=Signed(), conceal_ids=conceal)
    compiled = tracker.compile(html=HTML, text="(https://c.example/)", delivery_id="spring")
    for message_id in ("7", "a@b.example"):
        rendered = compiled.render(message_id=message_id)
        urls = [piece.split('"')[0] for piece in (rendered.html or "").split('"')[1::2] if piece.startswith(BASE)]
        assert len(urls) == 3
        assert {tracker.resolve(url).message_id for url in urls} == {message_id}
        assert [compiled.restore(text or "") for text in (rendered.html, rendered.text)] == [
            HTML,
            "(https://c.example/)",
        ]
    assert tracker.load(compiled.to_bytes()).render(message_id="7") == compiled.render(message_id="7")
    with pytest.raises(InvalidId, match="too long for us"):
        compiled.render(message_id="x" * 40)


@pytest.mark.parametrize("texts", [(), ("one",), (b"a", b"b"), (1, 2)])
def test_a_format_that_gives_no_texts_is_refused(texts: tuple[str, ...]) -> None:
    class Broken(Signed):
        def prepare_link(self, link: object, part: str) -> tuple[str, ...]:
            return texts

    with pytest.raises(InvalidOption, match="at least two texts"):
        Tracker(BASE, KEYS, url_format=Broken()).compile(html=HTML, delivery_id="1")


def test_texts_and_gaps_must_come_out_even() -> None:
    class Uneven(Signed):
        def prepare_link(self, link: object, part: str) -> tuple[str, ...]:
            return (BASE, "") if part == "1" else (BASE, "/", "")

    class Short(Signed):
        def spread(self, message: str) -> tuple[str, ...]:
            return (message,)

    with pytest.raises(InvalidOption, match="as many texts"):
        Tracker(BASE, KEYS, url_format=Uneven()).compile(html=HTML, delivery_id="1")
    with pytest.raises(InvalidOption, match="2 gaps"):
        Tracker(BASE, KEYS, url_format=Short()).compile(html=HTML, delivery_id="1").render(message_id="1")
