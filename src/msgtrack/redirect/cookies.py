"""Cookies: read one by its name, and write one that scripts, other sites and plain connections do not get."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgtrack.model import PeoplePolicy

__all__ = ["SOURCE_ID", "TOKEN", "cookie_of", "set_cookie"]

SOURCE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
"""A person key as a cookie may hold it."""

TOKEN = re.compile(r"[a-z0-9.-]{20,512}")
"""The token of a session as a cookie may hold it."""


def cookie_of(headers: Mapping[str, str], name: str, fit: re.Pattern[str]) -> str | None:
    """The first value of a cookie that is fit, or None."""
    for pair in headers.get("cookie", "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name and fit.fullmatch(value):
            return value
    return None


def set_cookie(people: PeoplePolicy, name: str, value: str, *, is_lasting: bool, is_secure: bool) -> tuple[str, str]:
    """The header that sets a cookie, for as long as the policy says or for a session of the browser."""
    parts = [f"{name}={value}"]
    if is_lasting:
        parts.append(f"Max-Age={people.cookie_days * 86_400}")
    parts.append("Path=/")
    if people.cookie_domain:
        parts.append(f"Domain={people.cookie_domain}")
    if is_secure:
        parts.append("Secure")
    return "set-cookie", "; ".join([*parts, "HttpOnly", "SameSite=Lax"])
