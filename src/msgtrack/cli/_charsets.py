"""How a page is encoded: by the names that the WHATWG Encoding Standard gives to charsets, and back to the same bytes."""

from __future__ import annotations

import codecs
import re

from attrs import frozen

__all__ = ["UTF_8", "Encoding", "detect"]

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_PRESCAN_BYTES = 4_096

# Our codec, and the labels that mean it. Charsets that the standard does not know are not in the table on purpose: some codecs of
# Python are no charsets (punycode, unicode_escape), and a browser would not follow them.
_LABELS = {
    # A page that can be searched for its meta tag is not UTF-16, whatever the tag says.
    "utf-8": "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf-16 utf-16le utf-16be "
    "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff unicodefffe",
    "ibm866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    "iso8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i "
    "iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 "
    "iso_8859-7:1987 sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-8859-8-i iso-ir-138 "
    "iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 logical visual",
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 "
    "iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252 x-user-defined",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 "
    "windows-1254 x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_MULTI_BYTE = frozenset(
    {"utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949"}
)


@frozen
class Encoding:
    """A codec and the byte-order mark before the text; :meth:`encode` undoes :meth:`decode`."""

    codec: str
    mark: bytes = b""

    def decode(self, data: bytes) -> str:
        """The text of a file, its mark left out.

        Raises:
            UnicodeDecodeError: the bytes are not in this charset.
        """
        data = data.removeprefix(self.mark)
        if self.codec in _MULTI_BYTE:
            return data.decode(self.codec)
        return codecs.charmap_decode(data, "strict", _characters(self.codec))[0]

    def encode(self, text: str) -> bytes:
        """The bytes of a file, its mark before them.

        Raises:
            UnicodeEncodeError: the charset lacks a character.
        """
        if self.codec in _MULTI_BYTE:
            return self.mark + text.encode(self.codec)
        return self.mark + codecs.charmap_encode(text, "strict", codecs.charmap_build(_characters(self.codec)))[0]


UTF_8 = Encoding("utf-8")
_WINDOWS_1252 = Encoding("cp1252")
_MARKED = (
    Encoding("utf-8", codecs.BOM_UTF8),
    Encoding("utf-16-le", codecs.BOM_UTF16_LE),
    Encoding("utf-16-be", codecs.BOM_UTF16_BE),
)


def detect(data: bytes) -> Encoding:
    """How a file is encoded: by its byte-order mark, else the charset that its meta tag names, else UTF-8, else
    windows-1252. A charset that no browser knows, or that the bytes are not in, counts as none.

    Only with a mark may :meth:`Encoding.decode` fail on the same bytes.
    """
    for marked in _MARKED:
        if data.startswith(marked.mark):
            return marked
    named = _META_CHARSET.search(data[:_PRESCAN_BYTES])
    codec = _CODECS.get(named[1].decode("ascii").lower()) if named else None
    for encoding in (Encoding(codec), UTF_8) if codec else (UTF_8,):
        try:
            encoding.decode(data)
        except UnicodeDecodeError:
            continue
        return encoding
    return _WINDOWS_1252


def _characters(codec: str) -> str:
    # The standard gives the bytes 80 to 9F that a charset leaves open to the control characters of the same numbers.
    decoded = bytes(range(256)).decode(codec, "replace")
    return "".join(
        (chr(byte) if 0x80 <= byte < 0xA0 else "\ufffe") if character == "\ufffd" else character
        for byte, character in enumerate(decoded)
    )
