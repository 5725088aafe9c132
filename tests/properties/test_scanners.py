"""What holds for the scanners on any text whatever: order, spans, time, and agreement with an independent parser."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from msgtrack.links.html import LinkSite, scan_html
from msgtrack.links.markers import markup_of, read_markup
from msgtrack.links.templates import masked
from msgtrack.links.text import scan_text

PLAIN_TOKENS = [
    *("<a ", "<A ", "<a/", "<area ", "</a>", "</", "<", ">", "/>", "/", "=", '"', "'", " ", "\t", "\n", "x", "y z"),
    *("href=", "href =", "HREF='", 'href="', "href ", "<a href=1>", '<a href="2">', "<a href='3'>", "<a href=' 4 '>"),
    *(
        "<p>",
        "</p>",
        "<p ",
        "<td>",
        "<b>",
        "</b>",
        "<br/>",
        '<div class="a>b">',
        "<span style='x'>",
        "<font color=red>",
    ),
    *(
        '<x y="=">',
        '<img alt="a>',
        "x='",
        'x="',
        "x= '",
        '">',
        "'>",
        'title="a\'b"',
        "style=\"f:'x'\"",
        "<html>",
        "<head>",
        "<body>",
        "</body>",
    ),
    *("<!--", "-->", "--!>", "->", "--", "-", "!>", "<!-->", "<!--->", "<!", "<?", "?>", "<!doctype html>", "]]>"),
    *("<style>", "</style>", "</style ", "<script>", "</script>", "<script ", "<title>", "</title>", "<textarea>"),
    *(
        "</textarea>",
        "<xmp>",
        "</xmp>",
        "<iframe>",
        "</iframe>",
        "<noframes>",
        "</noframes>",
        "<noembed>",
        "</noembed>",
    ),
    *("<template>", "</template>", "<noscript>", "</noscript>", "<plaintext>", "<![CDATA["),
    *("&amp;", "&amp", "&copy=", "&copy", "&#65;", "&#x80;", "&#0;", "&not", "it;", ";", "&"),
]
FOREIGN_TOKENS = [
    *(
        "<svg>",
        "</svg>",
        "<svg ",
        "<math>",
        "</math>",
        "<foreignObject>",
        "</foreignObject>",
        "<mi>",
        "</mi>",
        "<desc>",
    ),
    *("</desc>", '<annotation-xml encoding="text/html">', "</annotation-xml>", "</br>"),
]
OTHER_TOKENS = [
    *("<!--[if mso]>", "<![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<![if !mso]>", "<![endif]>"),
    *(
        "<v:roundrect ",
        "<w:x ",
        "</v:roundrect>",
        "<base ",
        "_label=",
        " clicktracking=off",
        "class=untracked",
        "\r\n",
        "\r",
    ),
    *("\f", "\v", "\x00", "\u00a0", "\ud800", "é", "{{", "}}", "<%", "%>", "*|", "|*"),
    *(
        "{%",
        "%}",
        "${",
        "#{",
        "}",
        "[[",
        "]]",
        "[%",
        "<?php ",
        "?>",
        "{if ",
        "{$x",
        "<#if ",
        "</#if>",
        "<@x ",
        "{#",
        "#}",
    ),
]


def soups(*tokens: str, size: int = 30) -> st.SearchStrategy[str]:
    """Markup put together from pieces that mean something to a tokenizer, with a little of anything else."""
    return st.lists(st.sampled_from(tokens), max_size=size).map("".join)


any_html = soups(*PLAIN_TOKENS, *FOREIGN_TOKENS, *OTHER_TOKENS) | st.text() | st.text("<>!-/a href='\"[if]=")
any_text = st.text() | soups(
    *(
        "http://",
        "HTTPS://",
        "https://e.example",
        "e.example/x",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        '"',
        "'",
        "“",
        "”",
    ),
    *(
        ".",
        ",",
        ";",
        ":",
        "!",
        "?",
        " ",
        "\n",
        "\r\n",
        "{{",
        "}}",
        "{%",
        "%}",
        "<%",
        "%>",
        "*|",
        "|*",
        "${",
        "x",
        "é",
        "。",
    ),
)


def spliced(html: str, spans: list[tuple[int, int, str]]) -> str:
    pieces, done = [], 0
    for start, end, text in spans:
        pieces += [html[done:start], text]
        done = end
    return "".join((*pieces, html[done:]))


def name_offset(html: str, site: LinkSite) -> int:
    href = next(attribute for attribute in site.attributes if attribute.name == "href")
    return href.end - len(html[href.start : href.end].lstrip("\t\n\f\r "))


@given(any_html)
@example("<a href=x<!--[if mso]><a href=<![endif]-->")
def test_spans_are_ordered_disjoint_and_exact(html: str) -> None:
    scan = scan_html(html)
    done = 0
    for site in scan.sites:
        assert done <= site.tag_start < site.start <= site.end < site.tag_end <= len(html)
        assert html[site.start : site.end] == site.raw
        assert site.raw == site.raw.strip("\t\n\f\r ")
        assert html[site.tag_start] == "<"
        assert html[site.tag_end - 1] == ">"
        before = site.tag_start
        for attribute in site.attributes:
            assert before < attribute.start < attribute.end < site.tag_end
            before = attribute.start
        assert "  " not in site.text
        assert markup_of(site) == read_markup(site.attributes)
        done = site.tag_end
    assert 0 <= scan.end <= len(html)
    for offset in (scan.body_start, scan.body_end):
        assert offset is None or 0 <= offset <= len(html)


@given(any_html)
def test_a_rewritten_link_is_found_again_and_nothing_else_moves(html: str) -> None:
    sites = scan_html(html).sites
    rewritten = spliced(html, [(s.start, s.end, "https://t.example/0") for s in sites if s.raw or s.quote])
    again = scan_html(rewritten).sites
    assert [site.url for site in again] == ["https://t.example/0" if s.raw or s.quote else "" for s in sites]
    assert [(site.element, site.quote, site.in_conditional) for site in again] == [
        (site.element, site.quote, site.in_conditional) for site in sites
    ]


@given(any_html)
def test_removed_markers_leave_every_other_attribute(html: str) -> None:
    sites = scan_html(html).sites
    markers = [markup_of(site).marker_spans for site in sites]
    kept = [[a for a in site.attributes if a not in spans] for site, spans in zip(sites, markers, strict=True)]
    removed = spliced(html, [(span.start, span.end, "") for spans in markers for span in spans])
    again = scan_html(removed).sites
    assert [[(a.name, a.value) for a in site.attributes] for site in again] == [
        [(attribute.name, attribute.value) for attribute in attributes] for attributes in kept
    ]


@given(any_html)
def test_a_mask_has_the_length_of_what_it_masks(html: str) -> None:
    mask = masked(html)
    assert len(mask) == len(html)
    assert all(one == two or one in " x" for one, two in zip(mask, html, strict=True))


TEMPLATE_TAGS = [
    *(
        "{{ a > 'b' }}",
        '{% if a > "b" %}',
        "{# ' > #}",
        '<%= f(">") %>',
        "<?php echo '>' ?>",
        '<? "> ?>',
        "*|IF:A > 'B|*",
    ),
    *('${a["x>"]}', "#{'>'}", "[['x']]", '[% a > "b" %]', "{if $a > '5'}", "{$a|default:'>'}", '<#if (a > "b")>'),
]
BETWEEN = [
    "<a {}href={}>",
    '<a {}title="{}"{} href="{}">',
    "<a{} class='{}' HREF='{}'>",
    "<area {}alt=x{} href=x/{}/y{} z>",
]


@given(st.lists(st.sampled_from(TEMPLATE_TAGS), min_size=4, max_size=4), st.sampled_from(BETWEEN))
def test_template_tags_leave_the_markup_around_them_as_it_is(tags: list[str], shape: str) -> None:
    html = f"<p {tags[0]}>" + shape.format(*tags) + f'{tags[1]}<a href="https://e.example/">'
    one, two = scan_html(html).sites
    assert two.url == "https://e.example/"
    assert one.tag == shape.format(*tags)
    assert one.raw in shape.format(*tags)
    assert any(tag in one.raw for tag in tags)


@given(any_html)
def test_line_endings_make_no_difference_to_what_is_found(html: str) -> None:
    html = html.replace("\r\n", "\n").replace("\r", "\n")
    found, found_crlf = scan_html(html), scan_html(html.replace("\n", "\r\n"))
    assert [(s.element, s.url, s.text) for s in found.sites] == [(s.element, s.url, s.text) for s in found_crlf.sites]
    assert len(html[: found.end].replace("\n", "\r\n")) == found_crlf.end


@given(soups(*PLAIN_TOKENS))
def test_links_are_those_of_an_independent_parser(html: str) -> None:
    turbohtml = pytest.importorskip("turbohtml")
    # Pieces may come together as a template tag, which means nothing to a parser.
    assume(masked(html) == html)
    document = turbohtml.parse(html, source_locations=True)
    # Elements that the parser makes again after misnesting have no place in the source; their originals have.
    theirs = {
        (element.source_location.attrs["href"].start_offset, element.attrs["href"])
        for name in ("a", "area")
        for element in document.find_all(name)
        if "href" in element.attrs and element.source_location is not None
    }
    ours = {
        (name_offset(html, site), next(a.value for a in site.attributes if a.name == "href"))
        for site in scan_html(html).sites
    }
    assert ours == theirs


@given(soups(*PLAIN_TOKENS))
def test_a_pixel_is_a_pixel_wherever_the_scan_says_it_can_go(html: str) -> None:
    turbohtml = pytest.importorskip("turbohtml")
    assume(masked(html) == html)
    scan = scan_html(html)
    for offset in {scan.end, scan.body_start, scan.body_end} - {None}:
        document = turbohtml.parse(html[:offset] + '<img src="PIXEL">' + html[offset:])
        assert any(image.attrs.get("src") == "PIXEL" for image in document.find_all("img"))


@given(any_text)
def test_text_spans_are_ordered_disjoint_and_exact(text: str) -> None:
    done = 0
    for site in scan_text(text):
        assert done <= site.start < site.end <= len(text)
        assert site.url.lower().startswith(("http://", "https://"))
        assert "\n" not in site.url
        assert text[site.start : site.end].replace("\r", "").replace("\n", "").replace(" ", "") == site.url.replace(
            " ", ""
        )
        done = site.end


@given(
    st.lists(
        st.from_regex(
            r"https?://[a-z]{1,8}\.example(/[\w~%+=&#@$-]{0,8}(\([\w]{0,4}\)|\[[0-9]\]|,[a-z])?){0,3}/", fullmatch=True
        ),
        max_size=6,
    ),
    st.sampled_from(
        ["{}", "({})", "[{}]", "<{}>", '"{}"', "{}.", "{},", "({}),", "{}!?", "'{}'", "see: {};", "{})", "“{}”"]
    ),
    st.sampled_from([" ", "\n", "\r\n", "\t", " and "]),
)
def test_text_urls_come_out_of_every_setting(urls: list[str], setting: str, between: str) -> None:
    text = between.join(setting.format(url) for url in urls)
    assert [site.url for site in scan_text(text)] == urls


HTML_PREFIXES = [
    "",
    "<td ",
    "<a ",
    '<a href="',
    "<!--",
    "<!--[if mso]>",
    "<script>",
    "<a href=x>",
    "<svg>",
    "<a href=x title='",
]
HTML_UNITS = [
    *(
        '"',
        "'",
        "<",
        "</",
        "<!",
        "<?",
        ">",
        "-",
        "/",
        " ",
        '="',
        '<td a="',
        "<td a='x\" ",
        '<td =" ',
        '<p "',
        ' x="y"',
        " x",
    ),
    *("<a ", '<a href="', "<a href=x>", "<a href=x><img alt='", "<v:a href=x>", "</a>", "<td>", "<td class='x\">"),
    *(
        "<!--",
        "<!---->",
        "<!--x-->",
        "<!-- - -->",
        "<!--[if mso]>",
        "<!--[if a]><a href=x>",
        "<!--[if mso]><a href=x><![endif]-->",
    ),
    *(
        "<script>",
        "</script",
        "<!--<script>",
        "<style>",
        "<style></style>",
        "<textarea",
        "<title><a href=x>",
        "</style ",
    ),
    *("<svg>", "<svg></math>", "</svg>", "<svg><![CDATA[", "<svg><foreignObject>", "<svg><p>", "<body>", "</body>"),
    *("&amp", "&#", "&notit;", "<a href=&amp"),
    *(
        "{{",
        "{{ ",
        "{{a}}",
        "{%",
        "<%",
        "<%a%>",
        "<?=",
        "*|",
        "${",
        "#{",
        "[[",
        "[%",
        "{if ",
        "{$",
        "<#a",
        "<#a(",
        "<#a'",
        "<@a ()",
    ),
    *("{{a{%b<%c<?=d*|e${f#{g[[h[%i", "<a{{a}}", "<a href={{a}}", "<html 4email", "<!--4email-->"),
]
TEXT_UNITS = [
    *(
        "http://a",
        "http://(",
        "http://a)",
        "http://a(",
        "(http://a",
        "http://a.",
        "http://a..... ",
        "http://a'",
        "http://",
    ),
    *(
        "http://a{{",
        "http://a{{ }}",
        "http://a*|",
        "http://<%",
        "http://a<%%>",
        "http://a$",
        "http://a[[",
        "http://{",
        "<http://a\nb",
    ),
    *("(", "{{", "://", "\n"),
]


def seconds(work: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    work(text)
    return time.process_time() - start


def assert_linear(work: Callable[[str], object], prefix: str, unit: str, suffix: str = "") -> None:
    """Four times the text takes at most twelve times as long; a quadratic scanner would take sixteen times as long."""
    # An even number of them both times, so that quotes and brackets pair off in both or in neither.
    times = 4_000 // len(unit) * 2
    small, large = (prefix + unit * count + suffix for count in (times, 4 * times))
    # A busy machine may spoil one measurement, not four in a row.
    for _ in range(4):
        base, taken = seconds(work, small), seconds(work, large)
        if taken < max(12 * base, 0.02):
            return
    pytest.fail(f"{taken:.3f} s for four times what took {base:.3f} s: {(prefix, unit, suffix)}")


def read_everything(html: str) -> None:
    for site in scan_html(html).sites:
        markup_of(site)
        assert site.text is not None
        assert site.attributes is not None


@pytest.mark.parametrize("prefix", HTML_PREFIXES)
def test_time_is_linear_in_html(prefix: str) -> None:
    for unit in HTML_UNITS:
        for suffix in ("", ">"):
            assert_linear(read_everything, prefix, unit, suffix)


@pytest.mark.parametrize("prefix", ["", "http://a", "(http://a", "<http://a"])
def test_time_is_linear_in_text(prefix: str) -> None:
    for unit in TEXT_UNITS:
        assert_linear(scan_text, prefix, unit)
