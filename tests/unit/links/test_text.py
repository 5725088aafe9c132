"""URLs in plain text, and the punctuation and brackets that do not belong to them."""

from __future__ import annotations

import pytest

from msgtrack.links.positions import LineIndex
from msgtrack.links.text import scan_text


def urls(text: str) -> list[str]:
    for site in scan_text(text):
        assert text[site.start : site.end].replace("\n", "") == site.url
    return [site.url for site in scan_text(text)]


@pytest.mark.parametrize(
    ("opening", "closing"), ["()", "[]", "{}", "<>", '""', "''", "``", "“”", "„”", "«»", "「」", "（）"]
)
class TestDelimiters:
    @pytest.mark.parametrize("url", ["https://e.example/a", "https://e.example/a.b,c;d:e!f?g=h", "http://e.example"])
    def test_delimited(self, opening: str, closing: str, url: str) -> None:
        assert urls(f"See {opening}{url}{closing}, then go on.") == [url]

    def test_punctuation_inside_belongs_to_the_url(self, opening: str, closing: str) -> None:
        assert urls(f"See {opening}https://e.example/what?{closing}.") == ["https://e.example/what?"]

    def test_in_the_middle_of_a_delimited_sentence(self, opening: str, closing: str) -> None:
        assert urls(f"{opening}see https://e.example/a.{closing}") == ["https://e.example/a"]


class TestPunctuation:
    @pytest.mark.parametrize(
        "tail", [".", ",", ";", ":", "!", "?", "...", "?!", ".)", "),", "];", "}.", ").", ".'", '."', "…"]
    )
    def test_behind_a_url(self, tail: str) -> None:
        assert urls(f"See https://e.example/a{tail} Then") == ["https://e.example/a"]
        assert urls(f"See https://e.example/a{tail}") == ["https://e.example/a"]

    def test_inside_stays(self) -> None:
        url = "https://e.example/a,b;c:d!e?f=g.h&i=(j)[k]{1}#/l,m"
        assert urls(f"{url},") == [url]

    @pytest.mark.parametrize(
        "url",
        [
            "https://en.wikipedia.org/wiki/Bracket_(disambiguation)",
            "https://e.example/a_(b_(c))_d",
            "https://e.example/list[0]?x[]=1&y={1}",
            "http://[::1]:8080/x",
            "https://e.example/Ohm's_law",
            "https://e.example/0,,SB1029282408667791835,00.html",
        ],
    )
    def test_balanced_brackets_commas_and_apostrophes_stay(self, url: str) -> None:
        for text in (url, f"({url})", f"{url}.", f"({url}, again)", f"(see {url})", f"<{url}>", f"{url}\n"):
            assert urls(text) == [url]

    def test_unbalanced_closing_bracket_ends_the_url(self) -> None:
        assert urls("(see https://e.example/a);https://e.example/b") == ["https://e.example/a", "https://e.example/b"]
        assert urls("[https://e.example/a](https://e.example/b)") == ["https://e.example/a", "https://e.example/b"]

    def test_full_width_punctuation_ends_the_url(self) -> None:
        assert urls("日本https://例え.example/パス。次（https://e.example/）") == [
            "https://例え.example/パス",
            "https://e.example/",
        ]


class TestWhatIsAUrl:
    def test_schemes_in_any_case(self) -> None:
        assert urls("HTTPS://E.example/A Http://e.example") == ["HTTPS://E.example/A", "Http://e.example"]

    @pytest.mark.parametrize(
        "text",
        [
            "mailto:a@e.example",
            "www.e.example",
            "ftp://e.example/",
            "xhttp://e.example/",
            "git+https://e.example/",
            "https://",
            "https:// e.example",
            "http://.",
            "https:/e.example/",
            "http://(",
            "https://<e.example>",
            "httpſ://e.example/",
        ],
    )
    def test_nothing(self, text: str) -> None:
        assert urls(text) == []

    @pytest.mark.parametrize(
        "space", [" ", "\t", "\n", "\r\n", "\f", "\v", "\u00a0", "\u2028", "\u3000", "\u200b", "\x00", "\ufeff"]
    )
    def test_white_space_ends_it(self, space: str) -> None:
        assert [site.url for site in scan_text(f"https://e.example/a{space}b")] == ["https://e.example/a"]

    def test_a_url_in_a_url_belongs_to_it(self) -> None:
        assert urls("https://e.example/to?u=http://f.example/") == ["https://e.example/to?u=http://f.example/"]

    def test_non_ascii_stays_as_written(self) -> None:
        assert urls("https://bücher.example/straße?ü") == ["https://bücher.example/straße?ü"]

    def test_html_as_text(self) -> None:
        assert urls('<a href="https://e.example/a">https://e.example/b</a>') == [
            "https://e.example/a",
            "https://e.example/b",
        ]


class TestWrapping:
    def test_in_angle_brackets_lines_go_on(self) -> None:
        text = "See <https://e.example/long \r\npath/to\nwhere?x=1> and so on"
        (site,) = scan_text(text)
        assert (site.start, site.end) == (text.index("<") + 1, text.index(">"))
        assert site.url == "https://e.example/longpath/towhere?x=1"

    def test_format_flowed(self) -> None:
        """A soft line break (RFC 3676) is a space and a line end: inside angle brackets the URL goes on behind it."""
        text = (
            "The new list is here: \r\n<https://e.example/a/very/long/path/ \r\nthat?goes=on&and=on> \r\nand ends.\r\n"
        )
        assert [site.url for site in scan_text(text)] == ["https://e.example/a/very/long/path/that?goes=on&and=on"]
        assert [site.url for site in scan_text("see https://e.example/a \r\nand on")] == ["https://e.example/a"]
        assert [site.url for site in scan_text("> > <https://e.example/a \r\nb>")] == ["https://e.example/ab"]

    @pytest.mark.parametrize("url", ["https://e.example/a,b;c(d)[e]{f}", "https://e.example/?q[]=(1,2),(3)&r={x}"])
    def test_wrapped_urls_may_hold_brackets_and_commas(self, url: str) -> None:
        for at in range(len("https://e.example/"), len(url)):
            for end in ("\n", "\r\n", " \r\n"):
                assert [site.url for site in scan_text(f"(<{url[:at]}{end}{url[at:]}>).")] == [url]

    def test_elsewhere_they_do_not(self) -> None:
        assert urls("(https://e.example/long\npath)") == ["https://e.example/long"]
        assert urls("<https://e.example/long\npath and more>") == ["https://e.example/long"]
        assert urls("<https://e.example/a\nhttps://e.example/b>") == ["https://e.example/a", "https://e.example/b"]


class TestTemplateTags:
    @pytest.mark.parametrize(
        "url",
        [
            "https://e.example/?n={{ first name }}",
            "https://e.example/{% if x == ')' %}a{% endif %}/",
            "https://e.example/<%= escapeUrl(recipient.lastName) %>/x",
            "https://e.example/?e=*|EMAIL|*",
            "https://e.example/${ id }",
            "https://e.example/[[ id ]]",
            "https://{{ host }}/x",
            "https://<%= host %>/x",
        ],
    )
    def test_a_tag_is_part_of_the_url_whole(self, url: str) -> None:
        for text in (url, f"({url})", f"<{url}>", f"see {url}, and", f"see {url}."):
            assert urls(text) == [url]

    def test_a_tag_that_never_ends_stays_visible(self) -> None:
        assert urls("https://e.example/{{ name") == ["https://e.example/{{"]
        assert urls("https://e.example/{{ " + "x" * 2_000 + "}}") == ["https://e.example/{{"]


def test_positions_count_from_one() -> None:
    text = "a\r\nb\nhttps://e.example/\rc"
    assert [LineIndex(text).position(offset) for offset in (0, 3, 5, text.index("c"))] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
    ]
    assert LineIndex(text).position(7) == (3, 3)
