"""Every kind of link that mail holds, the whole way: compiled, rendered, resolved, and undone.

Each case names what stands around the links, because that has to come out as it went in.
"""

from __future__ import annotations

import re

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.links import MemoryRegistry
from msgtrack.model import Part

BASE = "https://t.example.com"
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKED_URL = re.compile(re.escape(BASE) + r"/[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]")

TRACKED: dict[str, tuple[str, list[str]]] = {
    "vml roundrect in an mso comment": (
        (
            '<!--[if mso]><v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="https://a.example/vml" arcsize="8%">'
            "<center>Buy</center></v:roundrect><![endif]-->"
        ),
        ["https://a.example/vml"],
    ),
    "a in an mso comment": (
        '<!--[if mso]><table><tr><td><a href="https://a.example/mso">Buy</a></td></tr></table><![endif]-->',
        ["https://a.example/mso"],
    ),
    "a in a nested mso comment": (
        (
            '<!--[if (gte mso 9)|(IE)]><!--[if mso]><a href="https://a.example/1">x</a><![endif]-->'
            '<a href="https://a.example/2">y</a>'
        ),
        ["https://a.example/1", "https://a.example/2"],
    ),
    "a in a revealed block of Microsoft's older kind": (
        '<![if !mso]><a href="https://a.example/shown">Buy</a><![endif]>',
        ["https://a.example/shown"],
    ),
    "a in a revealed block of the newer kind": (
        '<!--[if !mso]><!--><a href="https://a.example/shown">Buy</a><!--<![endif]-->',
        ["https://a.example/shown"],
    ),
    "both branches": (
        (
            '<!--[if mso]><a href="https://a.example/o">o</a><![endif]-->'
            '<!--[if !mso]><!-- --><a href="https://a.example/n">n</a><!-- <![endif]-->'
        ),
        ["https://a.example/o", "https://a.example/n"],
    ),
    "area": (
        '<map name="m"><area shape="rect" coords="0,0,9,9" href="https://a.example/map" alt="Map"></map>',
        ["https://a.example/map"],
    ),
    "single quotes": ("<a href='https://a.example/?q=\"x\"'>x</a>", ['https://a.example/?q="x"']),
    "raw ampersand": ('<a href="https://a.example/?a=1&b=2&copy=3">x</a>', ["https://a.example/?a=1&b=2&copy=3"]),
    "entities": (
        '<a href="https://a.example/?a=1&amp;b=2&#38;c=3&#x26;d=4&ampe=5">x</a>',
        ["https://a.example/?a=1&b=2&c=3&d=4&ampe=5"],
    ),
    "unquoted": ("<a href=https://a.example/x?y=z class=b>x</a>", ["https://a.example/x?y=z"]),
    "upper-case tag and attribute": ('<A CLASS="b" HREF="https://a.example/X">x</A>', ["https://a.example/X"]),
    "spaces around": ('<a href = "  https://a.example/x\n ">x</a>', ["https://a.example/x"]),
    "line break inside": ('<a href="https://a.example/long\r\n/path">x</a>', ["https://a.example/long/path"]),
    "scheme in upper case": ('<a href="HTTPS://A.example/Path">x</a>', ["HTTPS://A.example/Path"]),
    "host without a scheme": ('<a href="//a.example/x">x</a>', ["https://a.example/x"]),
    "base href": (
        '<base href="https://a.example/dir/"><a href="page?x=1">x</a>',
        ["https://a.example/dir/page?x=1"],
    ),
    "international host and path": (
        '<a href="https://bücher.example/straße/日本?ü=ö">x</a>',
        ["https://bücher.example/straße/日本?ü=ö"],
    ),
    "route in the fragment": ('<a href="https://a.example/app#/route?x=1">x</a>', ["https://a.example/app#/route?x=1"]),
    "the same URL twice": (
        '<a href="https://a.example/">x</a><a href="https://a.example/">y</a>',
        ["https://a.example/", "https://a.example/"],
    ),
}

TEMPLATE_TAGS = {
    "braces": "https://a.example/?e={{ recipient.email }}",
    "instructions in braces": 'https://a.example/{% if a > b %}x{% else %}"y"{% endif %}',
    "percent signs": 'https://a.example/?n=<%= escapeUrl("x > y") %>',
    "merge tags": "https://a.example/?e=*|EMAIL|*",
    "dollar braces": 'https://a.example/${user.name?url("utf-8")}',
    "square brackets": "https://a.example/[[name]]",
    "instructions in angle brackets": 'https://a.example/<#if a == "b">x</#if>',
    "php": 'https://a.example/<?php echo $x["y"] ?>',
    "percent words": "https://a.example/%%EMAIL%%",
}

LEFT_ALONE = {
    "mailto": "mailto:ann@a.example?subject=x",
    "tel": "tel:+49301234",
    "sms": "sms:+49301234",
    "javascript": "javascript:void(0)",
    "data": "data:text/html,x",
    "cid": "cid:part1@a.example",
    "anchor in the page": "#top",
    "nothing": "",
}

AROUND = {
    "accented text": "<p>Ça coûte 5 € — naïve ☃ 😀</p>",
    "doctype": '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
    "void tags": '<br/><hr><img src="https://a.example/i.png" alt="a>b"/><meta charset=utf-8 /><input disabled>',
    "entities": "&nbsp;&copy 2026 &amp; &#x20AC; &unknown; AT&T",
    "style and script": '<style>a[href="https://a.example/"]{}</style><script>x="<a href=https://a.example/>"</script>',
    "comment": '<!-- <a href="https://a.example/old">old</a> -->',
    "other elements": '<link href="https://a.example/x.css"><form action="https://a.example/"></form>',
    "line ends": "<p>a\r\nb\nc\rd</p>\r\n",
    "broken markup": "<p <b>x</i></td <!doctype",
}


def trackers() -> list[Tracker]:
    return [Tracker(BASE, KEYS), Tracker(BASE, KEYS, registry=MemoryRegistry(), link_style="registered")]


def through(source: str, tracker: Tracker, expected: list[str]) -> str:
    """Render the source, check where its links lead and that it can be undone; what is left of it with links cut out."""
    compiled = tracker.compile(html=source, delivery_id="spring", pixel="none")
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    rendered = compiled.render(message_id="1001").html or ""
    assert [link.url for link in compiled.links] == expected
    assert len({link.id for link in compiled.links}) == len(expected)
    said = [tracker.resolve(url) for url in TRACKED_URL.findall(rendered)]
    assert [one.destination for one in said] == expected
    assert {(one.outcome.value, one.message_id, one.part) for one in said} <= {("valid", "1001", Part.HTML)}
    assert compiled.restore(rendered) == source
    links = [edit for edit in compiled.edits if edit.kind == "link"]
    assert len(links) == len(compiled.edits) == len(expected)
    cut, done = [], 0
    for edit in links:
        cut.append(source[done : edit.start])
        done = edit.end
    cut.append(source[done:])
    assert TRACKED_URL.split(rendered) == cut
    return rendered


@pytest.mark.parametrize("kind", TRACKED)
def test_tracked(kind: str) -> None:
    source, expected = TRACKED[kind]
    for tracker in trackers():
        through(source, tracker, expected)


@pytest.mark.parametrize(
    "tags", ["<![if !mso]>|<![endif]>", "<!--[if !mso]><!-->|<!--<![endif]-->", "<!--[if mso]>|<![endif]-->"]
)
def test_conditional_markers_are_byte_identical(tags: str) -> None:
    opening, closing = tags.split("|")
    rendered = through(f'{opening}<a href="https://a.example/">x</a>{closing}', trackers()[0], ["https://a.example/"])
    assert rendered.startswith(f'{opening}<a href="{BASE}/')
    assert rendered.endswith(f'">x</a>{closing}')


@pytest.mark.parametrize("kind", TEMPLATE_TAGS)
def test_template_tag_in_href(kind: str) -> None:
    """The link stays alone, whatever its tag holds, and the links beside it are found."""
    source = f'<a href="{TEMPLATE_TAGS[kind]}" _x="1">x</a><a href="https://b.example/">y</a>'
    through(source, trackers()[0], ["https://b.example/"])
    compiled = trackers()[0].compile(html=source, delivery_id="spring")
    assert [(one.reason.value, one.tracked) for one in compiled.decisions] == [
        ("template-tag", False),
        ("tracked", True),
    ]
    assert [one.code for one in compiled.findings if one.severity == "warning"] == ["template-tag"]


@pytest.mark.parametrize("quote", ['"', "'", ""])
@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_left_alone(kind: str, quote: str) -> None:
    source = f'<a href={quote}{LEFT_ALONE[kind]}{quote}>x</a><a href="https://b.example/">y</a>'
    through(source, trackers()[0], ["https://b.example/"])


@pytest.mark.parametrize("kind", AROUND)
def test_untouched(kind: str) -> None:
    link = '<a href="https://b.example/">é</a>'
    rendered = through(f"{link}{AROUND[kind]}", trackers()[0], ["https://b.example/"])
    assert rendered.endswith(f'">é</a>{AROUND[kind]}')
