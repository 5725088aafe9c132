"""Options of functions and classes: what is unfit is refused by its name, before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TypeGuard
from urllib.parse import urlsplit

from msgtrack._borders import shown
from msgtrack.errors import InvalidOption, UnknownOption

__all__ = ["above_zero", "base_of", "functions", "optional_functions", "refuse_unknown", "switch", "zero_or_more"]

_SAFE_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")


def refuse_unknown(where: str, unknown: Mapping[str, object]) -> None:
    """For what takes options: those that came by other names than it has.

    Raises:
        UnknownOption: there are any.
    """
    if unknown:
        raise UnknownOption(f"{where} has no option {', '.join(map(repr, unknown))}")


def switch(name: str, value: object) -> bool:
    """An option that is True or False.

    Raises:
        InvalidOption: it is neither; the message names the option.
    """
    if isinstance(value, bool):
        return value
    raise InvalidOption(f"{name}={value!r:.80} must be True or False")


def above_zero(**options: object) -> None:
    """Refuse options that are no numbers above zero; infinity is one.

    Raises:
        InvalidOption: one is none; the message names it.
    """
    for name, value in options.items():
        if not _is_number(value) or not value > 0:
            raise InvalidOption(f"{name} must be a number above zero, not {shown(value)}")


def zero_or_more(**options: object) -> None:
    """Refuse options that are no numbers from zero on.

    Raises:
        InvalidOption: one is none; the message names it.
    """
    for name, value in options.items():
        if not _is_number(value) or not value >= 0:
            raise InvalidOption(f"{name} must be a number, zero or more, not {shown(value)}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def functions(**options: object) -> None:
    """Refuse what cannot be called, or is a coroutine function: what it does would wait for somebody who never comes.

    Raises:
        InvalidOption: one is either; the message names it.
    """
    for name, value in options.items():
        if not callable(value):
            raise InvalidOption(f"{name} must be a function, not {shown(value)}")
        # Of an object that is called, it is its method that is asynchronous.
        for called in (value, type(value).__call__):
            if iscoroutinefunction(called) or isasyncgenfunction(called):
                raise InvalidOption(
                    f"{name} must be a plain function, not an asynchronous one: nobody would await it",
                    hint="give a function that hands on to a queue or a task",
                )


def optional_functions(**options: object) -> None:
    """Like :func:`functions`; None is none and stays so."""
    functions(**{name: value for name, value in options.items() if value is not None})


def base_of(base_url: str) -> str:
    """A base URL fit to stand in any quoting: http(s), a host, a path of safe characters, one slash at the end.

    Raises:
        InvalidOption: it is none; the message says why.
    """

    def refuse(why: str) -> InvalidOption:
        return InvalidOption(f"base_url={base_url!r:.120} {why}", hint="such as https://t.example.com")

    if not isinstance(base_url, str):
        raise refuse("is no text")
    try:
        parts = urlsplit(base_url)
    except ValueError:
        raise refuse("is no URL") from None
    if parts.scheme not in ("http", "https"):
        raise refuse("must begin with https:// or http://")
    if not _HOST.fullmatch(parts.netloc):
        raise refuse("needs a plain host name, perhaps with a port")
    if parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise refuse("must not have a query or a fragment")
    path = parts.path.rstrip("/")
    if not _SAFE_PATH.fullmatch(path):
        raise refuse("has characters in its path that need escaping")
    return f"{parts.scheme}://{parts.netloc}{path}/"
