"""The standard log of Amazon CloudFront: W3C's format with tabs, and percent signs in headers.

The status ``000`` says that the client had left before the answer.
"""

from __future__ import annotations

import re

from msgtrack.logs import _texts
from msgtrack.logs._lines import LogFormat, Reads
from msgtrack.logs.w3c import NAMES, FieldsReader

__all__ = ["FORMAT"]

# What the columns are where a log has lost its head.
_USUAL = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(host) cs-uri-stem sc-status cs(referer) cs(user-agent) cs-uri-query "
    "cs(cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol "
    "ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)
_LEAST = 12
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class _CloudFrontReader(FieldsReader):
    def __init__(self, state: str) -> None:
        super().__init__(state or _USUAL, name="cloudfront", read=_header, by_tabs=True)

    def _fit(self, texts: list[str]) -> bool:
        # Columns came at the end in the course of the years; other tables with tabs begin with no day.
        return len(texts) >= _LEAST and _DAY.fullmatch(texts[0]) is not None


def _header(text: str) -> str:
    # Older logs wrote their percent signs as %25.
    return _texts.percent(text.replace("%25", "%"))


FORMAT = LogFormat(
    name="cloudfront",
    description="the standard log of Amazon CloudFront",
    begin=_CloudFrontReader,
    reads=(
        Reads(field="date time", becomes="received_at", note="UTC"),
        *(Reads(field=field, becomes=NAMES[field]) for field in _USUAL.split() if field in NAMES),
    ),
)
