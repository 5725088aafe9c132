"""The alphabet of short messages and the counting of segments, each a second time, computed another way."""

from __future__ import annotations

import codecs
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack.errors import InvalidValue
from msgtrack.links.gsm7 import BASIC, EXTENSION, SmsCharacter, sms_length

# 3GPP TS 23.038, section 6.2.1, row by row, as code points; the places that are ASCII in the same place are left out.
_ROWS = {
    0x00: "0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5",
    0x10: "0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E 001B 00C6 00E6 00DF 00C9",
    0x24: "00A4",
    0x40: "00A1",
    0x5B: "00C4 00D6 00D1 00DC 00A7 00BF",
    0x7B: "00E4 00F6 00F1 00FC 00E0",
}
# Section 6.2.1.1: code behind the escape, and code point.
_EXTENSION_ROWS = "0A 000C  14 005E  28 007B  29 007D  2F 005C  3C 005B  3D 007E  3E 005D  40 007C  65 20AC"

TEXTS = st.text(
    st.one_of(
        st.sampled_from(BASIC.replace("\x1b", "")),
        st.sampled_from(sorted(EXTENSION)),
        st.sampled_from("€[]^"),
        st.characters(),
    ),
    max_size=400,
)
GSM_TEXTS = st.text(st.sampled_from(BASIC.replace("\x1b", "") + "".join(EXTENSION) * 4), max_size=500)


def test_the_alphabet_is_that_of_the_standard() -> None:
    expected = [chr(code) for code in range(128)]
    for start, row in _ROWS.items():
        points = [chr(int(point, 16)) for point in row.split()]
        expected[start : start + len(points)] = points
    assert expected == list(BASIC)


def test_the_extension_is_that_of_the_standard() -> None:
    words = _EXTENSION_ROWS.split()
    expected = {chr(int(point, 16)): int(code, 16) for code, point in zip(words[::2], words[1::2], strict=True)}
    assert expected == dict(EXTENSION)


@given(TEXTS)
def test_another_codec_takes_the_same_texts_in_as_many_septets(text: str) -> None:
    pytest.importorskip("gsmcodecs", reason="the independent codec is not installed")
    found = sms_length(text)
    try:
        septets = codecs.encode(text.replace("\x1b", "…"), "gsm23.038")
    except UnicodeEncodeError:
        assert found.encoding == "ucs-2"
    else:
        assert (found.encoding, found.units) == ("gsm-7", len(septets))


def test_every_character_alone_as_another_codec_has_it() -> None:
    pytest.importorskip("gsmcodecs", reason="the independent codec is not installed")
    for code in range(0x10000):
        try:
            size = len(codecs.encode(chr(code), "gsm23.038"))
        except UnicodeEncodeError:
            size = 0
        found = sms_length(chr(code))
        # The escape itself is no character, whatever a codec makes of it.
        assert (found.units if found.encoding == "gsm-7" else 0) == (0 if code == 0x1B else size), hex(code)


@given(st.text())
@example("\uffff\U00010000")
def test_ucs_2_counts_what_utf_16_takes(text: str) -> None:
    text += "’"
    found = sms_length(text)
    assert found.encoding == "ucs-2"
    assert found.units == len(text.encode("utf-16-be", "surrogatepass")) // 2


def _fewest_segments(sizes: list[int], room: int) -> int:
    """The fewest segments that hold the characters in order, none of them split; every way of cutting is tried."""

    @cache
    def fewest(start: int) -> int:
        if start == len(sizes):
            return 0
        best, taken = len(sizes), 0
        for end in range(start, len(sizes)):
            taken += sizes[end]
            if taken > room:
                break
            best = min(best, 1 + fewest(end + 1))
        return best

    # From the end, so that nothing recurs deep.
    for start in range(len(sizes), -1, -1):
        fewest(start)
    return fewest(0)


@given(st.one_of(TEXTS, GSM_TEXTS))
@example("€" * 80)
@example("€" * 81)
@example("a" * 160)
@example("a" * 161)
@example("a" + "€" * 80)
@example("😀" * 35)
@example("😀" * 36)
@example("я" * 134)
@example("я" * 135)
def test_segments_are_as_few_as_they_can_be(text: str) -> None:
    found = sms_length(text)
    is_gsm = found.encoding == "gsm-7"
    single, room = (160, 153) if is_gsm else (70, 67)
    sizes = [(2 if character in EXTENSION else 1) if is_gsm else 1 + (ord(character) > 0xFFFF) for character in text]
    assert found.units == sum(sizes)
    assert found.segments == (1 if sum(sizes) <= single else _fewest_segments(sizes, room))
    assert 0 <= found.units_left <= single


@given(st.one_of(TEXTS, GSM_TEXTS))
def test_what_is_left_is_room_for_just_so_many_characters(text: str) -> None:
    found = sms_length(text)
    filled = sms_length(text + "a" * found.units_left)
    assert (filled.segments, filled.units_left) == (found.segments, 0)
    assert sms_length(text + "a" * (found.units_left + 1)).segments == found.segments + 1


@given(TEXTS)
def test_those_to_blame_are_all_and_no_others(text: str) -> None:
    found = sms_length(text)
    assert all(text[each.offset] == each.character for each in found.not_in_gsm7)
    to_blame = {each.offset for each in found.not_in_gsm7}
    rest = "".join(character for offset, character in enumerate(text) if offset not in to_blame)
    assert sms_length(rest).encoding == "gsm-7"
    assert bool(to_blame) == (found.encoding == "ucs-2")


def test_a_text_counts_as_it_is() -> None:
    assert sms_length("") == sms_length("a" * 0)
    assert (sms_length("").segments, sms_length("").units_left) == (1, 160)
    assert sms_length("a\r\nb").units == 4
    # An escape pair is not split: 152 units, then a pair that does not fit, so one unit is lost.
    assert sms_length("a" * 152 + "€" + "a" * 100).segments == 2
    assert sms_length("a" * 152 + "€" + "a" * 150).units_left == 1
    assert str(SmsCharacter(3, "’")) == "’ (U+2019, right single quotation mark)"
    assert str(SmsCharacter(3, "\ud800")) == "? (U+D800)"


@pytest.mark.parametrize("given_", [None, b"a", 7])
def test_what_is_no_text_is_refused(given_: object) -> None:
    with pytest.raises(InvalidValue, match="must be text"):
        sms_length(given_)  # type: ignore[arg-type]
