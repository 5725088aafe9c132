"""What addresses with errors are kept by: short text that every store can write."""

import pytest

from msgtrack.errors import InvalidValue
from msgtrack.facts import MAX_ADDRESS_BYTES, AddressState


@pytest.mark.parametrize("text", ["\ud800", "x" * (MAX_ADDRESS_BYTES + 1), "é" * MAX_ADDRESS_BYTES])
def test_what_no_store_could_find_again_is_refused_at_the_border(text):
    with pytest.raises(InvalidValue, match="UTF-8"):
        AddressState(address="ann@shop.example", channel=text)
    with pytest.raises(InvalidValue, match="UTF-8"):
        AddressState(address=text)


def test_a_channel_may_be_any_other_text():
    for text in ("", "sms", "\0", "é" * (MAX_ADDRESS_BYTES // 2)):
        assert AddressState(address="ann@shop.example", channel=text).channel == text
