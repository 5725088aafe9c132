"""Formats made from the texts of configurations: any text gives a format or our own error, and what a server writes comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue, MsgtrackError
from msgtrack.hits import Hit, Rejected, header_text
from msgtrack.logs import formats
from msgtrack.logs.formats import apache, haproxy, json_lines, nginx
from msgtrack.testing import LogFormatSuite

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
CLF = "02/Mar/2026:12:00:00 +0000"

# What a client sends: any bytes but those that end a header; a dash alone is how servers write nothing.
SENT = st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))).map(
    lambda raw: raw.translate(None, b"\r\n\0")
)
SENT = SENT.filter(lambda raw: raw not in (b"-", b""))
PATHS = (
    st.binary(min_size=1, max_size=30)
    .map(lambda raw: b"/" + bytes(byte for byte in raw if byte > 32 and byte != 127))
    .filter(lambda raw: not any(c.isspace() for c in raw.decode("utf-8", "backslashreplace")))
)


def nginx_default(raw: bytes) -> str:
    """As ``escape=default`` writes: quotes, backslashes, and bytes below 32 and above 126 in capital digits."""
    return "".join(f"\\x{byte:02X}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in raw) or "-"


def nginx_json(raw: bytes) -> str:
    letters = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
    written = bytearray()
    for byte in raw:
        written += (letters.get(byte) or (f"\\u{byte:04X}" if byte < 32 else "")).encode() or bytes([byte])
    return written.decode("utf-8", "surrogateescape")


def apache_escaped(raw: bytes) -> str:
    letters = {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 13: "\\r", 34: '\\"', 92: "\\\\"}
    return "".join(letters.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in raw) or "-"


def as_sent(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


@given(SENT, SENT, PATHS)
def test_what_nginx_escapes_comes_back(agent: bytes, referrer: bytes, path: bytes) -> None:
    read = nginx(
        'log_format odd \'$remote_addr|[$time_local]|"$request"|$status|"$http_referer"|"$http_user_agent"\';'
    ).reader()
    request = nginx_default(b"GET " + path + b" HTTP/1.1")
    line = f'192.0.2.7|[{CLF}]|"{request}"|302|"{nginx_default(referrer)}"|"{nginx_default(agent)}"'
    assert read(line, 1) == Hit(
        method="GET",
        url=as_sent(path),
        received_at=NOON,
        status=302,
        client_ip="192.0.2.7",
        referrer=header_text(referrer),
        user_agent=header_text(agent),
    )


@given(SENT, SENT, PATHS)
def test_what_nginx_writes_as_json_comes_back(agent: bytes, referrer: bytes, path: bytes) -> None:
    text = '{"t":$msec,"m":"$request_method","u":"$request_uri","a":"$http_user_agent","r":"$http_referer"}'
    line = (
        f'{{"t":{NOON.timestamp():.3f},"m":"GET","u":"{nginx_json(path)}",'
        f'"a":"{nginx_json(agent)}","r":"{nginx_json(referrer)}"}}'
    )
    by_template = nginx(text, escape="json")
    by_names = json_lines({"at": "t", "method": "m", "url": "u", "user_agent": "a", "referrer": "r"})
    for log_format in (by_template, by_names):
        hit = log_format.reader()(line, 1)
        assert isinstance(hit, Hit), hit
        assert (hit.url, hit.received_at) == (as_sent(path), NOON)
        assert (hit.user_agent, hit.referrer) == (header_text(agent), header_text(referrer))


@given(SENT, SENT, PATHS)
def test_json_written_with_the_wrong_escapes_comes_back(agent: bytes, referrer: bytes, path: bytes) -> None:
    """As configurations have it that were made before ``escape=json`` was there."""
    line = json.dumps({"time_iso8601": "2026-03-02T12:00:00+00:00", "request_method": "GET", "request_uri": "PATH"})
    line = line.replace("PATH", nginx_default(path))[:-1]
    line += f',"http_user_agent":"{nginx_default(agent)}","http_referer":"{nginx_default(referrer)}"}}'
    hit = formats.get("nginx-json").reader()(line, 1)
    assert isinstance(hit, Hit), hit
    assert (hit.url, hit.user_agent, hit.referrer) == (as_sent(path), header_text(agent), header_text(referrer))


@given(SENT, SENT, PATHS)
def test_what_apache_escapes_comes_back(agent: bytes, referrer: bytes, path: bytes) -> None:
    read = apache(
        r'LogFormat "%a\t%{%Y-%m-%d %H:%M:%S}t.%{msec_frac}t %{%z}t\t\"%r\"\t%>s\t%{Referer}i\t%{User-Agent}i" tabs'
    )
    line = "\t".join(
        [
            "192.0.2.7",
            "2026-03-02 13:00:00.250 +0100",
            f'"{apache_escaped(b"GET " + path + b" HTTP/1.1")}"',
            "302",
            apache_escaped(referrer),
            apache_escaped(agent),
        ]
    )
    assert read.reader()(line, 1) == Hit(
        method="GET",
        url=as_sent(path),
        received_at=NOON.replace(microsecond=250_000),
        status=302,
        client_ip="192.0.2.7",
        referrer=header_text(referrer),
        user_agent=header_text(agent),
    )


NGINX_PARTS = [
    *"$ {}[]\"'|:;\\\n\t",
    "$request",
    "$time_local",
    "$msec",
    "${status}",
    "$remote_addr",
    "$x",
    "log_format ",
    "escape=json",
]
NGINX_PARTS += [
    "$request_method",
    "$request_uri",
    "$uri",
    "$args",
    '"$http_user_agent"',
    "$upstream_addr",
    "é",
    "$time_iso8601",
]
APACHE_PARTS = [
    *"% {}[]\"'|:;\\\n\t<>!",
    "%r",
    "%t",
    "%{%s}t",
    "%{%Y-%m-%d}t",
    "%{%H %H}t",
    "%{usec}t",
    "%h",
    "%m",
    "%U",
    "%q",
    "%>s",
]
APACHE_PARTS += [
    "%{Referer}i",
    '\\"%{User-agent}i\\"',
    "%{c}a",
    "%!200,304{x}i",
    "%^ti",
    "%%",
    'LogFormat "',
    "%{id}C",
    "é",
]


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(NGINX_PARTS), max_size=14).map("".join)),
    st.text(max_size=60),
)
@example("$request$time_local", "")
def test_any_text_makes_a_format_of_nginx_or_our_own_error(text: str, line: str) -> None:
    try:
        made = nginx(text)
    except MsgtrackError:
        return
    for one in (line, text):
        assert isinstance(made.reader()(one, 1), Hit | Rejected | None)


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(APACHE_PARTS), max_size=14).map("".join)),
    st.text(max_size=60),
)
@example("%{%H %H}t %r", "")
@example("%{%d/%b/%Y %d}t %r", "")
def test_any_text_makes_a_format_of_apache_or_our_own_error(text: str, line: str) -> None:
    try:
        made = apache(text)
    except MsgtrackError:
        return
    for one in (line, text):
        assert isinstance(made.reader()(one, 1), Hit | Rejected | None)


@given(
    st.dictionaries(
        st.one_of(
            st.sampled_from(["at", "request", "method", "url", "path", "status", "client_ip"]), st.text(max_size=5)
        ),
        st.one_of(st.text(max_size=8), st.lists(st.text(max_size=5), max_size=3)),
        max_size=6,
    ),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=12,
    ),
)
def test_any_map_makes_a_format_of_json_or_our_own_error(fields: dict, said: object) -> None:
    try:
        made = json_lines(fields)
    except MsgtrackError:
        return
    names = [name for value in fields.values() for name in ([value] if isinstance(value, str) else value)]
    for line in (json.dumps(said), json.dumps(dict.fromkeys(names, said)), "[" * 5_000, '{"a":' * 5_000):
        assert isinstance(made.reader()(line, 1), Hit | Rejected | None)


SEPARATORS = st.sampled_from([" ", "|", ":", ",", "-", "][", '" "', "\t", "/", "0", "."])
UNITS = st.sampled_from('|:,-]"0 /a\\.?')
NGINX_ASKED = st.sampled_from(["$request", "$request_method $request_uri", "$request_method:$uri|$args"])
NGINX_OTHERS = st.sampled_from(
    [
        "$remote_addr",
        "$http_user_agent",
        "$status",
        "$request_id",
        "$bytes_sent",
        "$host",
        "$upstream_addr",
        "$request_time",
    ]
)
APACHE_ASKED = st.sampled_from(["%r", "%m %U%q", "%m:%U|%q", '"%r"'])
APACHE_OTHERS = st.sampled_from(
    ["%h", "%{User-agent}i", "%s", "%b", "%v", "%p", "%T", "%u", "%a", "%{%H}t", "%X", "%D"]
)


def texts(others: st.SearchStrategy[str], asked: st.SearchStrategy[str], at: str) -> st.SearchStrategy[tuple[str, str]]:
    """Formats that end in a moment, and the separator before it."""
    fields = st.lists(st.tuples(others, SEPARATORS).map("".join), max_size=6).map("".join)
    return st.tuples(fields, asked, SEPARATORS).map(lambda drawn: ("".join(drawn) + at, drawn[2]))


def check_linear(made: formats.LogFormat, separator: str, unit: str) -> None:
    class Suite(LogFormatSuite):
        format = made

    Suite()._try_longer("", "", unit, "")
    Suite()._try_longer("", "1" + separator, unit + separator, "x")


@given(texts(NGINX_OTHERS, NGINX_ASKED, "[$time_local]"), UNITS)
@example(("$upstream_addr0$request-[$time_local]", "-"), "]")
def test_whatever_nginx_logs_is_read_in_linear_time(text: tuple[str, str], unit: str) -> None:
    try:
        made = nginx(text[0])
    except InvalidValue:
        assume(False)
    check_linear(made, text[1], unit)


@given(texts(APACHE_OTHERS, APACHE_ASKED, "%t"), UNITS)
@example(("%T.%T.%{%H}t.%r.%t", "."), ".")
@example(("%p0%D0%p|%m %U%q %t", "0"), "0")
@example(("%H0%b.%m %U%q-%t", "-"), "0")
def test_whatever_apache_logs_is_read_in_linear_time(text: tuple[str, str], unit: str) -> None:
    try:
        made = apache(text[0])
    except InvalidValue:
        assume(False)
    check_linear(made, text[1], unit)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("$remote_addr $request", "does not say when"),
        ("[$time_local] $status", "does not say what was asked"),
        ("[$time_local] $request$http_user_agent", r"nothing stands between \$request and \$http_user_agent"),
        ("   ", "must be text"),
        ("log_format x escape=xml '$msec $request';", "escape='xml' is not one of"),
    ],
)
def test_what_nginx_writes_and_nobody_can_read_is_refused(text: str, complaint: str) -> None:
    with pytest.raises((InvalidValue, InvalidOption), match=complaint):
        nginx(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("%h %r", "does not say when"),
        ("%{%H:%M:%S}t %r", "needs year, month, day"),
        ("%{%Q}t %r", "cannot be read back"),
        ("%t %>s", "does not say what was asked"),
        ("%t %r%{Referer}i", "nothing stands between"),
        ("%t %r %J", "no directive of Apache: '%J'"),
        ("%t %r %{x", "no directive of Apache"),
    ],
)
def test_what_apache_writes_and_nobody_can_read_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint):
        apache(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("%t", f"[{CLF}]"),
        ("%{begin:sec}t", "1772452800"),
        ("%{end:msec}t", "1772452800000"),
        ("%{usec}t", "1772452800000000"),
        ("%{%s}t", "1772452800"),
        ("%{%FT%T%z}t", "2026-03-02T13:00:00+0100"),
        ("%{%d/%b/%Y:%H:%M:%S %z}t", CLF),
        ("%{%e %B %Y, %I:%M:%S %p}t", " 2 March 2026, 12:00:00 PM"),
        ("%{%-d.%-m.%y %R:%S}t", "2.3.26 12:00:00"),
        ("%{%c}t", "Mon Mar  2 12:00:00 2026"),
        ("%{%D}t %{%r}t", "03/02/26 12:00:00 PM"),
        ("%{%A, %d %h %Y}t %{%H:%M}t", "Monday, 02 Mar 2026 12:00"),
    ],
)
def test_every_way_to_write_a_moment_is_read(text: str, written: str) -> None:
    hit = apache(f"{text} %r").reader()(f"{written} GET / HTTP/1.1", 1)
    assert isinstance(hit, Hit), hit
    assert hit.received_at == NOON


def test_other_variables_become_what_they_are_said_to() -> None:
    hit = nginx("$msec $request_method $request_uri $cookie_id", roles={"cookie_id": "source_id"}).reader()(
        "1772452800.000 GET /r r7", 1
    )
    assert isinstance(hit, Hit)
    assert hit.source_id == "r7"
    hit = apache('%{sec}t "%r" %{id}C', roles={"%{ID}C": "source_id"}).reader()('1772452800 "GET /r HTTP/1.1" r7', 1)
    assert isinstance(hit, Hit)
    assert hit.source_id == "r7"
    for make in (
        lambda: nginx("$msec $request", roles={"x": "size"}),
        lambda: apache("%t %r", roles={"%{x}i": "size"}),
        lambda: apache("%t %r", roles={"x": "url"}),
        lambda: json_lines({"at": "t", "size": "s"}),
        lambda: haproxy(captures=["size"]),
    ):
        with pytest.raises(InvalidOption):
            make()


@pytest.mark.parametrize("host", ["t.example.com", "[2001:db8::5]", "192.0.2.7"])
def test_a_host_may_have_colons_of_its_own_before_its_port(host: str) -> None:
    hit = apache('%v:%p %h %t "%r" %>s').reader()(f'{host}:443 192.0.2.8 [{CLF}] "GET /r HTTP/1.1" 302', 1)
    assert isinstance(hit, Hit)
    assert (hit.client_ip, hit.status) == ("192.0.2.8", 302)
    assert isinstance(
        nginx("$host:$server_port $msec $request").reader()(f"{host}:443 1772452800.000 GET /r HTTP/1.1", 1), Hit
    )


def test_haproxy_captures_are_what_they_are_said_to_be() -> None:
    made = haproxy(captures=("", "user_agent", "referrer"))
    line = (
        "192.0.2.7:50123 [02/Mar/2026:12:00:00.000] main track/t1 0/0/1/3/4 302 239 - - ---- 2/2/0/0/0 0/0 "
        '{t.example.com|Reader #222#22|https://mail.example/} {} "GET /r HTTP/1.1"'
    )
    hit = made.reader()(line, 1)
    assert isinstance(hit, Hit)
    assert (hit.user_agent, hit.referrer) == ('Reader "2"', "https://mail.example/")
    assert {reads.becomes for reads in made.reads} >= {"user_agent", "referrer"}


@pytest.mark.parametrize("name", ["caddy", "cloudflare", "envoy-json", "nginx-json", "traefik-json"])
def test_every_name_that_a_format_of_json_knows_is_read(name: str) -> None:
    """One after the other, each in the place of the others of its meaning."""
    log_format = formats.get(name)
    values = {
        "received_at": "2026-03-02T12:00:00Z",
        "request": "GET /r HTTP/1.1",
        "method": "GET",
        "url": "/r",
        "query": "x=1",
    }
    values |= {"status": "302", "user_agent": "Reader/1", "referrer": "https://mail.example/", "client_ip": "192.0.2.7"}
    values |= {"purpose": "prefetch", "privacy": "1", "request_id": "r-77"}
    by_meaning: dict[str, list[str]] = {}
    for reads in log_format.reads:
        by_meaning.setdefault(reads.becomes, []).append(reads.field)
    for becomes, names in by_meaning.items():
        for one in names:
            said = {
                first[0]: values[meaning]
                for meaning, first in by_meaning.items()
                if meaning != becomes and meaning != "request"
            }
            said[one] = values[becomes]
            hit = log_format.reader()(json.dumps(_nested(said)), 1)
            assert isinstance(hit, Hit), (one, hit)
            wanted = {"received_at": NOON, "status": 302, "url": "/r?x=1" if "query" in by_meaning else "/r"}
            wanted["privacy"] = "no-key"
            if becomes not in ("request", "query"):
                assert getattr(hit, becomes) == wanted.get(becomes, values[becomes]), one


def _nested(said: dict[str, str]) -> dict[str, object]:
    whole: dict[str, object] = {}
    for name, value in said.items():
        *parents, last = name.split(".")
        place = whole
        for parent in parents:
            place = place.setdefault(parent, {})  # type: ignore[assignment]
        place[last] = value
    return whole
