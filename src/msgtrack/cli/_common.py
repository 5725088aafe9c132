"""What several commands share: reading keys and messages, arguments with one meaning, output."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgtrack.errors import InvalidOption, MissingExtra, UnreadableInput
from msgtrack.links import Keyring, Tracker

__all__ = ["command", "print_json", "progress", "read_bytes", "read_html", "read_keys", "tracker_of", "write_text"]

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], *, help: str, example: str, json_help: str
) -> argparse.ArgumentParser:
    """A command's parser, with an example in its help and ``--json``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help=json_help)
    parser.set_defaults(run=run)
    return parser


def add_tracker(parser: argparse.ArgumentParser) -> None:
    """The arguments that make a tracker."""
    parser.add_argument("--base-url", required=True, metavar="URL", help="where the redirect server is reached")
    parser.add_argument("--keys", required=True, metavar="FILE", help="secrets, one a line; the first one signs")
    parser.add_argument("--realm", default="", metavar="NAME", help="the tenant, bound in the keys (default: none)")


def tracker_of(args: argparse.Namespace) -> Tracker:
    """The tracker that the arguments describe."""
    return Tracker(base_url=args.base_url, keyring=read_keys(args.keys), realm=args.realm)


def read_bytes(path: str, what: str) -> bytes:
    """A file's bytes; ``-`` is standard input.

    Raises:
        UnreadableInput: it cannot be read; the message says what it should have been.
    """
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UnreadableInput(f"cannot read the {what} {path}: {error.strerror or error}") from error


def read_html(path: str, what: str = "HTML file") -> str:
    """A file's text: by its byte-order mark, else the charset that its meta tag names, else UTF-8, else windows-1252.

    Raises:
        UnreadableInput: it cannot be read, or is no text.
    """
    data = read_bytes(path, what)
    for mark, charset in _BOMS:
        if data.startswith(mark):
            return _decode(data, charset, path, what)
    if b"\0" in data[:4096]:
        raise UnreadableInput(f"the {what} {path} is no text: it holds zero bytes")
    named = _META_CHARSET.search(data[:4096])
    for charset in (named[1].decode() if named else "", "utf-8"):
        try:
            return data.decode(charset) if charset else data.decode("utf-8")
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("windows-1252", "replace")


def _decode(data: bytes, charset: str, path: str, what: str) -> str:
    try:
        return data.decode(charset)
    except UnicodeDecodeError as error:
        raise UnreadableInput(
            f"the {what} {path} is not the {charset} that its first bytes promise: {error.reason}"
        ) from None


def read_keys(path: str) -> Keyring:
    """The keyring of a file: one secret a line, the first signs, the others only verify; ``#`` begins a comment.

    Raises:
        UnreadableInput: the file cannot be read, or holds no secret.
        WeakSecret: a secret is too short.
    """
    try:
        lines = read_bytes(path, "key file").decode().splitlines()
    except UnicodeDecodeError:
        raise UnreadableInput(f"the key file {path} is not UTF-8") from None
    secrets = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not secrets:
        raise UnreadableInput(
            f"the key file {path} holds no secret", hint="make one with: msgtrack keys new --out FILE"
        )
    return Keyring.from_secrets(secrets[0], verify_only=secrets[1:])


def write_text(path: str, text: str, what: str) -> None:
    """Write a file as UTF-8; ``-`` is standard output.

    Raises:
        UnreadableInput: it cannot be written.
    """
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UnreadableInput(f"cannot write the {what} {path}: {error.strerror or error}") from error


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf")))


def duration_seconds(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m``, ``1h`` or ``2d``.

    Raises:
        InvalidOption: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None or not float(match[1]):
        raise InvalidOption(f"{text!r:.40} is no duration", hint="such as 90s, 15m, 1h or 2d")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


@contextmanager
def progress(label: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs, where that is a terminal; yields the function that
    moves it.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError as error:
        raise MissingExtra("progress bars need the package 'rich'", hint="pip install 'msgtrack[cli]'") from error
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)
