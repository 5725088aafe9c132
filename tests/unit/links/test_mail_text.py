"""The text of a body: its charset and transfer encoding are kept, and no byte outside the edits changes."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.links.mail_text import BodyText, read_text


def read(payload: bytes, charset: str = "", transfer_encoding: str = "") -> BodyText:
    body = read_text(payload, charset=charset, transfer_encoding=transfer_encoding, newline=b"\n")
    assert body is not None
    return body


def bytes_of(body: BodyText, text: str) -> bytes:
    return body.write(text).payload.encode("ascii", "surrogateescape")


CHARSETS = [
    "utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1251", "koi8-r", "shift_jis", "euc-jp",
    "iso-2022-jp", "gb2312", "gb18030", "big5", "euc-kr", "utf-16", "utf-7",
]  # fmt: skip


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("encoding", ["", "8bit", "binary", "quoted-printable", "base64"])
def test_charset_and_encoding_are_kept(charset: str, encoding: str) -> None:
    letters = {
        "us-ascii": "x",
        "shift_jis": "日本ソ",
        "euc-jp": "日本",
        "iso-2022-jp": "日本",
        "gb2312": "中文",
        "big5": "中文功",
    }
    word = letters.get(charset, {"windows-1251": "Привет", "koi8-r": "Привет", "euc-kr": "한국"}.get(charset, "x"))
    text = f"<p>{word}</p>\n<p>{word} = x\t</p>\n"
    data = text.encode(charset)
    payload = {"quoted-printable": quopri.encodestring, "base64": base64.encodebytes}.get(encoding, bytes)(data)
    body = read(payload, charset.upper(), encoding.upper())
    assert body.text == text
    assert body.exact
    written = body.write(text.replace("<p>", "<b>"))
    back = read(written.payload.encode("ascii", "surrogateescape"), charset, written.transfer_encoding or encoding)
    assert back.text == text.replace("<p>", "<b>")
    assert written.transfer_encoding is None
    if encoding in ("", "8bit", "binary", "base64"):
        assert bytes_of(body, text) == payload


def test_bytes_a_charset_does_not_know_stay() -> None:
    for charset in ("utf-8", "us-ascii", "", "x-unknown", "rot13", "a\x00b", "unicode-escape", "9" * 9_999):
        body = read(b"caf\xe9 <b>", charset)
        assert not body.exact
        assert bytes_of(body, body.text.replace("<b>", "<i>")) == b"caf\xe9 <i>"
    assert read("café".encode(), "us-ascii").text == "café"
    assert read(b"caf\xe9", "latin1").exact


@pytest.mark.parametrize(
    ("payload", "charset", "encoding"),
    [
        (b"YQ==\n--\nfooter", "", "base64"),
        (b"YQ==YQ==", "", "base64"),
        (b"YWJjZ", "", "base64"),
        (b"x", "", "x-uuencode"),
        (b"x", "", "quoted printable"),
        (b"\x1b$B\xff\xff", "iso-2022-jp", ""),
        (b"\x00", "utf-16", ""),
    ],
)
def test_what_cannot_be_read_without_loss_is_not_read(payload: bytes, charset: str, encoding: str) -> None:
    assert read_text(payload, charset=charset, transfer_encoding=encoding, newline=b"\n") is None


def test_a_lost_padding_is_nothing() -> None:
    assert read(b"Y WJj\r\nZA", "", "BASE64 (comment)").text == "abcd"


def test_long_lines_are_encoded_where_mail_would_break_them() -> None:
    fits, long = "x" * 998, "x" * 999
    for encoding in ("", "7bit", "8bit"):
        body = read(b"a\r\nb\r\n", "utf-8", encoding)
        assert body.write(f"{fits}\r\n{fits}").transfer_encoding is None
        written = body.write(f"é{long}\r\n.\r\n")
        assert written.transfer_encoding == "quoted-printable"
        assert max(map(len, written.payload.split("\r\n"))) <= 76
        assert "\n" not in written.payload.replace("\r\n", "")
        assert quopri.decodestring(written.payload.encode()).decode() == f"é{long}\r\n.\r\n"
    assert read(b"a", "", "binary").write(long).transfer_encoding is None
    wide = read("a".encode("utf-16"), "utf-16").write(long)
    assert wide.transfer_encoding == "base64"
    assert base64.b64decode(wide.payload).decode("utf-16") == long


def test_no_line_becomes_a_boundary() -> None:
    hyphens = "\n".join("-" * count + "b--" for count in (1, 2, 3, 72, 73, 74, 75, 76, 77, 200))
    for text in (hyphens, "x" * 74 + hyphens, "x" * 75 + "--b--", "x" * 76 + "--b\n--b"):
        payload = read(b"=2D-b--\n", "", "quoted-printable").write(text).payload
        assert not [line for line in payload.split("\n") if line.startswith("--")]
        assert max(map(len, payload.split("\n"))) <= 76
        assert quopri.decodestring(payload.encode()).decode() == text


@given(
    data=st.one_of(st.binary(max_size=300), st.text("a=\t .\r\n-é<", max_size=300).map(str.encode)),
    charset=st.sampled_from([*CHARSETS, "", "nonsense"]),
    encoding=st.sampled_from(["", "7bit", "8bit", "binary", "quoted-printable", "base64"]),
    is_wrapped=st.booleans(),
)
def test_any_payload_comes_back_as_the_bytes_it_stood_for(
    data: bytes, charset: str, encoding: str, is_wrapped: bool
) -> None:
    payload = data
    if is_wrapped and encoding == "base64":
        payload = base64.encodebytes(data)
    body = read_text(payload, charset=charset, transfer_encoding=encoding, newline=b"\n")
    if body is None:
        return
    written = body.write(body.text)
    back = written.payload.encode("ascii", "surrogateescape")
    now = written.transfer_encoding or encoding
    if now == "base64":
        back = base64.b64decode(back)
    elif now == "quoted-printable":
        back = quopri.decodestring(back)
    # Padding that was lost is no loss.
    expected = {"base64": lambda text: base64.b64decode(text + b"==="), "quoted-printable": quopri.decodestring}.get(
        encoding, bytes
    )(payload)
    assert back == expected
