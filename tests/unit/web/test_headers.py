"""The headers of a request, whoever reads them: an edge's own say what the pairs themselves would say."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack.redirect import Headers, Request
from msgtrack.web._edge import utc_now
from msgtrack.web._environ import _PATH, _EnvironHeaders, _url
from msgtrack.web.asgi import _ScopeHeaders

NAMES = ("cookie", "user-agent", "content-type", "content-length", "sec-gpc", "x", "http-x", "")
values = st.text(string.printable + "é", max_size=5)
pairs = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)
environs = st.dictionaries(
    st.sampled_from(["CONTENT_TYPE", "CONTENT_LENGTH", "COOKIE", "X", "PATH", "HTTP_", "wsgi.input"])
    | st.sampled_from(NAMES).map(lambda name: "HTTP_" + name.upper().replace("-", "_")),
    values,
)


def test_the_first_of_a_name_and_all_of_it() -> None:
    headers = Headers([("cookie", "a=1"), ("x", ""), ("cookie", "b=2"), ("x", "y")])
    assert (headers.first("cookie"), headers.every("cookie")) == ("a=1", ["a=1", "b=2"])
    assert (headers.first("x"), headers.first("z"), headers.every("z")) == ("", "", [])


@given(pairs)
def test_headers_are_what_their_pairs_are(given_: list[tuple[str, str]]) -> None:
    headers, known = Headers(given_), tuple(given_)
    assert headers == known
    assert known == headers
    assert headers == Headers(known)
    assert headers != [*known]
    assert (hash(headers), len(headers), [*headers], headers[1:], repr(headers)) == (
        hash(known),
        len(known),
        [*known],
        known[1:],
        repr(known),
    )
    request = Request(method="GET", url="/", headers=given_, received_at=utc_now())
    assert request == attrs.evolve(request, headers=headers)
    assert attrs.evolve(request, method="HEAD").headers is request.headers


def same(found: Headers, wanted: Headers) -> None:
    assert found == wanted
    for name in NAMES:
        assert (found.first(name), found.every(name)) == (wanted.first(name), wanted.every(name)), name
        others = frozenset(NAMES) - {name}
        known = {said for said, _ in wanted}
        assert (found.has_any(frozenset({name})), found.has_any(others)) == (
            name in known,
            not others.isdisjoint(known),
        )


@given(environs)
@example({"HTTP_CONTENT_TYPE": "", "CONTENT_TYPE": "text/plain"})
@example({"HTTP_CONTENT_TYPE": "a", "CONTENT_TYPE": ""})
def test_those_of_an_environ_are_read_when_they_are_asked_for(environ: dict[str, Any]) -> None:
    known = [(name[5:].lower().replace("_", "-"), environ[name]) for name in environ if name[:5] == "HTTP_"]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        known += [(name.lower().replace("_", "-"), environ[name])] if environ.get(name) else []
    same(_EnvironHeaders(environ), Headers(known))


@given(pairs)
def test_those_of_a_scope_are_read_when_they_are_asked_for(given_: list[tuple[str, str]]) -> None:
    raw = [(name.title().encode(), value.encode("latin-1")) for name, value in given_]
    same(_ScopeHeaders(iter(raw)), Headers(given_))


@given(st.text(max_size=20).filter(lambda path: path.isascii()) | st.text(string.printable + "éÿ", max_size=20))
@pytest.mark.parametrize("letter", ["", "%", "\n", "é"])
def test_a_path_that_needs_no_escaping_is_left_alone(letter: str, path: str) -> None:
    asked = "/" + path + letter
    assert _url({"PATH_INFO": asked}) == quote(asked.encode("latin-1"), safe=_PATH)
