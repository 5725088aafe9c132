"""The headers that a rendered message brings along."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgtrack.errors import InvalidOption, InvalidValue, NotSupported

__all__ = ["unsubscribe_headers"]


def unsubscribe_headers(unsubscribe: str | Sequence[str]) -> dict[str, str]:
    """``List-Unsubscribe``, and with an https address the one-click header of RFC 8058.

    Raises:
        InvalidOption: an address is no https, http or mailto address fit for a header, or there is none.
        InvalidValue: an address is no text.
        NotSupported: ``hosted``.
    """
    addresses = (unsubscribe,) if isinstance(unsubscribe, str) else tuple(unsubscribe)
    if not addresses:
        raise InvalidOption("unsubscribe holds no address")
    for address in addresses:
        if address == "hosted":
            raise NotSupported(
                "the hosted opt-out is not there yet", hint="give an https or mailto address of your own"
            )
        if not isinstance(address, str):
            raise InvalidValue(f"an unsubscribe address must be text, not {address!r:.80}")
        if not re.fullmatch(r"(?:https?://|mailto:)[!#-;=?-Z\[\]_a-z~]+", address):
            raise InvalidOption(f"unsubscribe={address!r:.120} is no https, http or mailto address fit for a header")
    headers = {"List-Unsubscribe": ", ".join(f"<{address}>" for address in addresses)}
    if any(address.startswith("https://") for address in addresses):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
