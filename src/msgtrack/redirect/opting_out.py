"""Whether a posted form asks to leave: the body of RFC 8058, in either encoding of forms."""

from __future__ import annotations

from collections.abc import Iterator
from email.errors import MessageError
from email.parser import BytesParser
from urllib.parse import parse_qsl

from msgtrack.redirect.exchange import Request

__all__ = ["FIELD", "VALUE", "asks_to_leave"]

FIELD, VALUE = "List-Unsubscribe", "One-Click"
"""The field that a form of ours, and every mail client by RFC 8058, sends."""

# The field alone takes some two hundred bytes in the longer encoding; what stands past this is no such form.
_MAX_FORM = 4_096
_MAX_FIELDS = 32
# A boundary has at most 70 characters (RFC 2046, section 5.1.1); reading a longer header takes the square of its length.
_MAX_TYPE = 512

# Parameters that are continued in two ways at once, or numbered by thousands of digits, raise more than MessageError.
_UNREADABLE = (MessageError, ValueError, TypeError, LookupError)


def asks_to_leave(request: Request) -> bool:
    """Whether the body says so, or says nothing at all.

    The address alone is the proof of who asks. A body that is there and says something else was meant for another
    address. One that is not there was dropped on the way, by a proxy for example; nobody posts here by accident.
    """
    body = request.body[:_MAX_FORM]
    if not body.strip():
        return True
    fields = _parts(body, request.header("content-type")) if _is_multipart(request) else _pairs(body)
    return any((name.lower(), value.strip().lower()) == (FIELD.lower(), VALUE.lower()) for name, value in fields)


def _is_multipart(request: Request) -> bool:
    return request.header("content-type").strip().lower().startswith("multipart/")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("latin-1").strip(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    kind = content_type[:_MAX_TYPE].encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
    try:
        message = BytesParser().parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + body)
    except _UNREADABLE:
        return
    for part in message.walk():
        try:
            name, value = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        except _UNREADABLE:
            continue
        if isinstance(name, str) and isinstance(value, bytes):
            yield name, value.decode("latin-1")
