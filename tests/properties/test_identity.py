"""Whatever the text and whatever the options: compiling fails with no error, and what it changed can be undone exactly."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Rule, Tracker
from msgtrack.links import CompiledMessage, LinkMemory, MemoryRegistry
from msgtrack.model import Part

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
URL = r"https://t\.example\.com/[a-z0-9.-]+/[a-z0-9.-]*[a-z0-9]"
WRITTEN = {
    "link": re.compile(URL),
    "pixel": re.compile(rf'<img src="{URL}" [^>]*>'),
    "trap": re.compile(rf'<a href="{URL}" [^>]*></a>'),
    "marker": re.compile(r' [a-z:_-]+(?:="[a-z0-9]*")?'),
}
PIECES = [
    *("<a ", "<A/", "<area ", "<v:rect ", "<base ", "</a>", "<", ">", "/>", "=", '"', "'", " ", "\r\n", "\n"),
    *("href=", 'href="', "HREF='", "href =", "https://a.example/", "//b.example", "http://c.example/?a=1&amp;b#f"),
    *(
        '<a href="https://a.example/">',
        "<a href=https://a.example/x>",
        "<a clicktracking=off href='https://a.example'>",
    ),
    *("<a href=mailto:x>", "<a _label=x href=//b.example/>", '<a href="https://a.example/">https://a.example/</a>'),
    *(
        "data-msgtrack=off",
        " _type=optout",
        ' _label="a>b"',
        " ses:no-track",
        "class=untracked",
        "<a =x href=//b.example>",
    ),
    *(
        "<!--[if mso]>",
        "<![endif]-->",
        "<!--",
        "-->",
        "<![if !mso]>",
        "<style>",
        "</style>",
        "<script>",
        "<title>",
        "<svg>",
    ),
    *("<html>", "<html amp4email>", "<body>", "</body>", "<p>", "<td ", "x", "é", "\x00", "\ud800", "&quot;"),
    *(
        "{{ a }}",
        '{% if a > "b" %}',
        "{{",
        "}}",
        "<%= f('x>') %>",
        "<%",
        "%>",
        "*|X|*",
        "${a['>']}",
        "[[",
        "]]",
        "<?php >",
        "?>",
    ),
    *("<#if (a > b)>", "</#if>", "https://t.example.com/x/y"),
]
soups = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
any_source = soups | st.text() | st.text("<>!-/a href='\"[if]={%}htps:.")
any_rules = st.builds(
    LinkRules,
    rules=st.sampled_from(
        [
            (),
            (Rule(host="a.example", mode="not-tracked"),),
            (Rule(glob="*", mode="always", label="x", utm={"id": "1"}),),
        ]
    ),
    track_links=st.sampled_from([True, True, True, False]),
    track_opens=st.booleans(),
    markers=st.sampled_from(["remove", "keep", "emit:sendgrid", "emit:ses", "emit:postmark"]),
    url_as_text=st.sampled_from(["warn", "skip"]),
    memory=st.sampled_from([LinkMemory(), LinkMemory(modes={"https://a.example/": "never"})]),
    utm=st.sampled_from([{}, {"source": "é &", "campaign": "x"}]),
    trap=st.sampled_from(["", "https://a.example/trap"]),
)
options = st.fixed_dictionaries({"rules": any_rules, "pixel": st.sampled_from(["bottom", "top", "none"])})


def outside_edits(source: str, rendered: str, compiled: CompiledMessage, part: Part, *, pixel: bool = True) -> None:
    """Walk through source and rendered text side by side; between two edits they are the same."""
    edits = [edit for edit in compiled.edits if edit.part is part and (pixel or edit.kind != "pixel")]
    done = place = 0
    for edit in edits:
        assert done <= edit.start <= edit.end
        kept = source[done : edit.start]
        assert rendered.startswith(kept, place)
        place += len(kept)
        if edit.kind != "marker" or edit.start == edit.end:
            written = WRITTEN[edit.kind].match(rendered, place)
            assert written is not None, (edit, rendered[place : place + 80])
            place = written.end()
        done = edit.end
    assert rendered[place:] == source[done:]


def check(source: str, tracker: Tracker, **how: Any) -> None:
    compiled = tracker.compile(html=source, text=source, delivery_id="spring", **how)
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    for policy in (Policy(), Policy(opens="none")):
        out = compiled.render(message_id="1001", policy=policy)
        assert out.html is not None
        assert out.text is not None
        outside_edits(source, out.html, compiled, Part.HTML, pixel=policy.opens == "identified")
        outside_edits(source, out.text, compiled, Part.TEXT)
        assert compiled.restore(out.html) == source
        assert compiled.restore(out.text) == source
    assert [link.id for link in compiled.links] == [str(number) for number in range(2, len(compiled.links) + 2)]
    tracked = [decision.link_id for decision in compiled.decisions if decision.tracked]
    assert tracked == [link.id for link in compiled.links if link.category != "trap"]


@given(any_source, options)
def test_any_text_comes_back(source: str, how: dict[str, Any]) -> None:
    check(source, Tracker("https://t.example.com", KEYS), **how)


@given(soups, options)
def test_registered_too(source: str, how: dict[str, Any]) -> None:
    check(source, Tracker("https://t.example.com", KEYS, registry=MemoryRegistry(), link_style="registered"), **how)


ALL_OPTIONS = list(
    product(
        ["remove", "keep", "emit:sendgrid", "emit:ses"],
        ["bottom", "top", "none"],
        ["", "https://a.example/trap"],
        [{}, {"source": "x"}],
        [True, False],
    )
)


@pytest.mark.parametrize(("markers", "pixel", "trap", "utm", "track_links"), ALL_OPTIONS)
def test_every_combination(markers: str, pixel: str, trap: str, utm: dict[str, str], track_links: bool) -> None:
    source = (
        '<body>\r\n<a href="https://a.example/?x=1#f" clicktracking="off" _label="é">x</a><A HREF=//b.example/>y</A>'
        "<!--[if mso]><v:rect href='https://c.example/'><![endif]--><a ses:no-track href=https://d.example>z</a></body>"
    )
    rules = LinkRules(markers=markers, trap=trap, utm=utm, track_links=track_links)
    check(source, Tracker("https://t.example.com", KEYS), rules=rules, pixel=pixel)


def test_mutated_mail_comes_back(corpora: Path) -> None:
    """Real mail, cut and stirred by a rule that is the same each time."""
    tracker = Tracker("https://t.example.com", KEYS)
    rules = [
        LinkRules(markers=markers, trap=trap, utm=utm)
        for markers, trap, utm in (
            ("remove", "", {}),
            ("emit:ses", "https://a.example/", {"source": "x"}),
            ("keep", "", {"id": "y"}),
        )
    ]
    files = sorted(path for path in (corpora / "email_html").rglob("*") if path.is_file())[::5]
    assert len(files) > 100
    for number, path in enumerate(files):
        source = path.read_bytes()[:20_000].decode("utf-8", "replace")
        third = len(source) // 3
        unlucky = source[number % 7 :: 7] if number % 5 == 0 else source
        for mutant in (
            source[third:],
            source[: -third or None],
            source[2 * third :] + source[:third],
            unlucky.replace('"', "", number % 11),
            unlucky.replace(">", "", 1 + number % 3).replace("<a ", "<a {% if x > y %}", 2),
        ):
            check(mutant, tracker, rules=rules[number % 3])
