"""The standard log of Amazon CloudFront: W3C's format with tabs, and percent signs in headers.

The status ``000`` says that the client had left before the answer; nginx's code for that, 499, takes its place.
"""

from __future__ import annotations

from attrs import evolve

from msgtrack.hits import Hit, Rejected
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
_LEFT = 499


class _CloudFrontReader(FieldsReader):
    def __init__(self, state: str) -> None:
        super().__init__(state or _USUAL, name="cloudfront", read=_header, by_tabs=True)

    def _fit(self, texts: list[str]) -> bool:
        # Columns came at the end in the course of the years.
        return _LEAST <= len(texts) <= len(self._fields)

    def __call__(self, line: str, number: int) -> Hit | Rejected | None:
        found = super().__call__(line, number)
        return evolve(found, status=_LEFT) if isinstance(found, Hit) and found.status == 0 else found


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
