"""What a browser says of itself beside the request, where a server was told to log it: ``Sec-GPC``, and that it only fetches ahead."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.decide import Reason, decide
from msgtrack.hits import Hit
from msgtrack.logs import formats, parse
from msgtrack.logs.formats import LogFormat
from msgtrack.model import PeoplePolicy
from msgtrack.redirect import RedirectHandler, Request

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
HASH = PeoplePolicy(key="hash")
PATH = (
    (TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="26").render(message_id="7").html or "")
    .split('"')[1]
    .removeprefix("https://t.example.com")
)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINE = f'192.0.2.7 - - [02/Mar/2026:09:00:00 +0000] "GET {PATH} HTTP/1.1" 302 0 "-" "Browser/1"'
NGINX = formats.nginx(
    '$remote_addr - - [$time_local] "$request" $status 0 "-" "$http_user_agent" "$http_sec_gpc" "$http_sec_purpose" "$http_purpose"'
)
APACHE = formats.apache(
    r'LogFormat "%h - - %t \"%r\" %>s 0 \"-\" \"%{User-Agent}i\" \"%{Sec-GPC}i\" \"%{Sec-Purpose}i\" \"%{Purpose}i\"" own'
)


def hit_of(log_format: LogFormat, line: str) -> Hit:
    (hit,) = parse([line], format=log_format)
    assert isinstance(hit, Hit)
    return hit


@pytest.mark.parametrize("log_format", [NGINX, APACHE], ids=["nginx", "apache"])
@pytest.mark.parametrize(
    ("gpc", "purpose", "older"),
    [("1", "-", "-"), (" 1 ", "-", "-"), ("-", "-", "-"), ("0", "-", "-"), ("11", "", ""), ("-", "prefetch;prerender", "-"),
     ("1", "-", "prefetch"), ("x", "whatever", "-")],
)  # fmt: skip
def test_the_line_means_what_the_request_meant(log_format: LogFormat, gpc: str, purpose: str, older: str) -> None:
    hit = hit_of(log_format, f'{LINE} "{gpc}" "{purpose}" "{older}"')
    sent = {"user-agent": "Browser/1", "sec-gpc": gpc, "sec-purpose": purpose, "purpose": older}
    headers = [(name, value) for name, value in sent.items() if value not in ("-", "")]
    request = Request(method="GET", url=PATH, headers=headers, client_ip="192.0.2.7", received_at=AT)
    live = RedirectHandler(TRACKER, people=HASH).handle(request).hit
    assert live is not None
    assert (hit.privacy, hit.purpose) == (live.privacy, live.purpose)
    event, expected = (decide(one, TRACKER, people=HASH) for one in (hit, live))
    assert event.reason == expected.reason
    if expected.event is None:
        assert event.reason is Reason.PREFETCH
    else:
        assert event.event is not None
        assert event.event.source_id == expected.event.source_id
        assert (event.event.source_id is None) is (gpc.strip() == "1")
        # The wish is about keys; the message is named all the same.
        assert event.event.message_id == "7"


HEADERS = {"Sec-Gpc": ["1"], "User-Agent": ["Browser/1"]}
JSON_LINES = {
    "caddy": {"ts": 1772442000.5, "status": 302, "request": {"method": "GET", "uri": PATH, "headers": HEADERS}},
    "cloudflare": {
        "EdgeStartTimestamp": "2026-03-02T09:00:00Z", "ClientRequestMethod": "GET", "ClientRequestURI": PATH,
        "RequestHeaders": {"sec-gpc": "1"},
    },
    "envoy-json": {"start_time": "2026-03-02T09:00:00.000Z", "method": "GET", "path": PATH, "sec-gpc": "1"},
    "nginx-json": {"time_iso8601": "2026-03-02T09:00:00+00:00", "request": f"GET {PATH} HTTP/2.0", "http_sec_gpc": "1"},
    "traefik-json": {"StartUTC": "2026-03-02T09:00:00Z", "RequestMethod": "GET", "RequestPath": PATH, "request_Sec-Gpc": "1"},
}  # fmt: skip


@pytest.mark.parametrize("name", JSON_LINES)
def test_formats_with_a_name_read_it_where_it_is_logged(name: str) -> None:
    assert hit_of(formats.get(name), json.dumps(JSON_LINES[name])).privacy == "no-key"
    without = json.dumps(JSON_LINES[name]).replace('"1"', '"0"')
    assert hit_of(formats.get(name), without).privacy == ""


def test_w3c_reads_it() -> None:
    lines = ["#Fields: date time cs-method cs-uri cs(Sec-GPC)", f"2026-03-02 09:00:00 GET {PATH} 1"]
    (hit,) = parse(lines, format="w3c")
    assert isinstance(hit, Hit)
    assert hit.privacy == "no-key"


def test_combined_reads_lines_that_go_on_so() -> None:
    """A log of the deploy page's format is no worse for who reads it as combined: it is read, and the rest passed over."""
    hit = hit_of(formats.get("combined"), f'{LINE} "1" "prefetch" "-"')
    assert (hit.url, hit.user_agent, hit.privacy, hit.purpose) == (PATH, "Browser/1", "", "")
