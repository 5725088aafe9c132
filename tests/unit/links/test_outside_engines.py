"""Real engines fill our slots: what they write is what they make of the rendered message, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.errors import InvalidOption, MissingValue, RenderError
from msgtrack.links import CompiledMessage, MemoryRegistry

jinja2 = pytest.importorskip("jinja2", reason="needs Jinja2")
jinja2_sandbox = pytest.importorskip("jinja2.sandbox", reason="needs Jinja2")
django_template = pytest.importorskip("django.template", reason="needs Django")
liquid = pytest.importorskip("liquid", reason="needs python-liquid")
pybars = pytest.importorskip("pybars", reason="needs pybars3")
chevron = pytest.importorskip("chevron", reason="needs chevron")

Render = Callable[[str, Mapping[str, object], Mapping[str, str]], str]
KEYS = Keyring.from_secrets("k" * 32)
BASE = "https://t.example.com"
TRACKED = re.compile(r"https://t\.example\.com/[^\s\"'<>]+")


def with_jinja(*, sandboxed: bool, autoescape: bool) -> Render:
    kind = jinja2_sandbox.SandboxedEnvironment if sandboxed else jinja2.Environment

    def render(source: str, context: Mapping[str, object], others: Mapping[str, str]) -> str:
        environment = kind(autoescape=autoescape, loader=jinja2.DictLoader({**others, "main": source}))
        return str(environment.get_template("main").render(context))

    return render


def with_django(*, autoescape: bool) -> Render:
    def render(source: str, context: Mapping[str, object], others: Mapping[str, str]) -> str:
        loader = ("django.template.loaders.locmem.Loader", {**others, "main": source})
        engine = django_template.Engine(autoescape=autoescape, loaders=[loader])
        return str(engine.get_template("main").render(django_template.Context(dict(context), autoescape=autoescape)))

    return render


def with_liquid(*, autoescape: bool) -> Render:
    def render(source: str, context: Mapping[str, object], others: Mapping[str, str]) -> str:
        environment = liquid.Environment(autoescape=autoescape, loader=liquid.DictLoader({**others, "main": source}))
        return str(environment.get_template("main").render(**context))

    return render


def with_pybars(source: str, context: Mapping[str, object], others: Mapping[str, str]) -> str:
    compiler = pybars.Compiler()
    partials = {name: compiler.compile(text) for name, text in others.items()}
    return str(compiler.compile(source)(context, partials=partials))


def with_chevron(source: str, context: Mapping[str, object], others: Mapping[str, str]) -> str:
    return str(chevron.render(source, context, partials_dict=dict(others)))


ENGINES: dict[str, tuple[str, Render]] = {
    "jinja": ("jinja", with_jinja(sandboxed=False, autoescape=False)),
    "jinja-escaping": ("jinja", with_jinja(sandboxed=False, autoescape=True)),
    "jinja-sandboxed": ("jinja", with_jinja(sandboxed=True, autoescape=True)),
    "django": ("django", with_django(autoescape=False)),
    "django-escaping": ("django", with_django(autoescape=True)),
    "liquid": ("liquid", with_liquid(autoescape=False)),
    "liquid-escaping": ("liquid", with_liquid(autoescape=True)),
    "pybars": ("handlebars", with_pybars),
    "chevron": ("handlebars", with_chevron),
}
TRACKERS = {
    "compact": Tracker(base_url=BASE, keyring=KEYS),
    "concealed": Tracker(base_url=BASE, keyring=KEYS, conceal_ids=True),
    "registered": Tracker(base_url=BASE, keyring=KEYS, registry=MemoryRegistry(), link_style="registered"),
    "campaign": Tracker(
        base_url=BASE, keyring=KEYS, registry=MemoryRegistry(), link_style="registered", url_format="campaign"
    ),
}
CURLY = """<html><body><p>Hello {{ user.name }} &amp; all</p>
{% if vip %}<a href="https://shop.example/vip?n={{ user.name|ENCODE }}&amp;c={{ code }}">VIP</a>{% else %}<i>-</i>{% endif %}
{% if not vip %}<a href="https://shop.example/plain">Plain</a>{% endif %}
<ul>{% for item in items %}<li title="{{ item.title }}"><a href="https://shop.example/all?c={{ code }}">{{ item.title }}</a>
<a href='https://shop.example/fixed?a=1&amp;b=2'>f</a></li>{% endfor %}</ul>
<a href="{{ stop }}" data-msgtrack="off">Stop</a></body></html>"""
BARS = """<html><body><p>Hello {{ user.name }} &amp; all</p>
{{#vip}}<a href="https://shop.example/vip?n={{user.name}}&amp;c={{{code}}}">VIP</a>{{/vip}}{{^vip}}<i>-</i>{{/vip}}
<ul>LOOP<li title="{{ title }}"><a href="https://shop.example/all?c={{code}}">{{ title }}</a>
<a href='https://shop.example/fixed?a=1&amp;b=2'>f</a></li>END</ul>
<a href="{{ stop }}" data-msgtrack="off">Stop</a></body></html>"""
TEXT = {"jinja": "{% if vip %}See https://shop.example/?c={{ code }} {% endif %}or (https://shop.example/a).\n"}
TEXT |= {"django": TEXT["jinja"], "liquid": TEXT["jinja"]}
TEXT["handlebars"] = "{{#vip}}See https://shop.example/?c={{code}} {{/vip}}or (https://shop.example/a).\n"
CONTEXT: dict[str, object] = {
    "user": {"name": 'O\'Hara & Sons <b>"Ü"</b> {{ x }}'},
    "code": "a&b=c/../#?%41",
    "vip": True,
    "items": [{"title": "A & B"}, {"title": "<C>"}, {"title": "D"}],
    "stop": "https://shop.example/stop",
}


def html_for(engine: str) -> str:
    syntax = ENGINES[engine][0]
    if syntax == "handlebars":
        # Inside of its sections Mustache looks for names further out by itself; Handlebars is told to.
        if engine == "pybars":
            return BARS.replace("LOOP", "{{#each items}}").replace("END", "{{/each}}").replace("?c={{code}}", "?c=1")
        return BARS.replace("LOOP", "{{#items}}").replace("END", "{{/items}}")
    if syntax == "liquid":
        source = CURLY.replace("{% if not vip %}", "{% unless vip %}").replace(
            "Plain</a>{% endif %}", "Plain</a>{% endunless %}"
        )
        return source.replace("ENCODE", "url_encode")
    return CURLY.replace("ENCODE", "urlencode")


def compiled_with(tracker: Tracker, **options: Any) -> CompiledMessage:
    compiled = tracker.compile(delivery_id="7", **options)
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    return compiled


def both(
    engine: str,
    compiled: CompiledMessage,
    context: Mapping[str, object],
    *,
    part: str = "html",
    others: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[str, str]:
    """What the engine makes of the slots, and of the rendered message."""
    syntax, render = ENGINES[engine]
    said = {"message_id": "1001", "values": context} | options
    slots = compiled.slots(**said)
    rendered = getattr(compiled.render(**said), part)
    return (
        render(compiled.source(syntax, part=part), {**context, **slots}, others or {}),
        render(rendered, context, others or {}),
    )


@pytest.mark.parametrize("vip", [True, False])
@pytest.mark.parametrize("kind", TRACKERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_writes_what_rendering_writes(engine: str, kind: str, vip: bool) -> None:
    tracker = TRACKERS[kind]
    syntax = ENGINES[engine][0]
    compiled = compiled_with(tracker, html=html_for(engine), text=TEXT[syntax], syntax=syntax)
    context = CONTEXT | {"vip": vip}
    for part in ("html", "text"):
        ours, expected = both(engine, compiled, context, part=part)
        assert ours == expected
        assert "msgtrack_" not in ours
    html = both(engine, compiled, context)[0]
    said = [tracker.resolve(unescape(url)) for url in TRACKED.findall(html)]
    assert all(one.outcome == "valid" and one.message_id == "1001" for one in said)
    fixed = [one.destination for one in said if one.destination == "https://shop.example/fixed?a=1&b=2"]
    assert len(fixed) == 3
    vips = [one.destination for one in said if (one.destination or "").startswith("https://shop.example/vip")]
    name = "O%27Hara%20%26%20Sons%20%3Cb%3E%22%C3%9C%22%3C%2Fb%3E%20%7B%7B%20x%20%7D%7D"
    expected = f"https://shop.example/vip?n={name}&c=a%26b%3Dc%2F..%2F%23%3F%2541"
    assert vips == ([expected] if vip else [])


@pytest.mark.parametrize("kind", TRACKERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_outside_links_nothing_differs_from_the_untracked_template(engine: str, kind: str) -> None:
    syntax, render = ENGINES[engine]
    source = html_for(engine)
    compiled = compiled_with(TRACKERS[kind], html=source, syntax=syntax)
    ours = both(engine, compiled, CONTEXT)[0]
    untracked = render(source.replace(' data-msgtrack="off"', ""), CONTEXT, {})
    ours = re.sub(r'<img src="https://t\.example\.com/[^>]*>', "", ours)
    host = r"https://(?:t\.example\.com|shop\.example/(?!stop))"
    places = re.compile(rf"(?<=href=\"){host}[^\"]*|(?<=href='){host}[^']*")
    assert places.sub("@", ours) == places.sub("@", untracked)


@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_not_to_be_followed_gets_no_image(engine: str) -> None:
    syntax = ENGINES[engine][0]
    for kind, tracker in TRACKERS.items():
        compiled = compiled_with(tracker, html=html_for(engine), syntax=syntax)
        ours, expected = both(engine, compiled, CONTEXT, policy=Policy(opens="none"))
        assert ours == expected
        assert "<img" not in ours, kind
        assert both(engine, compiled, CONTEXT)[0].count("<img") == 1


@pytest.mark.parametrize("engine", [name for name in ENGINES if name.startswith(("jinja", "django"))])
def test_inheritance_and_includes(engine: str) -> None:
    """Each template of a family is compiled by itself: its links have numbers of their own, and slots of one name the same text."""
    syntax, render = ENGINES[engine]
    tracker = TRACKERS["compact"]
    base = tracker.compile(
        html='<body><a href="https://shop.example/top">t</a>{% block main %}{% endblock %}</body>',
        delivery_id="7",
        syntax=syntax,
    )
    child = tracker.compile(
        html="{% extends 'base' %}{% block main %}<a href=\"https://shop.example/main\">m</a>{% include 'foot' %}{% endblock %}",
        delivery_id="7",
        syntax=syntax,
        pixel="none",
        links_before=len(base.links),
    )
    foot = tracker.compile(
        html='<a href="https://shop.example/foot">f</a>',
        delivery_id="7",
        syntax=syntax,
        pixel="none",
        links_before=len(base.links) + len(child.links),
    )
    slots = base.slots(message_id="1001")
    family = {"base": base.source(syntax), "foot": foot.source(syntax)}
    html = render(child.source(syntax), slots, family)
    said = [(one.link_id, one.destination) for one in map(tracker.resolve, TRACKED.findall(html))]
    assert said == [
        ("2", "https://shop.example/top"),
        ("3", "https://shop.example/main"),
        ("4", "https://shop.example/foot"),
        ("1", None),
    ]


@pytest.mark.parametrize("kind", TRACKERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_link_of_a_loop_is_a_message_part_of_its_own(engine: str, kind: str) -> None:
    """The recipe of the documentation: the row is compiled by itself, filled for each item, and put in as it is."""
    syntax, render = ENGINES[engine]
    tracker = TRACKERS[kind]
    raw = {"handlebars": "{{{rows}}}", "liquid": "{{ rows | safe }}" if engine.endswith("escaping") else "{{ rows }}"}
    page = compiled_with(
        tracker,
        html=f'<body><a href="https://shop.example/?c={{{{code}}}}">x</a><ul>{raw.get(syntax, "{{ rows|safe }}")}</ul></body>',
        syntax=syntax,
    )
    row = tracker.compile(
        html='<li><a href="https://shop.example/item?id2={{item.id}}&amp;c={{code}}">{{item.title}}</a></li>',
        delivery_id="7",
        syntax=syntax,
        pixel="none",
        links_before=len(page.links),
    )
    if tracker.registry is not None:
        tracker.registry.publish(row)
    items = [{"id": 1, "title": "A & B"}, {"id": "x/y", "title": "<C>"}]
    rows = ""
    for item in items:
        values = {"code": "c&d", "item": item}
        slots = row.slots(message_id="1001", values=values)
        rows += render(row.source(syntax), {**values, **slots}, {})
    page_slots = page.slots(message_id="1001", values={"code": "c&d"})
    html = render(page.source(syntax), {"rows": rows, **page_slots}, {})
    said = [tracker.resolve(unescape(url)) for url in TRACKED.findall(html)]
    assert [(one.outcome.value, one.link_id, one.destination) for one in said][:3] == [
        ("valid", "2", "https://shop.example/?c=c%26d"),
        ("valid", "3", "https://shop.example/item?id2=1&c=c%26d"),
        ("valid", "3", "https://shop.example/item?id2=x%2Fy&c=c%26d"),
    ]
    assert html.count("<li>") == 2


@pytest.mark.parametrize("engine", ["pybars", "chevron"])
def test_slots_are_found_in_sections_of_sections_and_in_partials(engine: str) -> None:
    """Handlebars looks for a name in the item alone, so slots are asked for at the root; Mustache finds them as well."""
    _, render = ENGINES[engine]
    link = '<a href="https://shop.example/">x</a>'
    compiled = TRACKERS["compact"].compile(
        html="{{#groups}}{{#items}}LINK{{/items}}{{> foot}}{{/groups}}".replace("LINK", link),
        delivery_id="7",
        syntax="handlebars",
        pixel="none",
    )
    foot = TRACKERS["compact"].compile(html=link, delivery_id="7", syntax="handlebars", pixel="none", links_before=1)
    context = {"groups": [{"items": [{"a": 1}, {"a": 2}]}, {"items": [{"a": 3}]}]} | compiled.slots(message_id="1001")
    html = render(compiled.source("handlebars"), context, {"foot": foot.source("handlebars")})
    said = [TRACKERS["compact"].resolve(url) for url in TRACKED.findall(html)]
    assert [(one.link_id, one.message_id) for one in said] == [(number, "1001") for number in "22323"]


def test_a_loop_variable_without_the_recipe_is_a_missing_value() -> None:
    html = '{% for item in items %}<a href="https://shop.example/?i={{ item.id }}">x</a>{% endfor %}'
    compiled = TRACKERS["compact"].compile(html=html, delivery_id="7", syntax="jinja")
    with pytest.raises(MissingValue, match=r"item\.id"):
        compiled.slots(message_id="1001", values={"items": [{"id": 1}]})


@pytest.mark.parametrize(
    ("syntax", "html"),
    [
        ("jinja", '{% raw %}<a href="https://shop.example/">x</a>{% endraw %}'),
        ("django", '{% verbatim %}<a href="https://shop.example/">x</a>{% endverbatim %}'),
        ("django", '{% comment %}<a href="https://shop.example/">x</a>{% endcomment %}'),
        ("liquid", '{% raw %}<a href="https://shop.example/">x</a>{% endraw %}'),
        ("liquid", '{% comment %}<a href="https://shop.example/">x</a>{% endcomment %}'),
        ("handlebars", '{{{{raw}}}}<a href="https://shop.example/">x</a>{{{{/raw}}}}'),
    ],
)
def test_a_slot_that_the_engine_would_not_fill_is_refused(syntax: str, html: str) -> None:
    compiled = TRACKERS["compact"].compile(html=f"<p>\n{html}", delivery_id="7", syntax=syntax)
    if len(compiled.links) == 0:
        # In a comment there are no links at all.
        assert compiled.source(syntax).startswith(f"<p>\n{html}")
        return
    with pytest.raises(RenderError, match="line 2, column"):
        compiled.source(syntax)


def test_a_source_is_given_in_the_syntax_of_its_message() -> None:
    compiled = TRACKERS["compact"].compile(html=CURLY, delivery_id="7", syntax="jinja", rules=None)
    with pytest.raises(InvalidOption, match="jinja"):
        compiled.source("liquid")
    with pytest.raises(InvalidOption, match="text"):
        compiled.source("jinja", part="text")
    plain = TRACKERS["compact"].compile(html='<a href="https://shop.example/">x</a>', delivery_id="7")
    for syntax in ("jinja", "django", "liquid", "handlebars", "merge", "percent", "campaign"):
        assert "msgtrack_1" in plain.source(syntax)


def test_a_loaded_message_gives_the_same_source_and_slots() -> None:
    tracker = TRACKERS["compact"]
    compiled = tracker.compile(html=html_for("jinja"), delivery_id="7", syntax="jinja")
    loaded = tracker.load(compiled.to_bytes())
    assert loaded.source("jinja") == compiled.source("jinja")
    said = {"message_id": "1001", "values": CONTEXT}
    assert loaded.slots(**said) == compiled.slots(**said)  # type: ignore[arg-type]


@given(
    value=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).filter(
        lambda text: text.strip(". ")
    )
)
@pytest.mark.parametrize("engine", ["jinja-escaping", "django-escaping", "liquid-escaping", "pybars", "chevron"])
def test_any_value_arrives_through_any_engine(engine: str, value: str) -> None:
    syntax = ENGINES[engine][0]
    for kind in ("compact", "campaign"):
        compiled = compiled_with(
            TRACKERS[kind], html='<a href="https://shop.example/?v={{v}}&amp;w=1">x</a>', syntax=syntax
        )
        ours, expected = both(engine, compiled, {"v": value})
        assert ours == expected
        url = unescape(TRACKED.findall(ours)[0])
        plain = compiled.links[0].url.replace("<%= v %>", "{}")
        assert TRACKERS[kind].resolve(url).destination == plain.format(quote(value, safe="-._~"))
