"""What people send who mean harm, and where they put it: shared by the tests of the handler, of its edges, and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BYTES", "HEADERS", "HOSTILE", "HOSTS", "NO_DESTINATIONS", "places"]

HOSTILE = [
    "../" * 8 + "etc/passwd",
    "..%2f" * 8 + "etc%2fpasswd",
    "%2e%2e/%2e%2e/",
    "....//....//",
    "..\\..\\windows\\win.ini",
    "%00",
    "\x00",
    "%0d%0aSet-Cookie:%20a=b",
    "\r\nLocation: https://evil.example/",
    "%E5%98%8A%E5%98%8DLocation:%20https://evil.example/",
    "\u560a\u560dX: y",
    "//evil.example/",
    "/\\evil.example/",
    "https://evil.example/",
    "http:evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}${7*7}<%= 7*7 %>",
    "' OR '1'='1",
    "%ff%fe",
    "\ud800",
    "\u202egnp.exe",
    "ⓔvil.example",
    "xn--evil-.example",
    "a" * 20_000,
    "%25" * 1_000,
    "&amp;" * 1_000,
    "?" * 1_000,
    "/" * 2_000,
    "&p1=" + "x" * 3_000,
]
"""Texts for any place of a request."""

BYTES = [
    b"\r\nLocation: https://evil.example/", b"%0d%0aX:%20y", b"\x00", b"\xff\xfe", b"../../../etc/passwd", b"..%2f..%2f",
    b"//evil.example/",
    b"javascript:alert(1)", b"data:text/html,x", "ü.example".encode(), b"a" * 70_000, b"%" * 9_000, b"\xe5\x98\x8a\xe5\x98\x8dX: y",
]  # fmt: skip
"""The same as bytes, for edges that take them."""

HEADERS = [
    "host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for", "forwarded", "x-original-url", "x-rewrite-url", "referer",
    "user-agent", "cookie", "accept-language", "content-type", "sec-gpc", "sec-purpose", "purpose", "origin", "location",
    "x-http-method-override",
]  # fmt: skip
"""Headers that an answer might hang on."""

NO_DESTINATIONS = [
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//evil.example/", "/x", "", "ftp://a.example/",
    "https:", "https://", "http:///x", "\x01javascript:x", " https://a.example/", "https://[", "ht\ntps://a.example/",
]  # fmt: skip
"""What no browser should follow, although a registry or an application says it."""

HOSTS = [
    b"evil.example", b"t.example.com@evil.example", b"evil.example:80", b"t.example.com:99999", b"t.example.com:-1",
    b"t.example.com:", b":80", b"", b"[::1]", b"[::1", b"0x7f.1", "\u00fc.example".encode(), "evil\uff0eexample".encode(),
    b"xn--tda.example", b"\xff\xfe", b"evil.example/..", b"evil.example#t.example.com", b"evil.example?t.example.com",
    b"evil.example, t.example.com", b"evil.example\tt.example.com", b"a" * 8_000,
]  # fmt: skip
"""Hosts that a request may claim to be for."""


def places(url: str, bad: str) -> Iterator[str]:
    """A hostile text in every place of a URL."""
    rest = url.removeprefix("https://t.example.com")
    yield from (bad, "/" + bad, rest + bad, rest + "/" + bad, f"/{bad}{rest}", f"https://t.example.com/{bad}")
    yield from (
        f"{rest}{mark}{name}={bad}" for mark in "?&#;" for name in ("url", "redirect", "next", "p1", "id", "s", "u")
    )
    yield f"https://{bad}{rest}"
    segments = rest.split("/")
    for place in range(1, len(segments)):
        yield "/".join([*segments[:place], bad, *segments[place + 1 :]])
    if "?" in rest:
        path, _, query = rest.partition("?")
        for pair in query.split("&"):
            name = pair.partition("=")[0]
            yield f"{path}?{query.replace(pair, f'{name}={bad}')}"
