"""The arguments that say how an access log is written: what ``collect`` and ``logs`` share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from msgtrack.cli._common import read_bytes
from msgtrack.errors import InvalidOption, UnreadableInput
from msgtrack.logs import formats

__all__ = ["add_log_format", "log_format_of"]


def add_log_format(parser: argparse.ArgumentParser, *, default: str) -> None:
    """The arguments that name a format, of which one may be given; ``default`` says what holds without."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--format", metavar="NAME", help=f"the access logs' format by name (default: {default})")
    one.add_argument("--nginx", metavar="TEXT", help="the log_format that nginx was given, such as '$msec $request'")
    one.add_argument("--apache", metavar="TEXT", help="the LogFormat that Apache was given, such as '%%t %%r %%>s'")
    one.add_argument(
        "--fields",
        metavar="JSON",
        help='the names in a log of JSON lines by what they become, such as \'{"at": "time", "url": "uri"}\', or a file of that',
    )


def log_format_of(args: argparse.Namespace) -> formats.LogFormat | None:
    """The format that was asked for, None where none was.

    Raises:
        InvalidOption: there is no such format.
        InvalidValue: a text tells too little of its lines.
        UnreadableInput: a file of fields cannot be read.
    """
    if args.nginx is not None:
        return formats.nginx(args.nginx)
    if args.apache is not None:
        return formats.apache(args.apache)
    if args.fields is not None:
        return formats.json_lines(_fields(args.fields))
    if args.format in (None, "auto"):
        return None
    return formats.get(args.format)


def _fields(argument: str) -> Mapping[str, str | list[str]]:
    is_text = argument.lstrip().startswith("{")
    data = argument.encode("utf-8", "backslashreplace") if is_text else read_bytes(argument, "file of fields")
    where = "--fields" if is_text else f"the file of fields {argument}"
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{where} is no JSON: {error}") from None
    if not isinstance(said, dict) or not all(_is_name(value) for value in said.values()):
        raise InvalidOption(f"{where} is no JSON object of names", hint='such as {"at": "time", "url": "uri"}')
    return said


def _is_name(value: object) -> bool:
    several = value if isinstance(value, list) else [value]
    return bool(several) and all(isinstance(one, str) for one in several)
