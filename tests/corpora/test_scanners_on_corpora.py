"""Real mail: the scanner finds the links that an independent parser finds, and those that only Outlook sees.

Every reason why the two may differ is a rule in ``RULES``, with an example that shows it. Of the corpora's files none needs
a rule but ``conditional-comment``, ``vml`` and, in the files named in ``TEMPLATE_FILES``, ``template-tag``.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from msgtrack.links.html import LinkSite, scan_html
from msgtrack.links.markers import markup_of, read_markup
from msgtrack.links.templates import holds_template_tag, masked
from msgtrack.links.text import scan_text

turbohtml = pytest.importorskip("turbohtml", reason="the independent parser is not installed")

LINK_NAMES = re.compile(r"(?:a|area|v:.+|w:.+)\Z")

RULES = {
    "conditional-comment": "links in <!--[if …]> are found; to a parser they are part of a comment",
    "vml": "the href of v:* and w:* elements is a link to Outlook",
    "tree": "a parser drops or moves elements because of where they stand; the scanner builds no tree",
    "template-tag": "quotes, angle brackets and links inside a template tag belong to the template language",
    "foreign": "inside <foreignObject> and its kind, and in an <svg> closed from outside, the scanner follows no HTML",
}
EXAMPLES: dict[str, tuple[str, set[str], set[str]]] = {
    "conditional-comment": ("<!--[if mso]><a href=1>x</a><![endif]--><a href=2>y</a>", {"1"}, set()),
    "vml": ("<v:rect href=1></v:rect>", {"1"}, set()),
    "tree": ("<frameset><a href=1>x</a></frameset>", {"1"}, set()),
    "template-tag": ("<a {% if a > b %} href=1>x</a>{# <a href=2> #}", {"1"}, {"2"}),
    "foreign": ("<svg><title><![CDATA[ <p> <a href=1> ]]></title></svg>", {"1"}, set()),
}
Link = tuple[int, str]
# Of the 189 files with template tags, those where a parser that knows none finds other links: mail that quotes PHP code.
TEMPLATE_FILES = {"email_html/spamassassin-public-corpus-html/easy-ham-2/01187.53063c4a5d1cd337d5c6160f2a5fad8a.html"}


def html_files(corpora: Path) -> list[Path]:
    return sorted(path for path in (corpora / "email_html").rglob("*") if path.is_file())


@cache
def html_texts(corpora: Path) -> dict[str, str]:
    """The HTML of the corpora by name: the files of ``email_html``, and the HTML parts of the messages in ``email_raw``."""
    texts = {
        str(path.relative_to(corpora)): path.read_bytes().decode("utf-8", "replace") for path in html_files(corpora)
    }
    for path in sorted((corpora / "email_raw").rglob("*")):
        if path.is_file():
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
            for number, part in enumerate(message.walk()):
                if part.get_content_type() == "text/html" and isinstance(body := part.get_payload(decode=True), bytes):
                    texts[f"{path.relative_to(corpora)}#{number}"] = body.decode("utf-8", "replace")
    return texts


def of_parser(html: str) -> set[Link]:
    """Offset and value of each link's attribute, as the independent parser has them; for text with LF line endings."""
    document = turbohtml.parse(html, source_locations=True)
    return {
        (element.source_location.attrs["href"].start_offset, element.attrs["href"])
        for element in document.iter_elements()
        if LINK_NAMES.match(element.tag) and "href" in element.attrs and element.source_location is not None
    }


def of_scanner(sites: list[LinkSite], html: str) -> set[Link]:
    links = set()
    for site in sites:
        href = next(attribute for attribute in site.attributes if attribute.name == "href")
        links.add((href.end - len(html[href.start : href.end].lstrip()), href.value))
    return links


def conditional_bodies(html: str) -> list[str]:
    """What stands in conditional comments, nested openers taken out: found by the parser's comments, not by the scanner."""
    document = turbohtml.parse(html)
    comments = [node.data for node in document.descendants if isinstance(node, turbohtml.Comment)]
    opener = re.compile(r"\[if[^\]>]*\]>", re.IGNORECASE)
    bodies = [comment[match.end() :] for comment in comments if (match := opener.match(comment))]
    return [re.sub(r"(?i)<!--\[if[^\]>]*\]>", "", body) for body in bodies]


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_an_example(rule: str) -> None:
    html, only_ours, only_theirs = EXAMPLES[rule]
    document = turbohtml.parse(html)
    elements = [element for name in ("a", "area") for element in document.find_all(name)]
    theirs = {element.attrs["href"] for element in elements if "href" in element.attrs}
    ours = {site.url for site in scan_html(html).sites}
    assert (ours - theirs, theirs - ours) == (only_ours, only_theirs)


def test_links_in_the_open_are_those_of_an_independent_parser(corpora: Path) -> None:
    links = templates = 0
    different = set()
    for name, text in html_texts(corpora).items():
        html = text.replace("\r\n", "\n").replace("\r", "\n")
        open_sites = [site for site in scan_html(html).sites if not site.in_conditional]
        ours, theirs = dict(of_scanner(open_sites, html)), dict(of_parser(html))
        links += len(ours)
        if ours.keys() != theirs.keys():
            different.add(name)
        # A parser ends a value at the first quote, though a template tag holds it.
        assert all(
            holds_template_tag(ours[offset]) for offset, value in theirs.items() if ours.get(offset, value) != value
        )
        mask = masked(html)
        if mask != html:
            # With the tags written over, the parser finds what we find.
            assert ours.keys() == dict(of_parser(mask)).keys(), name
            templates += 1
    assert different == TEMPLATE_FILES
    assert links > 6_000
    assert templates > 150


def test_links_in_conditional_comments_are_those_of_an_independent_parser(corpora: Path) -> None:
    links = 0
    for name, text in html_texts(corpora).items():
        html = text.replace("\r\n", "\n").replace("\r", "\n")
        hidden = [site for site in scan_html(html).sites if site.in_conditional]
        theirs = Counter(value for body in conditional_bodies(html) for _, value in of_parser(body))
        assert Counter(value for _, value in of_scanner(hidden, html)) == theirs, name
        links += len(hidden)
    assert links > 100


def test_visible_text_is_that_of_an_independent_parser(corpora: Path) -> None:
    """White space aside, which a parser does not put where blocks part words; one may stop sooner in misnested markup."""
    compared = different = 0
    for name, text in html_texts(corpora).items():
        html = text.replace("\r\n", "\n").replace("\r", "\n")
        document = turbohtml.parse(html, source_locations=True)
        elements = {
            element.source_location.start_tag.start_offset: element
            for element in document.find_all("a")
            if element.source_location is not None
        }
        for site in scan_html(html).sites:
            if site.element == "a" and not site.in_conditional:
                element = elements[site.tag_start]
                ours, theirs = "".join(site.text.split()), "".join(element.text.split())
                if theirs or element.find("img") is None:
                    assert theirs.startswith(ours) or ours.startswith(theirs), (name, site)
                    compared += 1
                    different += ours != theirs
    assert compared > 5_000
    assert different < compared / 500


def test_line_endings_move_spans_and_nothing_else(corpora: Path) -> None:
    for name, text in html_texts(corpora).items():
        html = text.replace("\r\n", "\n").replace("\r", "\n")
        plain, crlf = scan_html(html).sites, scan_html(html.replace("\n", "\r\n")).sites
        assert [(s.element, s.url, s.text, s.quote) for s in plain] == [
            (s.element, s.url, s.text, s.quote) for s in crlf
        ], name


def test_rewriting_every_link_leaves_every_link_where_it_was(corpora: Path) -> None:
    for name, html in html_texts(corpora).items():
        pieces, done = [], 0
        sites = [site for site in scan_html(html).sites if site.raw]
        for site in sites:
            assert done <= site.start < site.end, name
            assert html[site.start : site.end] == site.raw
            assert markup_of(site) == read_markup(site.attributes)
            pieces += [html[done : site.start], "https://t.example/0"]
            done = site.end
        again = [site.url for site in scan_html("".join((*pieces, html[done:]))).sites if site.raw]
        assert again == ["https://t.example/0"] * len(sites), name


def test_plain_text_of_real_mail(corpora: Path) -> None:
    found = occurrences = 0
    for path in sorted((corpora / "email_raw").rglob("*")):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            sites = scan_text(text)
            done = 0
            for site in sites:
                assert done <= site.start < site.end
                assert site.url.lower().startswith(("http://", "https://"))
                done = site.end
            covered = sum(site.url.lower().count("http://") + site.url.lower().count("https://") for site in sites)
            found += covered
            occurrences += len(re.findall(r"(?<![a-z0-9+])https?://[a-z0-9]", text, re.IGNORECASE | re.ASCII))
    assert found >= occurrences > 3_000
