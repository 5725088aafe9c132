"""The audit: every forbidden pattern, where it stands, and nothing that compiling would take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Tracker
from msgtrack.errors import CompileError, InvalidOption, InvalidValue
from msgtrack.links import CampaignFormat, CompactFormat, MemoryRegistry
from msgtrack.links.auditing import AUDIT_PROBLEMS, Problem, audit
from msgtrack.links.syntaxes import SYNTAXES, by_name

TRACKER = Tracker(base_url="https://t.example.com", keyring=Keyring.from_secrets("k" * 32))
CAMPAIGN = Tracker(
    base_url="https://t.example.com",
    keyring=Keyring.from_secrets("k" * 32),
    registry=MemoryRegistry(),
    link_style="registered",
    url_format="campaign",
)
TAGS = {
    "campaign": "<%= user.name %>",
    "jinja": "{{ user.name }}",
    "django": "{{ user.name }}",
    "liquid": "{{ user.name }}",
    "handlebars": "{{user.name}}",
    "merge": "*|NAME|*",
    "percent": "%NAME%",
}


def found(source: str, **options: object) -> list[tuple[str, int, int]]:
    problems = audit(source, **({"syntax": "jinja"} | options))  # type: ignore[arg-type]
    return [(each.code, each.line, each.column) for each in problems]


def test_every_built_in_syntax_is_tried() -> None:
    assert {"none", *TAGS} == set(SYNTAXES)


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize(
    "url",
    [
        "T",
        "https://T",
        "https://T/path",
        "https://T.domain.example/path",
        "https://sub.domainT/path",
        "https://T@shop.example/",
        "https://shop.example:T/",
        "//T/",
        "T://shop.example/",
        "/T/",
        "/T",
    ],
)
@pytest.mark.parametrize("attribute", ["href", "src"])
def test_a_personalised_host_is_found_in_every_syntax(name: str, url: str, attribute: str) -> None:
    element = {"href": "a", "src": "img"}[attribute]
    raw = url.replace("T", TAGS[name])
    source = f'<p>\n  <{element} {attribute}="{raw}">x</{element}>'
    problems = audit(source, syntax=name)
    if url == "/T":
        # A path below a host of the page, whatever the value.
        assert problems == ()
        return
    assert [(each.code, each.line, each.attribute, each.url) for each in problems] == [
        ("personalized-host", 2, attribute, raw)
    ]
    assert problems[0].column == source.splitlines()[1].index(TAGS[name]) + 1


@pytest.mark.parametrize("name", TAGS)
def test_a_fixed_host_is_fine_in_every_syntax(name: str) -> None:
    tag = TAGS[name]
    source = (
        f'<a href="https://shop.example/{tag}/?a={tag}&amp;b={tag}#{tag}">x</a><a href="mailto:{tag}">y</a>'
        f'<img src="https://cdn.example/{tag}.png"><img src="cid:{tag}">'
    )
    assert audit(source, syntax=name) == ()
    assert audit(f"See https://shop.example/?n={tag}.", syntax=name, part="text") == ()


def test_all_problems_are_found_in_the_order_of_the_text() -> None:
    source = (
        '<a href="{{ url }}">1</a>\n'
        '<a href="https://shop.example/{% if vip %}vip{% endif %}">2</a>\n'
        '<a href="https://shop.example/?off=100%{{ unit }}">3</a>\n'
        '<a href="https://shop.example/?a=\n{{ b }}">4</a>\n'
        '<img src="https://{{ cdn }}/a.png">\n'
        '<a href="{{ url }}">6</a>\n'
    )
    assert found(source) == [
        ("personalized-host", 1, 10),
        ("control-tag", 2, 31),
        ("control-tag", 2, 46),
        ("broken-escape", 3, 40),
        ("line-feed", 5, 1),
        ("personalized-host", 6, 19),
        ("personalized-host", 7, 10),
    ]
    assert {code for code, _, _ in found(source)} <= AUDIT_PROBLEMS.keys()


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("jinja", '{{ na" title="me }}'),
        ("django", '{{ na" title="me }}'),
        ("liquid", "{{ na' title='me }}"),
        ("handlebars", '{{na" title="me}}'),
        ("merge", '*|NA" title="ME|*'),
    ],
)
def test_a_placeholder_split_over_attributes_is_found(name: str, tag: str) -> None:
    quote = '"' if '"' in tag else "'"
    codes = [each.code for each in audit(f"<a href={quote}https://shop.example/?a={tag}{quote}>x</a>", syntax=name)]
    assert codes
    assert set(codes) <= {"split-placeholder", "unsupported-tag", "broken-tag"}


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("jinja", '{{ x["a"] }}'),
        ("jinja", "{{ f('a', b='c') }}"),
        ("liquid", '{{ x | default: "a", allow: "b" }}'),
        ("handlebars", '{{upper "a" sep="b"}}'),
    ],
)
def test_strings_in_a_placeholder_are_no_attributes(name: str, tag: str) -> None:
    assert audit(f'<a href="https://shop.example/?a={tag}">x</a>', syntax=name) == ()


def test_the_campaign_format_has_a_parameter_of_its_own() -> None:
    source = '<a href="https://shop.example/?id={{ x }}">x</a><a href="https://shop.example/?id=1">y</a>'
    assert found(source) == []
    for url_format in ("campaign", CAMPAIGN.url_format):
        assert [code for code, _, _ in found(source, url_format=url_format)] == ["reserved-parameter"]
    assert found(source, url_format=TRACKER.url_format) == []
    assert isinstance(CAMPAIGN.url_format, CampaignFormat)
    assert isinstance(TRACKER.url_format, CompactFormat)


@pytest.mark.parametrize(
    ("markup", "attribute"),
    [
        ("<img srcset='https://a.example/1.png 1x, T 2x'>", "srcset"),
        ("<img srcset='https://a.example/1.png, T'>", "srcset"),
        ("<td background=T>", "background"),
        ("<video poster='T'>", "poster"),
        ("<td style=\"color:red;background:url('https://T/a.png')\">", "style"),
        ("<td style='background:url(T)'>", "style"),
        ('<td style="background:url(&quot;T&quot;)">', "style"),
        ("<link rel=stylesheet href='T'>", "href"),
        ("<object data='T'>", "data"),
        ("<script src='T'></script>", "src"),
        ("<iframe src='T'></iframe>", "src"),
        ("<svg><image xlink:href='T'/></svg>", "xlink:href"),
        ("<!--[if mso]><v:fill src='T'/><![endif]-->", "src"),
        ("<img {% if x %}src='T'{% endif %}>", "src"),
        ("<img src='{% if x %}T{% endif %}'>", "src"),
        ("<img src='{% if x %}https://a.example/{% else %}T{% endif %}'>", "src"),
        ("<img src='{% if x %}https://a.example/{% elif y %}T{% endif %}'>", "src"),
        ("<v:rect href='T'>", "href"),
        ("<area href='T'>", "href"),
        ("<mj-button href='T'>", "href"),
    ],
)
def test_whatever_a_client_loads_is_looked_at(markup: str, attribute: str) -> None:
    problems = audit(markup.replace("T", "{{ t }}"), syntax="jinja")
    assert {(each.code, each.attribute) for each in problems} >= {("personalized-host", attribute)}
    assert audit(markup.replace("{% if x %}", "").replace("T", "https://a.example/{{ t }}"), syntax="jinja") == () or (
        "{%" in markup or "https://T" in markup
    )


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <img src='{{ t }}'> -->",
        "<style><img src='{{ t }}'></style>",
        "<img alt='{{ t }}' data-src='{{ t }}'>",
        "<img src='{% static \"logo.png\" %}'>",
        "<img src='{% if x %}https://a.example/1.png{% else %}https://b.example/1.png{% endif %}'>",
        "{% raw %}<img src='{{ t }}'>{% endraw %}",
        "{# <a href='{{ t }}'> #}",
        "<a href='{{ t }}' data-msgtrack=off>x</a>",
        "<a href='{{ t }}' clicktracking=off>x</a>",
        "<a href='*|URL|*'>another language</a>",
        "<html ⚡4email><a href='{{ t }}'>x</a><img src='{{ t }}'>",
        "<p>{{ t }}</p>",
    ],
)
def test_what_is_no_link_of_ours_is_left_out(markup: str) -> None:
    assert audit(markup, syntax="jinja") == ()


def test_what_the_engine_would_refuse_is_found_once() -> None:
    assert found("<p>{{ a }</p>") == [("broken-tag", 1, 4)]
    assert found('<a href="https://shop.example/{{ a }">x</a>') == [("split-placeholder", 1, 31)]


def test_plain_text() -> None:
    source = "Shop: https://{{ shop }}.example/a\nhttps://shop.example/{{ ok }} (https://shop.example{{ x }}/)."
    assert found(source, part="text") == [("personalized-host", 1, 15), ("personalized-host", 2, 52)]
    assert [each.attribute for each in audit(source, syntax="jinja", part="text")] == ["", ""]


def test_instructions_are_taken_for_fixed_text_or_carried_out() -> None:
    source = (
        "<%@ include view='Head' %>\n<a href=\"<%@ include view='MirrorPageUrl' %>\">1</a>\n"
        "<a href=\"<%@ include option='Base' %>/?n=<%= user.name %>\">2</a>\n"
        '<a href="https://<%= user.shop %>.example/">3</a><a href="https://shop.example/?n=<%= new Date() %>">4</a>\n'
        "<a href=\"https://<%@ value object='startScript' %>= x <%@ value object='endScript' %>/\">5</a>"
    )
    problems = found(source, syntax="campaign")
    assert [(code, line) for code, line, _ in problems if line < 5] == [
        ("personalized-host", 4),
        ("unsupported-script", 4),
    ]
    assert {"control-tag", "personalized-host"} <= {code for code, line, _ in problems if line == 5}
    views = {"Head": "<a href='<%= all %>'>h</a>", "MirrorPageUrl": "https://m.example/"}
    carried = found(source, syntax="campaign", loaders={"view": views, "option": {"Base": "https://b.example"}})
    assert [(code, line) for code, line, _ in carried] == [
        ("personalized-host", 1),
        ("personalized-host", 4),
        ("unsupported-script", 4),
        ("personalized-host", 5),
    ]
    assert found(source, syntax="campaign", loaders={"view": views}) == [("missing-loader", 3, 10)]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InvalidOption, match="syntax"):
        audit("", syntax="jinga")
    with pytest.raises(InvalidOption, match="Part"):
        audit("", syntax="jinja", part="amp")
    with pytest.raises(InvalidOption, match="url_format"):
        audit("", syntax="jinja", url_format="short")
    with pytest.raises(InvalidOption, match="instructions"):
        audit("", syntax="jinja", loaders={})
    with pytest.raises(InvalidValue, match="decode"):
        audit(b"", syntax="jinja")  # type: ignore[arg-type]
    assert audit("<a href='{{ x }}'>", syntax="none") == ()


def test_a_problem_compares_by_value() -> None:
    assert audit('<a href="{{ u }}">', syntax="jinja") == (
        Problem(
            code="personalized-host",
            message=AUDIT_PROBLEMS["personalized-host"],
            line=1,
            column=10,
            url="{{ u }}",
            attribute="href",
        ),
    )


PIECES = (
    *("<a href=", "<img src=", '"', "'", ">", "https://", "shop.example", "/", "?id=", "&amp;", "%", " ", "\n", "x"),
    *(
        "{{ x }}",
        "{{",
        "}}",
        "{% if x %}",
        "{% endif %}",
        "{# c #}",
        "{% raw %}",
        "{% endraw %}",
        "<%= a.b %>",
        "<%",
        "%>",
    ),
    *("*|X|*", "%X%", "<!--", "-->", " data-msgtrack=off", "<base href='https://b.example/'>", "#", "mailto:"),
)


@given(
    source=st.lists(st.sampled_from(PIECES), max_size=25).map(
        lambda some: "".join(some).translate({183: " ", 182: "\n"})
    ),
    name=st.sampled_from(sorted(TAGS)),
    is_campaign=st.booleans(),
)
def test_the_audit_finds_a_link_where_compiling_refuses_it(source: str, name: str, is_campaign: bool) -> None:
    tracker = CAMPAIGN if is_campaign else TRACKER
    for part in ("html", "text"):
        problems = audit(source, syntax=name, part=part, url_format=tracker.url_format)
        rules = LinkRules(unfit_links="skip")
        try:
            compiled = tracker.compile(**{part: source}, delivery_id="1", syntax=name, rules=rules)  # type: ignore[arg-type]
        except CompileError:
            assert name == "campaign"
            continue
        unfit = {(each.line, each.column) for each in compiled.findings if each.code == "unfit-link"}
        loaded = {(each.line, each.column) for each in problems if each.attribute not in ("", "href")}
        places = {(each.line, each.column) for each in problems if each.code != "broken-tag"}
        assert unfit <= places
        assert bool(unfit) == bool(places - loaded)


@given(source=st.text(alphabet="{}%<>*|!-#[]ahrefsc=:/\"' \n", max_size=60), name=st.sampled_from(sorted(TAGS)))
def test_any_text_can_be_audited(source: str, name: str) -> None:
    for part in ("html", "text"):
        for problem in audit(f'<img src="{source}', syntax=name, part=part):
            assert problem.code in AUDIT_PROBLEMS or name == "campaign"
            assert problem.line >= 1
            assert problem.column >= 1
        audit(source, syntax=by_name(name), part=part)


@pytest.mark.parametrize("markup", [" data-msgtrack=off", ""])
def test_a_link_that_is_left_alone_is_shown_as_its_author_wrote_it(markup: str) -> None:
    compiled = TRACKER.compile(
        html=f'<a href="{{{{ stop }}}}?a=1&amp;b=2"{markup}>x</a>',
        delivery_id="1",
        syntax="jinja",
        rules=LinkRules(unfit_links="skip"),
    )
    assert [each.url for each in compiled.decisions] == ["{{ stop }}?a=1&b=2"]
    assert not any("\ufdd0" in each.message for each in compiled.findings)
