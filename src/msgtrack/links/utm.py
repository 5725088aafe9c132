"""Campaign parameters: put behind a destination's own, in front of its fragment, never over what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote_plus

from msgtrack.errors import InvalidOption, InvalidValue

__all__ = ["utm_parameters", "with_parameters"]

_NAME = re.compile(r"[A-Za-z0-9_.~-]+")
_SHORT = frozenset(("source", "medium", "campaign", "term", "content", "id"))
_PARTING = re.compile("[&;]")


def utm_parameters(value: Any) -> Mapping[str, str]:
    """Parameters as given to rules: the short names (``source``, ``medium``, …) get their ``utm_``.

    Raises:
        InvalidValue: it is no mapping, or a value is not text.
        InvalidOption: a name holds more than letters, digits and ``_ . ~ -``, or is given twice.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue(f"utm is a mapping of names to text, not {type(value).__name__}")
    parameters: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidOption(f"utm holds {name!r:.80}, which is no name of a parameter")
        if not isinstance(text, str):
            raise InvalidValue(f"the utm parameter {name!r} must be text, not {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidValue(f"the utm parameter {name!r} must be text that UTF-8 can write") from None
        name = f"utm_{name}" if name in _SHORT else name
        if name in parameters:
            raise InvalidOption(f"utm holds {name!r} twice, in its short and its long form")
        parameters[name] = text
    return MappingProxyType(parameters)


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    """The URL with the parameters that it has not got; a name in another case counts as being there.

    >>> with_parameters("https://shop.example/?utm_source=a#top", {"utm_source": "b", "utm_medium": "e-mail now"})
    'https://shop.example/?utm_source=a&utm_medium=e-mail%20now#top'
    """
    front, hash_mark, fragment = url.partition("#")
    _, question_mark, query = front.partition("?")
    present = {unquote_plus(pair.partition("=")[0]).lower() for pair in _PARTING.split(query)}
    added = "&".join(
        f"{name}={quote(value, safe='')}" for name, value in parameters.items() if name.lower() not in present
    )
    if not added:
        return url
    glue = "?" if not question_mark else "&" if query and not query.endswith("&") else ""
    return f"{front}{glue}{added}{hash_mark}{fragment}"
