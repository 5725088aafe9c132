"""The headers that a rendered message brings along."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgtrack._borders import items
from msgtrack.errors import InvalidOption, InvalidValue

__all__ = ["ADDRESS", "unsubscribe_headers"]

ADDRESS = re.compile(r"(?:https?://|mailto:)[!#-;=?-Z\[\]_a-z~]+")
"""An address that can stand in a header, in angle brackets."""

_ONE_CLICK = "List-Unsubscribe=One-Click"


def unsubscribe_headers(unsubscribe: str | Sequence[str], hosted: Callable[[], str]) -> dict[str, str]:
    """``List-Unsubscribe``, and with an https address the one-click header of RFC 8058.

    ``hosted`` gives the URL that stands for the word ``hosted``; it is asked only when the word is there.

    Raises:
        InvalidOption: an address is no https, http or mailto address fit for a header, or there is none.
        InvalidValue: an address is no text, or there is neither text nor a sequence.
    """
    if unsubscribe == "hosted":
        addresses = [hosted()]
    else:
        addresses = [
            hosted() if address == "hosted" else _checked(address)
            for address in ((unsubscribe,) if isinstance(unsubscribe, str) else items(unsubscribe))
        ]
        if not addresses:
            raise InvalidOption("unsubscribe holds no address")
    headers = {"List-Unsubscribe": f"<{'>, <'.join(addresses)}>"}
    for address in addresses:
        if address.startswith("https://"):
            headers["List-Unsubscribe-Post"] = _ONE_CLICK
            break
    return headers


def _checked(address: object) -> str:
    if not isinstance(address, str):
        raise InvalidValue(f"an unsubscribe address must be text, not {address!r:.80}")
    if not ADDRESS.fullmatch(address):
        raise InvalidOption(f"unsubscribe={address!r:.120} is no https, http or mailto address fit for a header")
    return address
