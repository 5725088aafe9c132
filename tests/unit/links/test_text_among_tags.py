"""URLs of a plain text that touch the tags of its syntax."""

from __future__ import annotations

import pytest

from msgtrack.links.syntaxes import by_name
from msgtrack.links.text import scan_text


@pytest.mark.parametrize(
    ("syntax", "text", "urls"),
    [
        ("jinja", "{% if vip %}https://a.example/{% endif %}", ["https://a.example/"]),
        ("jinja", "{{ greeting }}https://a.example/ there", ["https://a.example/"]),
        ("campaign", "<% if (vip) { %>https://a.example/<% } %>", ["https://a.example/"]),
        ("merge", "*|IF:VIP|*https://a.example/*|END:IF|*", ["https://a.example/"]),
        ("percent", "%GREETING%https://a.example/?a=%X%", ["https://a.example/?a=%X%"]),
        ("jinja", "{% if a %}(https://a.example/){% endif %}", ["https://a.example/"]),
        ("jinja", "See https://a.example/.{% endif %} And", ["https://a.example/"]),
        ("jinja", "See https://a.example/!{% endif %}.{% endif %} And", ["https://a.example/"]),
        ("jinja", "See https://a.example/?q={{ x }}.{% endif %} And", ["https://a.example/?q={{ x }}"]),
        ("jinja", "https://{{ host }}/", ["https://{{ host }}/"]),
        ("jinja", "xhttps://a.example/", []),
    ],
)
def test_a_tag_in_front_or_behind_hides_no_url(syntax: str, text: str, urls: list[str]) -> None:
    sites = scan_text(text, list(by_name(syntax).tags(text)))
    found = [site.url for site in sites]
    assert [text[site.start : site.end] for site in sites] == found
    assert found == urls
