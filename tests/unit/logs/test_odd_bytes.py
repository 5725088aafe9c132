"""Bytes that are no UTF-8, and characters that break lines, in every field of every format: what comes out can be written down."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from msgtrack.hits import Hit
from msgtrack.logs import formats
from msgtrack.records import from_json, to_json

SAMPLES = Path(__file__).parents[3] / "tests" / "data" / "logs"
ODD = ["\udcff\udcfe", "\u2028", "\x85", "\ufeff", "\x00", "\ud800"]


@pytest.mark.parametrize("name", formats.names())
def test_what_comes_out_is_text_that_can_be_written(name: str) -> None:
    tried = 0
    for log in (SAMPLES / name).glob("*.log"):
        read = formats.get(name).reader()
        for line in log.read_text("utf-8").split("\n"):
            state = read.state
            hit = read(line, 1)
            if not isinstance(hit, Hit):
                continue
            for field in ("url", "user_agent", "referrer", "client_ip", "request_id"):
                value = getattr(hit, field)
                if len(value) < 5 or line.count(value) != 1:
                    continue
                for odd in ODD:
                    found = formats.get(name).reader(state)(line.replace(value, value + odd), 1)
                    if isinstance(found, Hit):
                        tried += 1
                        for text in attrs.astuple(found):
                            if isinstance(text, str):
                                text.encode()
                        assert from_json(to_json(found), Hit) == found
    assert tried
