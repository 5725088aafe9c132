"""Cookies: read one by its name, and write one that scripts, other sites and plain connections do not get."""

from __future__ import annotations

import re

from msgtrack.model import PeoplePolicy
from msgtrack.redirect.exchange import Headers

__all__ = ["SOURCE_ID", "TOKEN", "attributes", "cookie_of"]

SOURCE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
"""A person key as a cookie may hold it."""

TOKEN = re.compile(r"[a-z0-9.-]{20,512}")
"""The token of a session as a cookie may hold it."""


def cookie_of(headers: Headers, name: str, fit: re.Pattern[str]) -> str | None:
    """The first value of a cookie that is fit, or None."""
    for cookies in headers.every("cookie"):
        for pair in cookies.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name and fit.fullmatch(value):
                return value
    return None


def attributes(people: PeoplePolicy, *, is_lasting: bool, is_secure: bool) -> str:
    """What stands behind the value of a cookie that lasts as long as the policy says, or for a session of the browser."""
    parts = [f"; Max-Age={people.cookie_days * 86_400}"] if is_lasting else []
    parts.append("; Path=/")
    if people.cookie_domain:
        parts.append(f"; Domain={people.cookie_domain}")
    if is_secure:
        parts.append("; Secure")
    return "".join([*parts, "; HttpOnly; SameSite=Lax"])
