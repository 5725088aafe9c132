"""Where personalised links may stand, what must not be personalised, and where an error or a placeholder is said to be."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any

import pytest

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.errors import CompileError
from msgtrack.links import CompiledMessage, LinkReason, MemoryRegistry
from msgtrack.links.syntaxes import LINK_PROBLEMS
from msgtrack.model import Part

BASE = "https://t.example.com"
SKIP = LinkRules(unfit_links="skip")


def tracker_of(**options: Any) -> Tracker:
    return Tracker(
        BASE, Keyring.from_secrets("a secret that is long enough to sign with"), registry=MemoryRegistry(), **options
    )


CAMPAIGN = {"link_style": "registered", "url_format": "campaign"}


def led(compiled: CompiledMessage, tracker: Tracker, values: dict[str, object]) -> list[str | None]:
    """Where the personalised and plain links of a rendered message lead, HTML before text."""
    if tracker.link_style == "registered":
        tracker.registry.publish(compiled)  # type: ignore[union-attr]
    rendered = compiled.render(message_id=7, values=values)
    urls = re.findall(rf"{BASE}/[^\s\"'<>){{]+", (rendered.html or "") + "\n" + (rendered.text or ""))
    said = [tracker.resolve(unescape(url)) for url in urls]
    assert all((one.outcome, one.message_id) == ("valid", "7") for one in said)
    for part, text in ((Part.HTML, rendered.html), (Part.TEXT, rendered.text)):
        for each in compiled.parts:
            if each.part is part:
                assert compiled.restore(text or "") == each.source
    return [one.destination for one in said if one.link_id != "1"]


# The markup, and where its links lead with a="x y", b="&".
HTML = {
    "base": ('<base href="https://b.example/d/e"><a href="f/{{ a }}?q={{ b }}">', ["https://b.example/d/f/x%20y?q=%26"]),
    "base and dots": ('<base href="https://b.example/d/e/"><a href="../{{ a }}">', ["https://b.example/d/x%20y"]),
    "base and root": ('<base href="https://b.example/d/e/"><a href="/r?q={{ a }}">', ["https://b.example/r?q=x%20y"]),
    "base and query": ('<base href="https://b.example/d/e"><a href="?q={{ a }}">', ["https://b.example/d/e?q=x%20y"]),
    "no scheme": ('<a href="//b.example/?x={{ a }}">', ["https://b.example/?x=x%20y"]),
    "area": ('<map><area href="https://b.example/{{ a }}"></map>', ["https://b.example/x%20y"]),
    "vml": ('<v:roundrect href="https://b.example/{{ a }}" fillcolor="x">', ["https://b.example/x%20y"]),
    "conditional": (
        '<!--[if mso]><v:rect href="https://b.example/{{ a }}"><![endif]--><a href="https://b.example/2{{ b }}">',
        ["https://b.example/x%20y", "https://b.example/2%26"],
    ),
    "comment": ('<!-- <a href="https://b.example/{{ a }}"> --><a href="https://b.example/{{ b }}">', ["https://b.example/%26"]),
    "entities": (
        '<a href="https://b.example/&#63;x&equals;{{ a }}&amp;y=&eacute;{{ b }}&copy=1">',
        ["https://b.example/?x=x%20y&y=é%26&copy=1"],
    ),
    "unquoted": ("<a href=https://b.example/{{a}}/{{b}} class=c>", ["https://b.example/x%20y/%26"]),
    "unquoted with spaces": ("<a href=https://b.example/{{ a }}/{{ b }} class=c>", ["https://b.example/x%20y/%26"]),
    "single quotes": ("<a href='https://b.example/{{ a }}'>", ["https://b.example/x%20y"]),
    "quotes in the tag": ("""<a href="https://b.example/?q={{ d["k"] }}&amp;1">""", ["https://b.example/?q=v&1"]),
    "angle in the tag": ("""<a href='https://b.example/?q={{ d[">"] }}&amp;1'>""", ["https://b.example/?q=w&1"]),
    "white space around": ('<a href="\n https://b.example/{{ a }} \t">', ["https://b.example/x%20y"]),
    "neighbours": ('<a href="https://b.example/{{ a }}{{ b }}{{ a }}">', ["https://b.example/x%20y%26x%20y"]),
    "comment in the link": ('<a href="https://b.example/{# c #}{{ a }}">', ["https://b.example/x%20y"]),
    "fragment": ('<a href="https://b.example/#{{ a }}">', ["https://b.example/#x%20y"]),
    "upper case": ('<A HREF="HTTPS://B.example/{{ a }}">', ["HTTPS://B.example/x%20y"]),
    "port": ('<a href="https://b.example:8443/{{ a }}">', ["https://b.example:8443/x%20y"]),
    "query at once": ('<a href="https://b.example?q={{ a }}">', ["https://b.example?q=x%20y"]),
    "mailto": ('<a href="mailto:{{ a }}@b.example">', []),
    "tel": ('<a href="tel:{{ a }}">', []),
    "fragment alone": ('<a href="#{{ a }}">', []),
    "relative": ('<a href="d/{{ a }}">', []),
    "our own": (f'<a href="{BASE}/x/{{{{ a }}}}">', None),
}  # fmt: skip
VALUES: dict[str, object] = {"a": "x y", "b": "&", 'd["k"]': "v", 'd[">"]': "w"}


@pytest.mark.parametrize("options", [{}, CAMPAIGN], ids=["compact", "campaign"])
@pytest.mark.parametrize("case", HTML)
def test_places_of_html(case: str, options: dict[str, Any]) -> None:
    markup, expected = HTML[case]
    tracker = tracker_of(**options)
    compiled = tracker.compile(html=f"<p>{markup}x</a></p>\r\n{{{{ a }}}}", delivery_id=1, syntax="jinja")
    if expected is None:
        assert [one.reason for one in compiled.decisions] == [LinkReason.ALREADY_TRACKED]
        return
    assert led(compiled, tracker, VALUES) == expected


TEXT = {
    "https://b.example/{{ a }}.": ["https://b.example/x%20y"],
    "(https://b.example/{{ a }})": ["https://b.example/x%20y"],
    "<https://b.example/long/\r\n {{ a }}/x>": None,
    "<https://b.example/long/\r\n{{ a }}/x>": ["https://b.example/long/x%20y/x"],
    "<https://b.example/long/{{ a\n}}/\nx>": ["https://b.example/long/x%20y/x"],
    "{% if x %}https://b.example/{{ a }}{% endif %} https://c.example/{% if y %}": ["https://b.example/x%20y", "https://c.example/"],
    "https://b.example/{{ a }}{% endfor %}{# c #}!": ["https://b.example/x%20y"],
    "https://b.example/{{ a | default('q z') }}, and": None,
    "https://b.example/?{{ a }}&b={{ b }}; https://b.example/#{{ a }}?": [
        "https://b.example/?x%20y&b=%26", "https://b.example/#x%20y",
    ],
    "{{ a }}https://b.example/{{ b }}": ["https://b.example/%26"],
    "[x](https://b.example/{{ a }})": ["https://b.example/x%20y"],
    "{% raw %}https://b.example/{{ a }}{% endraw %}": [],
}  # fmt: skip


@pytest.mark.parametrize("text", TEXT)
def test_places_of_text(text: str) -> None:
    expected = TEXT[text]
    tracker = tracker_of()
    compiled = tracker.compile(text=text, delivery_id=1, syntax="jinja")
    values = VALUES | {name: "v" for name in (one.name for one in compiled.placeholders) if name not in VALUES}
    found = led(compiled, tracker, values)
    if expected is not None:
        assert found == expected
    else:
        assert compiled.render(message_id=7, values=values).text is not None


UNFIT = {
    '<a href="{{ s }}://b.example/">': ("personalized-host", "jinja"),
    '<a href="https://{{ h }}/">': ("personalized-host", "jinja"),
    '<a href="https://{{ h }}.example/">': ("personalized-host", "jinja"),
    '<a href="https://b.example{{ h }}/">': ("personalized-host", "jinja"),
    '<a href="https://b.example:{{ p }}/">': ("personalized-host", "jinja"),
    '<a href="https://{{ u }}@b.example/">': ("personalized-host", "jinja"),
    '<a href="{{ whole }}">': ("personalized-host", "jinja"),
    '<a href="//{{ h }}/x">': ("personalized-host", "jinja"),
    '<a href="/{{ h }}">': None,
    '<a href="https://<%= h %>/">': ("personalized-host", "campaign"),
    '<a href="https://*|H|*/">': ("personalized-host", "merge"),
    '<a href="https://%H%/">': ("personalized-host", "percent"),
    '<a href="https://{{h}}/">': ("personalized-host", "handlebars"),
    '<a href="https://b.example/{% if a %}x{% endif %}">': ("control-tag", "jinja"),
    '<a href="https://b.example/%{{ a }}">': ("broken-escape", "jinja"),
    '<a href="https://b.example/%2{{ a }}">': ("broken-escape", "jinja"),
    '<a href="https://b.example/x&#10;y/{{ a }}">': ("line-feed", "jinja"),
    '<a href="https://b.example/&#1;{{ a }}">': ("line-feed", "jinja"),
    '<a href="https://b.example/\ufdd0{{ a }}">': ("line-feed", "jinja"),
    '<a href="https://b.example/.{{ a }}">': ("personalized-step", "jinja"),
    '<a href="https://b.example/<%= f(x) %>">': ("unsupported-script", "campaign"),
    '<a href="https://b.example/<% if (x) { %>a<% } %>">': ("control-tag", "campaign"),
    '<a href="https://b.example/%%=v(@x)=%%">': ("unsupported-tag", "percent"),
}


@pytest.mark.parametrize("markup", UNFIT)
def test_what_must_not_be_tracked_is_an_error_with_its_place(markup: str) -> None:
    case = UNFIT[markup]
    tracker = tracker_of()
    source = f"<p>\n ä {markup}x</a>\n</p>"
    if case is None:
        assert not tracker.compile(html=source, delivery_id=1, syntax="jinja").links
        return
    code, syntax = case
    with pytest.raises(CompileError) as raised:
        tracker.compile(html=source, delivery_id=1, syntax=syntax)
    assert (raised.value.code, raised.value.line) == (code, 2)
    column = raised.value.column or 0
    assert len(' ä <a href="') < column <= len(source.split("\n")[1])
    if code in (
        "personalized-host",
        "control-tag",
        "unsupported-tag",
        "personalized-step",
        "broken-escape",
    ):
        line = source.split("\n")[1]
        assert re.match(r"\{[{%]|<%|\*\||%", line[column - 1 :]), line[column - 1 :]
    if code == "unsupported-script":
        assert source.split("\n")[1][column - 1 :].startswith("f(x)")
    skipped = tracker.compile(html=source, delivery_id=1, syntax=syntax, rules=SKIP)
    assert [one.reason for one in skipped.decisions] == [LinkReason.TEMPLATE_TAG]
    (finding,) = [one for one in skipped.findings if one.code == "unfit-link"]
    assert (finding.line, finding.column) == (2, column)
    assert code in finding.message
    assert (skipped.render(message_id=7).html or "").startswith(source[:-5])
    # Who says that a link is not tracked is not told what is wrong with it.
    opted_out = source.replace("<a ", '<a data-msgtrack="off" ')
    assert [one.reason for one in tracker.compile(html=opted_out, delivery_id=1, syntax=syntax).decisions] == [
        LinkReason.MARKER
    ]
    assert code in LINK_PROBLEMS or code == "unsupported-script"


def test_an_opted_out_link_with_a_personalised_host_stays_as_it_is() -> None:
    html = '<a href="https://{{ h }}.example/{{ a }}" clicktracking="off">x</a>'
    tracker = tracker_of()
    compiled = tracker.compile(html=html, delivery_id=1, syntax="jinja", rules=LinkRules(markers="keep"), pixel="none")
    rendered = compiled.render(message_id=7)
    assert rendered.html == html
    assert not compiled.placeholders


@pytest.mark.parametrize(
    "query", ["id={{ a }}", "x={{ a }}&id=1", "%69d={{ a }}", "{{ a }}=1", "x=1&i{{ a }}=2", "amp;id=1&{{ a }}"]
)
def test_a_parameter_called_id_is_reserved_in_the_campaign_format_alone(query: str) -> None:
    html = f'<p>\n<a href="https://b.example/?{query.replace("&", "&amp;")}">x</a>'
    tracker_of(link_style="registered").compile(html=html, delivery_id=1, syntax="jinja")
    if query.startswith("amp;"):
        tracker_of(**CAMPAIGN).compile(html=html, delivery_id=1, syntax="merge")
        return
    with pytest.raises(CompileError) as raised:
        tracker_of(**CAMPAIGN).compile(html=html, delivery_id=1, syntax="jinja")
    assert (raised.value.code, raised.value.line) == ("reserved-parameter", 2)
    line = html.split("\n")[1]
    assert line.index("https") < (raised.value.column or 0) - 1 < line.index('">')


def test_a_plain_link_may_have_an_id_in_the_campaign_format() -> None:
    tracker = tracker_of(**CAMPAIGN)
    compiled = tracker.compile(html='<a href="https://b.example/?id=1">x</a>', delivery_id=1, syntax="jinja")
    assert led(compiled, tracker, {}) == ["https://b.example/?id=1"]


LOADERS: dict[str, Any] = {
    "view": {
        "Footer": '<p>\n<a href="https://b.example/out?u=<%= recipient.id %>" _label="Out">Out</a></p>',
        "Bad": '<a href="https://<%= recipient.host %>/">x</a>',
    },
    "objects": {"items": [{"@id": number, "title": f"Item {number}"} for number in range(3)]},
}
LOOP = """<%@ foreach object="items" item="one" %>
<a href="https://b.example/<%@ value object='one' xpath='@id' %>?n=<%= escapeUrl(user.last) %>"><%@ value object="one" xpath="title" %></a>
<%@ end %>"""


@pytest.mark.parametrize(
    "options", [{}, {"link_style": "registered"}, CAMPAIGN], ids=["stateless", "registered", "campaign"]
)
def test_each_link_of_a_loop_is_its_own_with_its_own_label(options: dict[str, Any]) -> None:
    tracker = tracker_of(**options)
    html = f'<a href="https://b.example/first">First</a>{LOOP}<%@ include view="Footer" %>'
    compiled = tracker.compile(html=html, delivery_id=1, syntax="campaign", loaders=LOADERS)
    assert [(link.id, link.label) for link in compiled.links] == [
        ("2", "First"), ("3", "Item 0"), ("4", "Item 1"), ("5", "Item 2"), ("6", "Out"),
    ]  # fmt: skip
    assert len({link.key for link in compiled.links}) == 5
    assert led(compiled, tracker, {"user.last": "O'Hara", "recipient": {"id": 5}}) == [
        "https://b.example/first",
        *(f"https://b.example/{number}?n=O%27Hara" for number in range(3)),
        "https://b.example/out?u=5",
    ]
    # What a loop or an include wrote stands, for the author, where the author wrote it.
    line, column = 2, LOOP.split("\n")[1].index("<%= escape") + 1
    placeholders = [(one.name, one.line, one.column) for one in compiled.placeholders]
    assert placeholders[:3] == [("user.last", line, column)] * 3
    assert placeholders[3] == ("recipient.id", 3, len("<%@ end %>") + 1)
    assert [one.line for one in compiled.decisions] == [1, 2, 2, 2, 3]


def test_an_error_in_an_included_text_stands_where_the_author_includes_it() -> None:
    with pytest.raises(CompileError) as raised:
        tracker_of().compile(
            html='<p>\n\n  <%@ include view="Bad" %></p>', delivery_id=1, syntax="campaign", loaders=LOADERS
        )
    assert (raised.value.code, raised.value.line, raised.value.column) == ("personalized-host", 3, 3)


def test_a_loop_of_ten_thousand_items_takes_time_in_proportion() -> None:
    """Four times the items: four times the time, with room for a busy machine; squares would give sixteen times."""
    tracker = tracker_of()

    def seconds(count: int) -> float:
        loaders = {"objects": {"items": [{"@id": number, "title": f"T{number}"} for number in range(count)]}}
        start = time.process_time()
        compiled = tracker.compile(html=LOOP, delivery_id=1, syntax="campaign", loaders=loaders)
        rendered = compiled.render(message_id=7, values={"user.last": "x"})
        spent = time.process_time() - start
        assert rendered.html is not None
        assert len(compiled.personal) == count
        assert compiled.links[-1].id == str(count + 1)
        assert rendered.html.count(BASE) == count + 1
        return spent

    assert seconds(10_000) < 9 * seconds(2_500)


def test_either_branch_of_a_text_has_its_own_link() -> None:
    source = "{% if a %}https://a.example/{{ x }}{% else %}https://b.example/{% endif %}{% if c %}https://c.example/{% endif %}."
    compiled = tracker_of().compile(text=source, delivery_id=1, syntax="jinja")
    assert [link.url for link in compiled.links] == [
        "https://a.example/<%= x %>",
        "https://b.example/",
        "https://c.example/",
    ]


def test_a_base_too_long_to_be_one_is_none() -> None:
    page = f'<base href="https://b.example/{"x" * 2_000}/"><a href="y">x</a>'
    (decision,) = tracker_of().compile(html=page, delivery_id=1).decisions
    assert decision.reason is LinkReason.RELATIVE
