"""Every name that stands in the reference is read, one after the other; for JSON see ``test_server_formats.py``."""

from __future__ import annotations

import pytest

from msgtrack.hits import Hit
from msgtrack.logs import formats
from msgtrack.logs.apache import DIRECTIVES
from msgtrack.logs.nginx import VARIABLES
from msgtrack.logs.w3c import NAMES

VALUES = {
    "client_ip": "192.0.2.7",
    "request": "HEAD /other HTTP/1.1",
    "method": "HEAD",
    "url": "/other?x=1",
    "path": "/other",
    "query": "x=1",
    "status": "302",
    "user_agent": "Reader/1",
    "referrer": "https://mail.example/",
    "purpose": "prefetch",
    "privacy": "1",
    "request_id": "r-77",
}
"""What is written where a field becomes something, and what comes of it, if that is not the same."""
BECOMES = {
    "request": ("url", "/other"),
    "path": ("url", "/other"),
    "query": ("url", "/r?x=1"),
    "status": ("status", 302),
    "privacy": ("privacy", "no-key"),
}


def check(hit: object, becomes: str) -> None:
    assert isinstance(hit, Hit), hit
    name, wanted = BECOMES.get(becomes, (becomes, VALUES[becomes]))
    assert getattr(hit, name) == wanted


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_of_nginx(variable: str) -> None:
    becomes = VARIABLES[variable]
    others = {"method": "$request_method", "url": "$request_uri"}
    if becomes in ("url", "path", "request"):
        del others["url"]
    if becomes in ("method", "request"):
        del others["method"]
    plain = {"method": "GET", "url": "/r"}
    text = "|".join(["$msec", f"${variable}", *others.values()])
    line = "|".join(["1772452800.000", VALUES[becomes], *(plain[name] for name in others)])
    check(formats.nginx(text).reader()(line, 1), becomes)


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_directives_of_apache(directive: str) -> None:
    becomes = DIRECTIVES[directive]
    value = f"?{VALUES[becomes]}" if becomes == "query" else VALUES[becomes]
    texts, line = {"query": ("%m %U", "GET /r"), "path": ("%m", "GET"), "method": ("%U", "/r")}.get(
        becomes, ("%r", "GET /r HTTP/1.1")
    )
    if becomes == "request":
        texts, line = "%b", "0"
    hit = formats.apache(f"%{{sec}}t|{texts}|{directive}").reader()(f"1772452800|{line}|{value}", 1)
    check(hit, becomes)


@pytest.mark.parametrize("field", NAMES)
def test_fields_of_the_w3c(field: str) -> None:
    becomes = NAMES[field]
    fields = {"date": "2026-03-02", "time": "12:00:00", "cs-method": "GET", "cs-uri-stem": "/r"}
    if becomes == "url":
        del fields["cs-uri-stem"]
    fields[field] = VALUES[becomes]
    read = formats.get("w3c").reader()
    assert read("#Fields: " + " ".join(fields), 1) is None
    check(read(" ".join(fields.values()), 2), becomes)
    # Names are the same in capitals.
    read = formats.get("w3c").reader()
    read("#Fields: " + " ".join(fields).upper().replace("#FIELDS", "#Fields"), 1)
    check(read(" ".join(fields.values()), 2), becomes)
