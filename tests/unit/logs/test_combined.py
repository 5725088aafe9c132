"""The combined format: real lines, escaped ones, and rubbish."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidOption, InvalidValue, NotSupported
from msgtrack.hits import Hit, Rejected, header_text
from msgtrack.logs import formats, parse
from msgtrack.logs.combined import parse_line

LINE = (
    '192.0.2.7 - ann [21/Nov/2026:11:00:07 +0100] "GET /a/b?c=1 HTTP/1.1" 302 0 '
    '"https://mail.example/" "Mozilla/5.0 (X11)"'
)


def hit_of(line: str) -> Hit:
    hit = parse_line(line, 1)
    assert isinstance(hit, Hit), hit
    return hit


def test_a_line_gives_every_field() -> None:
    assert hit_of(LINE) == Hit(
        method="GET",
        url="/a/b?c=1",
        received_at=datetime(2026, 11, 21, 10, 0, 7, tzinfo=UTC),
        user_agent="Mozilla/5.0 (X11)",
        referrer="https://mail.example/",
        client_ip="192.0.2.7",
        status=302,
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a \"quoted\" agent", 'a "quoted" agent'),
        (r"back\\slash", "back\\slash"),
        (r"\x22nginx\x22", '"nginx"'),
        (r"caf\xC3\xA9", "café"),
        (r"tab\tend", "tab\tend"),
        (r"broken \xff byte", "broken \\xff byte"),
        ("-", ""),
        ("", ""),
    ],
)
def test_what_servers_escape_comes_back(written: str, meant: str) -> None:
    assert hit_of(LINE.replace("Mozilla/5.0 (X11)", written)).user_agent == meant


@given(st.binary(max_size=700).map(lambda raw: b"/" + raw.translate(None, b"\r\n")))
def test_a_live_header_and_its_lines_however_written_are_the_same(raw: bytes) -> None:
    live = header_text(raw.decode("latin-1"))
    escaped = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}" for byte in raw)
    apache = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    lines = [escaped, apache.decode("utf-8", "backslashreplace"), apache.decode("utf-8", "surrogateescape")]
    for written in lines:
        hit = hit_of(LINE.replace("Mozilla/5.0 (X11)", written).replace("https://mail.example/", written))
        assert hit.user_agent == hit.referrer == live


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("rubbish", "not-combined"),
        (LINE[:-30], "not-combined"),
        (LINE.replace("/Nov/", "/Nix/"), "bad-time"),
        (LINE.replace("21/Nov", "31/Nov"), "bad-time"),
        (LINE.replace("GET /a/b?c=1 HTTP/1.1", r"\x16\x03\x01"), "bad-request"),
        (LINE.replace("GET /a/b?c=1 HTTP/1.1", "-"), "bad-request"),
    ],
)
def test_bad_lines_are_kept_with_their_reason(line: str, reason: str) -> None:
    assert parse_line(line, 3) == Rejected(line=3, reason=reason, text=line)


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_blank_lines_hold_nothing(line: str) -> None:
    assert parse_line(line, 1) is None


@given(st.text(max_size=300))
def test_any_text_gives_a_value(text: str) -> None:
    assert isinstance(parse_line(text, 1), Hit | Rejected | None)


@given(st.integers(min_value=0, max_value=len(LINE)), st.characters())
def test_a_damaged_line_gives_a_value(place: int, character: str) -> None:
    for line in (LINE[:place], LINE[:place] + character + LINE[place + 1 :]):
        assert isinstance(parse_line(line, 1), Hit | Rejected | None)


def test_an_attack_on_the_expression_takes_linear_time() -> None:
    for attack in (
        '"' * 200_000,
        "\\" * 200_000,
        '1 - - [21/Nov/2026:11:00:07 +0100] "' + '\\"' * 100_000,
        "a " * 100_000,
    ):
        assert isinstance(parse_line(attack, 1), Rejected)


def test_parse_goes_line_by_line_and_numbers_from_one() -> None:
    records = list(parse(iter([LINE + "\r\n", "\n", "rubbish\n"])))
    assert [type(record) for record in records] == [Hit, Rejected]
    assert isinstance(records[1], Rejected)
    assert records[1].line == 3


def test_unknown_formats_are_named_at_once() -> None:
    with pytest.raises(InvalidOption, match=r"apache.*combined"):
        parse([], format="apache")
    assert "combined" in formats.names()


@pytest.mark.parametrize("name", [["x"], None, 5, b"combined"])
def test_a_format_is_asked_for_by_text(name: object) -> None:
    with pytest.raises(InvalidOption, match="combined"):
        formats.get(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("lines", [LINE, LINE.encode(), None, 5])
def test_one_text_is_no_lines(lines: object) -> None:
    with pytest.raises(InvalidValue, match="sequence of lines"):
        parse(lines)  # type: ignore[arg-type]


def test_a_line_that_is_no_text_is_named() -> None:
    records = parse([LINE, LINE.encode()])  # type: ignore[list-item]
    assert isinstance(next(records), Hit)
    with pytest.raises(InvalidValue, match="line 2 must be text, not bytes"):
        next(records)


def test_what_is_not_there_yet_says_so() -> None:
    with pytest.raises(NotSupported, match="judge"):
        parse([], judge=object())  # type: ignore[arg-type]
    with pytest.raises(NotSupported, match="webhooks"):
        from msgtrack.logs import webhooks  # noqa: F401
    with pytest.raises(NotSupported, match="bounces"):
        from msgtrack.logs import bounces  # noqa: F401


COMBINED = re.compile(
    r"[0-9a-f.:]+ \S+ \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:[0-9:]{8} [+-]\d{4}\] "
    r'"(?:GET|POST|HEAD) \S+ HTTP/[0-9.]+" \d{3} (?:\d+|-) "[^"]*" "[^"]*"'
)


def test_lines_of_real_logs_are_hits(corpora: Path) -> None:
    looks_right, read = 0, 0
    for path in sorted((corpora / "access_logs").rglob("*")):
        if not path.is_file() or path.suffix in (".json", ".yml", ".yaml"):
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in data.decode("utf-8", "backslashreplace").splitlines():
            record = parse_line(line, 1)
            assert isinstance(record, Hit | Rejected | None)
            if COMBINED.fullmatch(line):
                looks_right += 1
                read += isinstance(record, Hit)
                assert isinstance(record, Hit), (path.name, record)
    assert looks_right > 100
    assert read == looks_right
