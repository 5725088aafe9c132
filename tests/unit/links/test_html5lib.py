"""The cases that parsers of HTML share (html5lib-tests): the scanner finds the links that the standard says are there.

Twice over: the expected tokens and trees of the cases say which attributes and links there are; and each input is put where
markup can hide or reveal a link, with a link behind it, where an independent parser says what is one. Every reason why
the two may differ is a rule in ``RULES``. ``scripts/_samples.py`` fetches the cases.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from msgtrack.links.entities import decode_text
from msgtrack.links.html import scan_html
from msgtrack.links.tags import TAG_NAME, lower, read_attributes
from msgtrack.links.templates import masked

turbohtml = pytest.importorskip("turbohtml", reason="the independent parser is not installed")

Link = tuple[int, str]
LINK_NAMES = re.compile(r"(?:a|area|v:.+|w:.+)\Z")
PROBE = '<a href="https://probe.example/">'


class Rule(NamedTuple):
    """Why the scanner may find more than a parser, and in which markup."""

    reason: str
    applies: Callable[[str], object]


RULES = {
    "frameset": Rule("a page of frames has no body, so a parser drops its links", re.compile("(?i)<frameset").search),
    "columns": Rule(
        "among the columns of a table, in a template or a fragment, a parser drops all else",
        re.compile(r"(?is)<template>.*<col|\A<colgroup>").search,
    ),
    "foreign": Rule(
        "the end of an element around it ends a picture or a formula, and the scanner follows no HTML",
        re.compile("(?is)<(?:svg|math)(?!.*</(?:svg|math)).*</.*<plaintext").search,
    ),
}
"""The scanner builds no tree, so it finds links that a parser drops because of where they stand; it never finds fewer."""


@pytest.fixture(scope="module")
def samples(root: Path) -> Path:
    folder = root / ".samples" / "html5lib-tests"
    if not (folder / "stamp").is_file():
        pytest.skip("html5lib-tests are not here; scripts/_samples.py fetches them")
    return folder


class Case(NamedTuple):
    """One case of the tokenizer's: what it begins in, the text, and the tokens."""

    name: str
    state: str
    last_start_tag: str
    text: str
    tokens: list[Any]


def tokenizer_cases(samples: Path) -> Iterator[Case]:
    for path in sorted((samples / "tokenizer").glob("*.test")):
        for number, case in enumerate(json.loads(path.read_text(encoding="utf-8"))["tests"]):
            text, tokens = case["input"], case["output"]
            if case.get("doubleEscaped"):
                text, tokens = _unescaped(text), _unescaped(tokens)
            for state in case.get("initialStates", ["Data state"]):
                yield Case(f"{path.stem}-{number}", state, case.get("lastStartTag", ""), _lines(text), tokens)


def _unescaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unescaped(each) for each in value]
    if isinstance(value, dict):
        return {_unescaped(key): _unescaped(each) for key, each in value.items()}
    return (
        re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), value) if isinstance(value, str) else value
    )


def _lines(text: str) -> str:
    """Line ends as a parser reads them; what that does to offsets is tested elsewhere."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def in_state(case: Case) -> str:
    """The text behind the tag that brings a tokenizer into the state in which the case begins."""
    before = {
        "Data state": "",
        "RCDATA state": f"<{case.last_start_tag or 'title'}>",
        "RAWTEXT state": f"<{case.last_start_tag or 'style'}>",
        "Script data state": "<script>",
        "PLAINTEXT state": "<plaintext>",
        "CDATA section state": "<svg><![CDATA[",
    }
    return before[case.state] + case.text


class Tree(NamedTuple):
    """One case of tree construction: the element around the text, the text, and the tree as indented lines."""

    name: str
    context: str
    text: str
    tree: str


def tree_cases(samples: Path) -> Iterator[Tree]:
    for path in sorted((samples / "tree-construction").glob("*.dat")):
        text = path.read_bytes().decode("utf-8")
        for number, block in enumerate(re.split(r"(?:\A|\n\n)(?=#data\n)", text)[1:]):
            sections = re.split(
                r"(?m)^#(data|errors|new-errors|document-fragment|script-on|script-off|document)$\n?", block
            )
            said = {name: text.removesuffix("\n") for name, text in zip(sections[1::2], sections[2::2], strict=True)}
            # Mail is shown without scripts.
            if "script-on" not in said:
                context = said.get("document-fragment", "").strip()
                yield Tree(f"{path.stem}-{number}", context, _lines(said["data"]), said["document"])


def links_of_tree(tree: str) -> set[str]:
    """The addresses of its links, each once: a parser may make several elements of one tag."""
    found = set()
    element = ""
    # A value may hold line breaks; the lines of a tree begin with a bar.
    for line in re.split(r"\n(?=\| )", tree):
        if (start := re.match(r"\| +<(?:svg |math )?([^ >]+)>\Z", line)) is not None:
            element = start[1]
        elif LINK_NAMES.match(element) and (value := re.match(r'\| +href="(.*)"\Z', line, re.DOTALL)) is not None:
            found.add(value[1])
    return found


def in_context(case: Tree) -> str:
    """The text inside the element that the case names; where that is HTML and holds markup, nothing depends on it."""
    if case.context.startswith(("svg ", "math ")):
        return "".join(f"<{name}>" for name in case.context.split()) + case.text
    is_raw = case.context in (
        "title",
        "textarea",
        "style",
        "script",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "plaintext",
    )
    return f"<{case.context}>{case.text}" if is_raw else case.text


def of_scanner(html: str) -> set[Link]:
    """Offset and value of the ``href`` of each link outside of conditional comments."""
    links = set()
    for site in scan_html(html).sites:
        if not site.in_conditional:
            href = next(attribute for attribute in site.attributes if attribute.name == "href")
            links.add((href.end - len(html[href.start : href.end].lstrip("\t\n\f\r ")), href.value))
    return links


def of_parser(html: str) -> set[Link]:
    document = turbohtml.parse(html, source_locations=True)
    return {
        (element.source_location.attrs["href"].start_offset, element.attrs["href"])
        for element in document.iter_elements()
        if LINK_NAMES.match(element.tag) and "href" in element.attrs and element.source_location is not None
    }


def test_attributes_are_those_of_the_tokens(samples: Path) -> None:
    compared = 0
    for case in tokenizer_cases(samples):
        name = TAG_NAME.match(case.text)
        if case.state == "Data state" and name is not None and case.tokens[:1] and case.tokens[0][0] == "StartTag":
            _, element, attributes = case.tokens[0][:3]
            ours: dict[str, str] = {}
            for attribute in read_attributes(case.text, name.end(), len(case.text)):
                # What a NUL becomes in a name is of no matter: no name that is looked for has one.
                ours.setdefault(attribute.name.replace("\0", "\ufffd"), attribute.value)
            assert lower(name[1]).replace("\0", "\ufffd") == element, case
            assert ours == attributes, case
            compared += bool(attributes)
    assert compared > 300


def test_links_are_those_of_the_tokens(samples: Path) -> None:
    """In the cases that begin in raw text, a link is one where the tokens have it."""
    compared = 0
    for case in tokenizer_cases(samples):
        # A tokenizer alone switches to no raw text; a document does.
        switches = {
            "script",
            "style",
            "title",
            "textarea",
            "xmp",
            "plaintext",
            "svg",
            "math",
            "iframe",
            "noembed",
            "noframes",
        }
        starts = [token for token in case.tokens if token[0] == "StartTag"]
        if not switches & {token[1] for token in starts}:
            expected = [token[2]["href"] for token in starts if LINK_NAMES.match(token[1]) and "href" in token[2]]
            assert [value for _, value in sorted(of_scanner(in_state(case)))] == expected, case
            compared += 1
    assert compared > 6_000


def test_references_are_those_of_the_tokens(samples: Path) -> None:
    compared = 0
    for case in tokenizer_cases(samples):
        if "&" in case.text and "<" not in case.text and case.state == "Data state":
            assert decode_text(case.text) == "".join(token[1] for token in case.tokens), case
            compared += 1
    assert compared > 4_000


def test_references_in_an_address_are_those_of_an_independent_parser(samples: Path) -> None:
    compared = 0
    for case in tokenizer_cases(samples):
        for behind in ("", "=1", "a", ";", "&b=2") if "&" in case.text and not set(case.text) & set("<>\"'") else ():
            html = f'<a href="https://e.example/?a={case.text}{behind}#b">'
            (theirs,) = of_parser(html)
            (site,) = scan_html(html).sites
            assert site.attributes[0].value == theirs[1], case
            assert site.url == re.sub("[\t\n\r]", "", theirs[1]), case
            compared += 1
    assert compared > 20_000


def test_links_are_those_of_the_trees(samples: Path) -> None:
    """With an address for every link that has none, so that each ``<a>`` of a tree counts."""
    compared = 0
    for case in tree_cases(samples):
        html = re.sub(r"<([aA])(?=[\s/>])(?! href)", r"<\1 href=x ", in_context(case))
        tree = re.sub(r'(?m)^(\| +<(?:svg |math )?a>)$(?!\n\| +href=")', r'\1\n|  href="x"', case.tree)
        ours, theirs = {value for _, value in of_scanner(html)}, links_of_tree(tree)
        if theirs - ours or (
            ours - theirs and not any(rule.applies(f"<{case.context}>{html}") for rule in RULES.values())
        ):
            pytest.fail(f"{case}: {ours} are not {theirs}")
        compared += bool(theirs)
    assert compared > 80


PLACES = {
    "in the open": "{}" + PROBE,
    "in a value": '<a href="{}">' + PROBE,
    "in a single-quoted value": "<a href='{}'>" + PROBE,
    "in an unquoted value": "<a href={}>" + PROBE,
    "in a value before it": '<a title="{}" href="https://probe.example/">' + PROBE,
    "in a link's tag": "<a {} href=https://probe.example/>" + PROBE,
    "in a link's name": "<a{} href=https://probe.example/>" + PROBE,
    "in another's name": "<b{}" + PROBE * 2,
    "in a VML tag": "<v:rect {} href='https://probe.example/'>",
    "in an end tag": "</a {}" + PROBE * 2,
    "in a comment": "<!--{}" + PROBE + "-->" + PROBE,
    "in a declaration": "<!{}" + PROBE * 2,
    "in an instruction": "<?{}" + PROBE * 2,
    "in a script": "<script>{}" + PROBE + "</script>" + PROBE,
    "in a comment in a script": "<script><!--{}" + PROBE + "</script>" + PROBE,
    "in a script in a script": "<script><!--<script>{}" + PROBE + "</script>" + PROBE + "</script>" + PROBE,
    "in a style": "<style>{}" + PROBE + "</style>" + PROBE,
    "in a title": "<title>{}" + PROBE + "</title>" + PROBE,
    "in a text area": "<textarea>{}" + PROBE + "</textarea>" + PROBE,
    "in plain text": "{}<plaintext>" + PROBE,
    "in a template": "<template>{}" + PROBE + "</template>" + PROBE,
    "in a select": "<select>{}" + PROBE + "</select>" + PROBE,
    "in a table": "<table>{}" + PROBE + "</table>" + PROBE,
    "in a picture": "<svg>{}" + PROBE + "</svg>" + PROBE,
    "in a section": "<svg><![CDATA[{}" + PROBE + "]]>" + PROBE,
    "in a picture's title": "<svg><title>{}" + PROBE + "</title>" + PROBE,
    "in a picture's style": "<svg><style>{}" + PROBE + "</style>" + PROBE,
    "in a formula": "<math>{}" + PROBE + "</math>" + PROBE,
    "in a formula's text": "<math><mi>{}" + PROBE + "</mi>" + PROBE,
}


def texts_of(samples: Path) -> list[str]:
    """Every text once; those that are about references alone have tests of their own, as have lone surrogates."""
    texts = {_lines(case.text) for case in tree_cases(samples)}
    texts |= {in_state(case) for case in tokenizer_cases(samples) if "Entities" not in case.name}
    return sorted(text for text in texts if not re.search("[\ud800-\udfff]", text))


def explanations(html: str) -> list[str]:
    """The rules that say why the scanner finds other links than the parser; fails where none does."""
    ours, theirs = of_scanner(html), of_parser(html)
    if ours == theirs:
        return []
    names = [name for name, rule in RULES.items() if rule.applies(html)]
    assert ours > theirs, html
    assert names, html
    return names


@pytest.mark.parametrize("place", PLACES)
def test_a_link_behind_each_text_is_one_where_an_independent_parser_has_one(samples: Path, place: str) -> None:
    """Never does the scanner find fewer; where it finds more, a rule says why."""
    texts = texts_of(samples)
    explained = Counter(name for text in texts for name in explanations(PLACES[place].replace("{}", text)))
    assert explained.total() < 100
    assert len(texts) > 3_500


def test_a_link_anywhere_in_a_text_is_one_where_an_independent_parser_has_one(samples: Path) -> None:
    count = 0
    for text in texts_of(samples):
        for place in range(min(len(text), 120) + 1):
            explanations(text[:place] + PROBE + text[place:])
            count += 1
    assert count > 60_000


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_is_superfluous(samples: Path, rule: str) -> None:
    others = [other.applies for name, other in RULES.items() if name != rule]
    texts = [
        place.replace("{}", text)
        for place in (PLACES["in the open"], PLACES["in plain text"])
        for text in texts_of(samples)
    ]
    alone = [html for html in texts if RULES[rule].applies(html) and not any(applies(html) for applies in others)]
    assert any(of_scanner(html) > of_parser(html) for html in alone)


def test_of_the_texts_few_hold_template_tags(samples: Path) -> None:
    """So what was compared is the scanner's reading of markup, not the mask."""
    texts = [in_state(case) for case in tokenizer_cases(samples)]
    assert sum(masked(text) != text for text in texts) < 20


def test_what_the_cases_have_found() -> None:
    """Pinned, as the cases may not be here."""
    (site,) = scan_html('<a href="https://e.example/\0?a=\0">').sites
    assert site.url == "https://e.example/\ufffd?a=\ufffd"
    assert len(scan_html("<math><mi><malignmark><plaintext>" + PROBE).sites) == 1
    assert len(scan_html("<math><mi><mglyph/><plaintext>" + PROBE).sites) == 0
    assert len(scan_html("<math><mi><mglyph><p><plaintext>" + PROBE).sites) == 0
