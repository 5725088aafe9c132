"""How pages are read, and that what is written has the author's bytes outside the edits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.cli import main
from msgtrack.cli._charsets import _LABELS, UTF_8, Encoding, detect
from msgtrack.cli._common import Page, read_html, tracker_of
from msgtrack.errors import UnreadableInput

BODY = '<html><head><meta charset="{charset}"></head>\r\n<body>{words}<a href="https://shop.example/">x</a>\n</body></html>'
PAGES = {
    "latin 1": BODY.format(charset="iso-8859-1", words="caf\xe9").encode("latin-1"),
    "bytes that windows-1252 leaves open": BODY.format(charset="iso-8859-1", words="\x81\x8d\xe9").encode("latin-1"),
    "utf-8": BODY.format(charset="utf-8", words="café €").encode(),
    "utf-8 with a mark": b"\xef\xbb\xbf" + BODY.format(charset="iso-8859-1", words="café €").encode(),
    "utf-16 little": b"\xff\xfe" + BODY.format(charset="utf-16", words="café €").encode("utf-16-le"),
    "utf-16 big": b"\xfe\xff" + BODY.format(charset="utf-16", words="café €").encode("utf-16-be"),
    "windows-1251": BODY.format(charset="Windows-1251", words="Привет").encode("cp1251"),
    "koi8-r": BODY.format(charset="koi8-r", words="Привет").encode("koi8-r"),
    "shift_jis": BODY.format(charset="shift_jis", words="日本語①").encode("cp932"),
    "iso-2022-jp": BODY.format(charset="iso-2022-jp", words="日本語").encode("iso2022_jp"),
    "gb2312": BODY.format(charset="gb2312", words="简体中文").encode("gb18030"),
    "big5": BODY.format(charset="big5", words="繁體中文").encode("big5"),
    "euc-kr": BODY.format(charset="euc-kr", words="한국어").encode("cp949"),
    "no charset at all": BODY.format(charset="", words="caf\xe9").encode("latin-1"),
    "not what it says": BODY.format(charset="utf-8", words="caf\xe9\xff").encode("latin-1"),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_authors_bytes_stay(name: str, tmp_path: Path) -> None:
    keys, page, out, text_out = (tmp_path / part for part in ("keys", "page.html", "out.html", "out.txt"))
    keys.write_text("a secret that is long enough to sign with\n")
    page.write_bytes(PAGES[name])
    tracked = ["--keys", str(keys), "--base-url", "https://t.example.com"]
    command = ["compile", str(page), "--delivery", "spring", "--message-id", "7", *tracked]
    assert main([*command, "--out", str(out), "--text", str(page), "--out-text", str(text_out)]) == 0
    # Whatever is before the first link, and behind the pixel, stands there byte for byte.
    encoding = read_html(str(page)).encoding
    link, end = (Encoding(encoding.codec).encode(part) for part in ("https://shop.example/", "</body></html>"))
    for written in (out.read_bytes(), text_out.read_bytes()):
        assert written.startswith(PAGES[name].partition(link)[0])
        assert written.endswith(end)
        assert written != PAGES[name]
    import argparse

    given = {"base_url": "https://t.example.com", "realm": "", "registry": None, "url_format": None}
    tracker = tracker_of(argparse.Namespace(keys=str(keys), **given))
    compiled = tracker.compile(html=read_html(str(page)).text, delivery_id="spring")
    again = read_html(str(out))
    assert again.encoding == encoding
    assert again.encoding.encode(compiled.restore(again.text)) == PAGES[name]


def test_what_goes_to_standard_output_has_the_authors_bytes_too(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    keys, page = tmp_path / "keys", tmp_path / "page.html"
    keys.write_text("a secret that is long enough to sign with\n")
    page.write_bytes(PAGES["latin 1"])
    command = ["compile", str(page), "--delivery", "1", "--message-id", "7", "--keys", str(keys)]
    assert main([*command, "--base-url", "https://t.example.com"]) == 0
    assert b"caf\xe9<a" in capsysbinary.readouterr().out


@given(st.binary(max_size=40), st.sampled_from([label for labels in _LABELS.values() for label in labels.split()]))
def test_single_byte_charsets_and_utf8_lose_nothing(data: bytes, label: str) -> None:
    data = f'<meta charset="{label}">'.encode() + data
    encoding = detect(data)
    if encoding.codec in {"gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949"}:
        return
    assert encoding.encode(encoding.decode(data)) == data


@pytest.mark.parametrize(
    "label", ["undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "punycode", "idna", "rot13", "hex", "mbcs",
              "cp037", "utf-32", "zlib", "no-such-charset"]
)  # fmt: skip
def test_what_no_browser_knows_is_no_charset(label: str) -> None:
    head = f'<meta charset="{label}">\\u0041+AGE-'
    assert detect(head.encode()) == UTF_8
    assert detect((head + "é").encode()) == UTF_8
    assert detect((head + "é").encode("latin-1")).decode((head + "é").encode("latin-1")) == head + "é"


@pytest.mark.parametrize("label", ["utf-16", "UTF-16LE", "utf-16be", "unicode"])
def test_a_readable_tag_is_never_in_utf_16(label: str) -> None:
    assert detect(f'<meta charset="{label}">'.encode()) == UTF_8


def test_every_codec_of_the_table_is_there() -> None:
    for codec in _LABELS:
        encoding = Encoding(codec)
        assert encoding.encode(encoding.decode(b"plain text")) == b"plain text"
    assert detect(b'<meta charset="ISO-8859-1">\x93') == Encoding("cp1252")
    assert detect(b'<meta charset="ISO-8859-9">\xf0').decode(b"\xf0") == "\N{LATIN SMALL LETTER G WITH BREVE}"


def test_a_mark_that_lies_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"\xef\xbb\xbfcaf\xe9")
    with pytest.raises(UnreadableInput, match="not the utf-8 that its first bytes promise"):
        read_html(str(page))
    page.write_bytes(b"\xef\xbb\xbfcaf")
    assert read_html(str(page)) == Page("caf", Encoding("utf-8", b"\xef\xbb\xbf"))
