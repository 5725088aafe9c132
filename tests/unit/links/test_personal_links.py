"""Personalised links: every syntax, style, format and part; one tracked link each, values encoded once, errors of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.errors import (
    CompileError,
    InvalidValue,
    MissingValue,
    MsgtrackError,
    NotOurs,
    RenderError,
)
from msgtrack.links import CompiledMessage, MemoryRegistry, Rule
from msgtrack.links.keyring import SigningKey
from msgtrack.links.syntaxes import Tag, TagKind
from msgtrack.model import LinkType, Part, ResolutionOutcome

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
BASE = "https://t.example.com"
WAYS: dict[str, dict[str, Any]] = {
    "stateless": {},
    "registered": {"link_style": "registered"},
    "stateless, concealed": {"conceal_ids": True},
    "registered, concealed": {"link_style": "registered", "conceal_ids": True},
    "campaign": {"link_style": "registered", "url_format": "campaign"},
}
MANY = ("stateless", "registered", "campaign")


class OwnSyntax:
    """What somebody else may write: ``@@name@@``."""

    name = "own"
    marks = ("@@",)

    def tags(self, source: str) -> Iterator[Tag]:
        for found in re.finditer(r"@@(\w+)@@", source):
            yield Tag(start=found.start(), end=found.end(), kind=TagKind.VALUE, expression=found[1], name=found[1])

    def slot(self, name: str, *, safe: bool = True) -> str:
        return f"@@{name}@@"


# For each syntax: what to pass in, a placeholder as it is, one that asks for URL encoding, and the name of both.
SYNTAXES: dict[str, tuple[Any, str, str, str]] = {
    "campaign": (
        "campaign",
        "<%= recipient.lastName %>",
        "<%=escapeUrl(recipient.lastName)%>",
        "recipient.lastName",
    ),
    "jinja": ("jinja", "{{ user.name }}", "{{ user.name|urlencode }}", "user.name"),
    "django": ("django", "{{ user.name }}", '{{ user.name|urlencode:"" }}', "user.name"),
    "liquid": ("liquid", "{{ user.name }}", "{{ user.name | url_encode }}", "user.name"),
    "handlebars": ("handlebars", "{{user.name}}", "{{encodeURIComponent user.name}}", "user.name"),
    "merge": ("merge", "*|FNAME|*", "*|FNAME|*", "FNAME"),
    "percent": ("percent", "%NAME%", "%%NAME%%", "NAME"),
    "own": (OwnSyntax(), "@@name@@", "@@name@@", "name"),
}
VALUE = "Zoë & Co/?#=+%2F"
ENCODED = "Zo%C3%AB%20%26%20Co%2F%3F%23%3D%2B%252F"

every_way = pytest.mark.parametrize("way", WAYS)
many_ways = pytest.mark.parametrize("way", MANY)
every_syntax = pytest.mark.parametrize("syntax", SYNTAXES)


def tracker_of(way: str, base: str = BASE) -> Tracker:
    return Tracker(base, KEYS, registry=MemoryRegistry(), **WAYS[way])


def compiled_by(tracker: Tracker, **options: Any) -> CompiledMessage:
    compiled = tracker.compile(**{"delivery_id": 4711, **options})
    if tracker.registry is not None and tracker.link_style == "registered":
        tracker.registry.publish(compiled)  # type: ignore[attr-defined]
    return compiled


def hrefs(html: str | None) -> list[str]:
    return [unescape(url) for url in re.findall(r'href="([^"]*)"', html or "")]


def destinations(tracker: Tracker, html: str | None) -> list[str | None]:
    said = [tracker.resolve(url) for url in hrefs(html)]
    assert all((one.outcome, one.message_id, one.repairs) == (ResolutionOutcome.VALID, "7", ()) for one in said), said
    return [one.destination for one in said]


def led_to(
    href: str, values: dict[str, object], *, syntax: Any = "jinja", way: str = "stateless", **options: Any
) -> str:
    """Where one link leads for one recipient."""
    tracker = tracker_of(way)
    compiled = compiled_by(tracker, html=f'<a href="{href}">x</a>', syntax=syntax, **options)
    (found,) = destinations(tracker, compiled.render(message_id=7, values=values).html)
    assert found is not None
    return found


@every_syntax
@every_way
def test_one_tracked_link_each_in_html_and_text(way: str, syntax: str) -> None:
    notation, plain, encoded, name = SYNTAXES[syntax]
    tracker = tracker_of(way)
    html = f'<p>Hi\n<a href="https://shop.example/?a={plain}&amp;b={encoded}">1</a> <a href="https://plain.example/">2</a></p>'
    text = f"Hi, see https://shop.example/{plain}/x?a=1 and (https://shop.example/?b={encoded})."
    compiled = compiled_by(tracker, html=html, text=text, syntax=notation)
    assert [(link.id, link.part) for link in compiled.links] == [
        ("2", Part.HTML), ("3", Part.HTML), ("4", Part.TEXT), ("5", Part.TEXT),
    ]  # fmt: skip
    assert {placeholder.name for placeholder in compiled.placeholders} == {name}
    assert [(one.part, one.line) for one in compiled.placeholders] == [(Part.HTML, 2)] * 2 + [(Part.TEXT, 1)] * 2
    assert compiled.placeholders[0].column == html.split("\n")[1].index(plain) + 1
    assert compiled.placeholders[3].column == text.rindex(encoded) + 1
    rendered = compiled.render(message_id=7, values={name: VALUE})
    assert destinations(tracker, rendered.html) == [
        f"https://shop.example/?a={ENCODED}&b={ENCODED}", "https://plain.example/",
    ]  # fmt: skip
    urls = re.findall(r"https://t\.example\.com/[^ )]+", rendered.text or "")
    assert [tracker.resolve(url).destination for url in urls] == [
        f"https://shop.example/{ENCODED}/x?a=1", f"https://shop.example/?b={ENCODED}",
    ]  # fmt: skip
    assert compiled.restore(rendered.html or "") == html
    assert compiled.restore(rendered.text or "") == text


@every_syntax
@many_ways
def test_the_document_outside_of_edits_is_the_authors(way: str, syntax: str) -> None:
    notation, plain, encoded, name = SYNTAXES[syntax]
    html = f'<body title="{plain}">\r\n{plain} &amp; <a class=x href=" https://shop.example/?n={encoded} ">{plain}</a>\r\n</body>'
    compiled = compiled_by(tracker_of(way), html=html, syntax=notation)
    rendered = compiled.render(message_id=7, values={name: "a"}).html or ""
    start, end = rendered.index(BASE), rendered.index(">", rendered.index(BASE))
    assert rendered[:start].rstrip() == html[: html.index("https:")].rstrip()
    behind = rendered[end:]
    pixel = re.search(r"<img src=[^>]*>", behind)
    assert pixel is not None
    assert behind[: pixel.start()] + behind[pixel.end() :] == html[html.index(f'">{plain}</a>') + 1 :]
    assert compiled.restore(rendered) == html


@every_way
def test_restore_knows_its_own_and_nothing_else(way: str) -> None:
    tracker = tracker_of(way)
    html = '<a href="https://shop.example/{{ a }}">1</a><a href="https://shop.example/?b={{ b }}&c={{ c }}">2</a>'
    compiled = compiled_by(tracker, html=html, text="https://shop.example/{{ a }}", syntax="jinja")
    one = compiled.render(message_id=7, values={"a": "red", "b": "blue", "c": ""})
    other = compiled.render(message_id=7, values={"a": "red", "b": "green", "c": ""})
    stranger = compiled.render(message_id=8, values={"a": "red", "b": "blue", "c": ""})
    assert one.html is not None
    assert other.html is not None
    assert stranger.html is not None
    for each in (one, other, stranger):
        assert compiled.restore(each.html or "") == html
    first, second = hrefs(one.html)
    links = [hrefs(each.html) for each in (other, stranger)]
    changed = [
        one.html.replace(second, links[1][1]),
        one.html.replace(first, links[1][0]),
        one.html.replace(first, second),
        one.html.replace(first, first.replace("s", "z", 1)),
        one.html.replace(first, first.upper()),
        one.html + " ",
        one.html.replace(second, first + second),
        one.html.replace(first, first.rpartition(".-")[0] or first.replace("p1=red&", "")),
        one.html.replace(first, "https://evil.example/"),
        one.html.replace(first, ""),
    ]
    for text in changed:
        assert text != one.html
        with pytest.raises(NotOurs):
            compiled.restore(text)
    # Values of another rendering of the same message are values that we signed for it.
    assert compiled.restore(one.html.replace(second, links[0][1])) == html


@every_way
def test_to_bytes_and_load(way: str) -> None:
    tracker = tracker_of(way)
    html = '<a href="https://shop.example/{{ a.b }}?x={{ c }}">1</a>{{ d }}'
    compiled = compiled_by(tracker, html=html, text="https://shop.example/{{ c }}.", syntax="jinja")
    values = {"a": {"b": "ü"}, "c": 1}
    loaded = tracker.load(compiled.to_bytes())
    assert loaded.render(message_id=7, values=values) == compiled.render(message_id=7, values=values)
    assert loaded.placeholders == compiled.placeholders
    assert loaded.links == compiled.links
    assert loaded.restore(compiled.render(message_id=7, values=values).html or "") == html
    assert loaded.to_bytes() == compiled.to_bytes()
    assert loaded.source("jinja") == compiled.source("jinja")
    assert loaded.slots(message_id=7, values=values) == compiled.slots(message_id=7, values=values)
    keyless = CompiledMessage.from_bytes(compiled.to_bytes())
    for call in (
        lambda: keyless.render(message_id=7, values=values),
        lambda: keyless.source("jinja"),
        lambda: keyless.slots(message_id=7, values=values),
    ):
        with pytest.raises(RenderError):
            call()


def test_the_references_own_example_letter_by_letter() -> None:
    tracker = tracker_of("campaign", "http://emailing.customer.com")
    html = '<a href="http://www.customer.com/?name=<%=escapeUrl(recipient.lastName)%>">Hello</a>'
    compiled = compiled_by(tracker, html=html, delivery_id=0x71FFA3, syntax="campaign")
    rendered = compiled.render(message_id=0x617791, values={"recipient": {"lastName": "CustomerName"}})
    (url,) = hrefs(rendered.html)
    shown, _, signature = url.partition("&s=")
    assert shown == "http://emailing.customer.com/r/?id=h617791,71ffa3,2&p1=CustomerName"
    assert re.fullmatch(r"[0-9a-z]{8}[0-9a-z]{3}[0-9a-z]{16}[0-9a-z]{16}", signature)
    said = tracker.resolve(url)
    assert (said.destination, said.message_id, said.delivery_id, said.link_id) == (
        "http://www.customer.com/?name=CustomerName", str(0x617791), str(0x71FFA3), "2",
    )  # fmt: skip


# What each value may try: to end the attribute, the URL, the header or the line, to add a parameter, a segment, a fragment.
ATTACKS = (
    '"><script>alert(1)</script>', "' onmouseover='x", "`x`", "a b", "&admin=1", "#top", "/../..", "//evil.example/", "\\\\evil.example",
    "@evil.example", ":80", "%00", "%2e%2e", "%", "%4", "?x=1", ";x=1", "=3D", "&amp;", "&quot;", "&#34;", "{{ a }}", "<%= b %>", "%NAME%",
    "*|X|*", "[a](b)", ")", "].", "<", ">", "...", "https://evil.example/", "javascript:alert(1)", "p1=x&s=y", "&s=00000000", ".-", "--",
    "\u202eevil", "\u200b", "\u2028", "\u00a0", "\ufeff", "\u00ad", "\ufdd0", "\uffff", "\U0010ffff", "\ue000", "é", "e\u0301", "İı\u212a",
)  # fmt: skip


@every_way
def test_values_stay_values_whatever_they_try(way: str) -> None:
    tracker = tracker_of(way)
    html = '<a href="https://shop.example/p/{{ a }}/q?x={{ a }}&amp;y=1#{{ a }}">x</a>'
    compiled = compiled_by(tracker, html=html, text="https://shop.example/?q={{ a }}&r=1 end", syntax="jinja")
    quoted: Callable[[str], str] = lambda value: "".join(  # noqa: E731
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "_.-~") else f"%{byte:02X}"
        for byte in value.encode()
    )
    plain = compiled.render(message_id=7, values={"a": "x"})
    shape = [re.sub(r'href="[^"]*"', "", plain.html or ""), (plain.text or "").count(" ")]
    for attack in ATTACKS:
        rendered = compiled.render(message_id=7, values={"a": attack}, unsubscribe="https://shop.example/u")
        html_, text = rendered.html or "", rendered.text or ""
        assert [re.sub(r'href="[^"]*"', "", html_), text.count(" ")] == shape
        for url in (*re.findall(r'href="([^"]*)"', html_), text.split(" ")[0]):
            assert re.fullmatch(r"[A-Za-z0-9:/?=&,.%_~-]+", url), url
        expected = quoted(attack)
        assert destinations(tracker, html_) == [f"https://shop.example/p/{expected}/q?x={expected}&y=1#{expected}"]
        assert tracker.resolve(text.split(" ")[0]).destination == f"https://shop.example/?q={expected}&r=1"
        assert all("\n" not in value and attack not in value for value in rendered.headers.values() if len(attack) > 2)
        assert compiled.restore(html_) == html


@many_ways
@pytest.mark.parametrize("value", [".", ".."])
def test_values_of_dots_alone_take_no_step(way: str, value: str) -> None:
    tracker = tracker_of(way)
    compiled = compiled_by(tracker, html='<a href="https://shop.example/a/{{ a }}/b">x</a>', syntax="jinja")
    with pytest.raises(InvalidValue, match="step"):
        compiled.render(message_id=7, values={"a": value})
    assert led_to("https://shop.example/?a={{ a }}", {"a": value}, way=way) == f"https://shop.example/?a={value}"
    assert led_to("https://shop.example/v{{ a }}", {"a": value}, way=way) == f"https://shop.example/v{value}"
    with pytest.raises(InvalidValue, match="step"):
        led_to("https://shop.example/{{ a }}{{ b }}", {"a": "", "b": value}, way=way)
    with pytest.raises(CompileError) as raised:
        led_to("https://shop.example/.{{ a }}/x", {"a": "well-known"}, way=way)
    assert raised.value.code == "personalized-step"


@every_way
def test_long_empty_and_numeric_values(way: str) -> None:
    for value, expected in (
        ("", ""), ("x" * 2_000, "x" * 2_000), ("é" * 2_000, "%C3%A9" * 2_000), (0, "0"), (-12, "-12"), (1.5, "1.5"), ("0", "0"),
        ("None", "None"), ("\U0001f600" * 1_000, "%F0%9F%98%80" * 1_000),
    ):  # fmt: skip
        assert (
            led_to("https://shop.example/?a={{ a }}&b=1", {"a": value}, way=way)
            == f"https://shop.example/?a={expected}&b=1"
        )
    assert (
        led_to("https://shop.example/?a={{ a }}{{ b }}{{ c }}", {"a": "", "b": "", "c": ""}, way=way)
        == "https://shop.example/?a="
    )


@every_way
def test_a_url_that_nobody_could_read_back_is_an_error_not_a_dead_link(way: str) -> None:
    with pytest.raises(InvalidValue, match=r"of a, b a link has .* 16384 are read back"):
        led_to(
            "https://shop.example/?a={{ a }}&b={{ b }}", {"a": "\U0001f600" * 2_000, "b": "\U0001f600" * 2_000}, way=way
        )


BAD = {
    "None": (None, MissingValue),
    "True": (True, InvalidValue),
    "bytes": (b"x", InvalidValue),
    "list": (["x"], InvalidValue),
    "mapping": ({"x": 1}, InvalidValue),
    "nan": (float("nan"), InvalidValue),
    "line feed": ("a\nb", InvalidValue),
    "carriage return": ("a\rBcc: x@y.example", InvalidValue),
    "nul": ("\0", InvalidValue),
    "delete": ("\x7f", InvalidValue),
    "next line": ("\x85", InvalidValue),
    "surrogate": ("\ud800", InvalidValue),
    "long": ("x" * 2_001, InvalidValue),
    "long number": (10**2_001, InvalidValue),
    "object": (object(), InvalidValue),
}


@every_syntax
@pytest.mark.parametrize("bad", BAD)
def test_bad_values_are_errors_that_name_the_placeholder(syntax: str, bad: str) -> None:
    value, kind = BAD[bad]
    notation, plain, _, name = SYNTAXES[syntax]
    compiled = compiled_by(
        tracker_of("stateless"), html=f'<a href="https://a.example/?n={plain}">x</a>', syntax=notation
    )
    if syntax == "campaign" and bad == "True":
        # An expression writes it as the instructions do, and as the scripts of the reference would.
        (url,) = re.findall('href="([^"]*)"', compiled.render(message_id=7, values={name: value}).html or "")
        assert tracker_of("stateless").resolve(url).destination == "https://a.example/?n=true"
        return
    for values in ({name: value}, *([_nested(name, value)] if "." in name else [])):
        with pytest.raises(MsgtrackError) as raised:
            compiled.render(message_id=7, values=values)
        assert name in str(raised.value)
        if syntax != "campaign":
            assert isinstance(raised.value, kind)
        with pytest.raises(MsgtrackError, match=re.escape(name)):
            compiled.slots(message_id=7, values=values)


def _nested(name: str, value: object) -> dict[str, object]:
    first, _, rest = name.partition(".")
    return {first: {rest: value}}


@every_syntax
def test_missing_values_are_errors_that_name_the_placeholder(syntax: str) -> None:
    notation, plain, _, name = SYNTAXES[syntax]
    compiled = compiled_by(
        tracker_of("stateless"), html=f'<a href="https://a.example/?n={plain}">x</a>', syntax=notation
    )
    for values in (
        None,
        {},
        {"other": 1},
        {name.lower() + "x": 1},
        {name.partition(".")[0]: "no mapping"} if "." in name else {},
    ):
        with pytest.raises(MissingValue, match=re.escape(name)):
            compiled.render(message_id=7, values=values)
    assert compiled.render(message_id=7, values={name: "a", "more": object()}).html
    if "." in name:
        assert compiled.render(message_id=7, values=_nested(name, "a")) == compiled.render(
            message_id=7, values={name: "a"}
        )


def test_a_whole_name_goes_before_a_nested_one() -> None:
    assert led_to("https://a.example/?{{ u.n }}", {"u.n": "whole", "u": {"n": "nested"}}) == "https://a.example/?whole"
    assert led_to("https://a.example/?{{ u.n.m }}", {"u": {"n": {"m": "deep"}}}) == "https://a.example/?deep"


@pytest.mark.parametrize("rules", [{"utm": {"source": "news", "medium": "e mail"}}], ids=["utm"])
@many_ways
def test_utm_parameters_join_the_placeholders(way: str, rules: dict[str, Any]) -> None:
    for href, expected in (
        ("https://a.example/{{ a }}", "https://a.example/x%26?utm_source=news&utm_medium=e%20mail"),
        (
            "https://a.example/?b={{ a }}#c{{ a }}",
            "https://a.example/?b=x%26&utm_source=news&utm_medium=e%20mail#cx%26",
        ),
        ("https://a.example/?utm_source={{ a }}", "https://a.example/?utm_source=x%26&utm_medium=e%20mail"),
    ):
        found = led_to(href, {"a": "x&"}, way=way, rules=LinkRules(**rules))
        assert found.replace("+", "%20") == expected


def test_rules_match_links_with_placeholders() -> None:
    rules = LinkRules(
        rules=[
            Rule(host="never.example", mode="not-tracked"),
            Rule(glob="*/terms/*", type="other", label="Terms"),
            Rule(host="shop.example", category="shop", label="Shop"),
        ]
    )
    html = "".join(
        f'<a href="{href}">x</a>'
        for href in (
            "https://never.example/{{ a }}",
            "https://a.example/terms/{{ a }}",
            "https://shop.example/?{{ a }}",
        )
    )
    compiled = compiled_by(tracker_of("stateless"), html=html, syntax="jinja", rules=rules)
    assert [(link.label, link.category, link.type) for link in compiled.links] == [
        ("Terms", "", LinkType.OTHER), ("Shop", "shop", LinkType.CLICK),
    ]  # fmt: skip
    assert [one.tracked for one in compiled.decisions] == [False, True, True]
    assert compiled.decisions[0].url == "https://never.example/<%= a %>"
    assert 'href="https://never.example/{{ a }}"' in (compiled.render(message_id=7, values={"a": "b"}).html or "")


@every_way
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_personalised_link_costs_one_more_signature(way: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = tracker_of(way)
    html = '<a href="https://shop.example/">x</a>' + '<a href="https://shop.example/{{ a }}{{ b }}">x</a>' * count
    compiled = compiled_by(tracker, html=html, syntax="jinja", pixel="none")
    made: list[object] = []
    sign = SigningKey.sign

    def counted(key: SigningKey, text: str) -> str:
        made.append(text)
        return sign(key, text)

    monkeypatch.setattr(SigningKey, "sign", counted)
    compiled.render(message_id=7, values={"a": "x", "b": "y"})
    assert len(made) == 1 + count
