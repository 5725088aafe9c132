"""Laws of personalised links: whatever the values, the link leads where it should, encoded once, and nothing else changes."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.errors import MsgtrackError, NotOurs
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.testing.gateways import DAMAGES

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"link_style": "registered"},
    {"conceal_ids": True},
    {"link_style": "registered", "conceal_ids": True},
    {"link_style": "registered", "url_format": "campaign"},
)
TAGS = {
    "campaign": "<%= escapeUrl({}) %>",
    "jinja": "{{{{ {} }}}}",
    "django": "{{{{ {} }}}}",
    "liquid": "{{{{ {} }}}}",
    "handlebars": "{{{{{}}}}}",
    "merge": "*|{}|*",
    "percent": "%{}%",
}
ways = st.sampled_from(WAYS)
syntaxes = st.sampled_from(sorted(TAGS))
# Every plane is as likely as the first, and so are the characters that mean something somewhere.
PLANES = st.integers(0, 16).flatmap(
    lambda plane: st.characters(
        min_codepoint=plane << 16, max_codepoint=(plane << 16) + 0xFFFF, exclude_categories=("Cc", "Cs")
    )
)
LOUD = st.sampled_from(
    [*"\"'<>&=%?#/\\;:@ .-+,~`|^{}[]()*$!_", "%2F", "&amp;", "{{ a }}", "<%= b %>", "*|C|*", "%d%", ".-", "&s=", "p1="]
)
values = st.lists(st.one_of(PLANES, LOUD, st.characters(exclude_categories=("Cc", "Cs"))), max_size=12).map("".join)
PLACES = (
    "https://shop.example/a{}",
    "https://shop.example/?x={}",
    "https://shop.example/b-{}/c?y=1",
    "https://shop.example/#z{}",
)
links = st.lists(st.sampled_from(PLACES), min_size=1, max_size=4)


def made(way: dict[str, Any], syntax: str, hrefs: list[str], text: str = "") -> tuple[Tracker, CompiledMessage, str]:
    """A message of these links; the placeholder of the n-th is ``n<n>``."""
    tracker = Tracker("https://t.example.com", KEYS, MemoryRegistry(), **way)
    tagged = [href.format(TAGS[syntax].format(f"n{place}")) for place, href in enumerate(hrefs)]
    html = f"<p>{text}\r\n" + "\n".join(f'<a class=c href="{href}">{text}</a>' for href in tagged)
    compiled = tracker.compile(html=html, text=" \n".join(tagged), delivery_id=4711, syntax=syntax)
    tracker.registry.publish(compiled)  # type: ignore[union-attr]
    return tracker, compiled, html


@given(ways, syntaxes, links, st.lists(values, min_size=4, max_size=4))
@example(WAYS[4], "jinja", ["https://shop.example/?x={}"], ["&s=" + "0" * 40, "", "", ""])
def test_each_value_arrives_encoded_once(way: dict[str, Any], syntax: str, hrefs: list[str], texts: list[str]) -> None:
    tracker, compiled, html = made(way, syntax, hrefs)
    given_values = {f"n{place}": text for place, text in enumerate(texts)}
    rendered = compiled.render(message_id=7, values=given_values)
    assert rendered.html is not None
    assert rendered.text is not None
    expected = [href.format(quote(text, safe="")) for href, text in zip(hrefs, texts, strict=False)]
    for urls in (re.findall(r'href="([^"]*)"', rendered.html), rendered.text.split()):
        said = [tracker.resolve(unescape(url)) for url in urls]
        assert [(one.message_id, one.repairs) for one in said] == [("7", ())] * len(expected)
        assert [one.destination for one in said] == expected
    for href, text, whole in zip(hrefs, texts, expected, strict=False):
        # Read as a server would, it is the value, and the rest of the address is as it was.
        before, _, after = href.partition("{}")
        assert whole.startswith(before)
        assert whole.endswith(after)
        assert unquote(whole[len(before) : len(whole) - len(after)]) == text
        assert urlsplit(whole).netloc == "shop.example"
    assert compiled.restore(rendered.html) == html
    loaded = tracker.load(compiled.to_bytes())
    assert loaded.render(message_id=7, values=given_values) == rendered


@given(ways, st.text(st.characters(exclude_categories=("Cs",)), max_size=40), values, values)
def test_restore_tells_ours_from_others(way: dict[str, Any], text: str, first: str, second: str) -> None:
    text = escape(text).replace("{", "")
    _, compiled, html = made(way, "jinja", [PLACES[1]], text)
    assert compiled.restore(compiled.render(message_id=7, values={"n0": first}).html or "") == html
    if first == second:
        return
    one, other = (compiled.render(message_id=7, values={"n0": each}).html or "" for each in (first, second))
    urls = [re.search(r'href="([^"]*)"', each) for each in (one, other)]
    assert urls[0] is not None
    assert urls[1] is not None
    assert urls[0][1] != urls[1][1]
    # The values of one under the signature of the other.
    spliced = urls[0][1][:-16] + urls[1][1][-16:]
    with pytest.raises(NotOurs):
        compiled.restore(one.replace(urls[0][1], spliced))


@given(ways, values, st.data())
def test_changes_never_give_other_values(way: dict[str, Any], value: str, data: st.DataObject) -> None:
    tracker, compiled, _ = made(way, "jinja", [PLACES[1]])
    html = compiled.render(message_id=7, values={"n0": value}).html or ""
    url = unescape(html.split('href="')[1].split('"')[0])
    honest = tracker.resolve(url).destination
    start = data.draw(st.integers(len("https://t.example.com/"), len(url)))
    end = data.draw(st.integers(start, min(len(url), start + 30)))
    put = data.draw(st.one_of(st.text(max_size=6), st.text("0123456789abcdefghjkmnpqrstvwxyz-.&=%", max_size=30)))
    said = tracker.resolve(url[:start] + put + url[end:])
    if said.message_id is not None:
        assert (said.message_id, said.destination) == ("7", honest)
    assert said.destination in (honest, "https://shop.example/?x=", None)


@given(st.sampled_from(WAYS[:4]), values, st.sampled_from(DAMAGES))
def test_the_compact_format_loses_no_value_to_damage(way: dict[str, Any], value: str, damage: Any) -> None:
    tracker, compiled, _ = made(way, "jinja", [PLACES[1]])
    html = compiled.render(message_id=7, values={"n0": value}).html or ""
    said = tracker.resolve(damage(html.split('href="')[1].split('"')[0]))
    assert (said.message_id, said.destination) == ("7", f"https://shop.example/?x={quote(value, safe='')}")


@given(values, st.sampled_from(DAMAGES))
def test_the_campaign_format_always_redirects(value: str, damage: Any) -> None:
    tracker, compiled, _ = made(WAYS[4], "jinja", [PLACES[1]])
    html = compiled.render(message_id=7, values={"n0": value}).html or ""
    said = tracker.resolve(damage(html.split('href="')[1].split('"')[0]))
    assert said.destination in (f"https://shop.example/?x={quote(value, safe='')}", "https://shop.example/?x=")
    assert said.message_id is None or said.destination == f"https://shop.example/?x={quote(value, safe='')}"


KINDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)


@given(syntaxes, st.one_of(KINDS, st.dictionaries(st.sampled_from(["n0", "n1", "x"]), KINDS)))
def test_values_of_any_kind_give_text_or_an_error_of_ours(syntax: str, given_value: object) -> None:
    tracker, compiled, html = made({}, syntax, [PLACES[0]])
    assume(given_value != {})
    options = given_value if isinstance(given_value, dict) else {"n0": given_value}
    try:
        rendered = compiled.render(message_id=7, values=options)
    except MsgtrackError as error:
        said = str(error)
    else:
        said = "n0"
        assert compiled.restore(rendered.html or "") == html
        assert tracker.resolve((rendered.text or "").strip()).message_id == "7"
    assert "n0" in said
