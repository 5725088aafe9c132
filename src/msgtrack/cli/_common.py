"""What several commands share: reading keys and messages, arguments with one meaning, output."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from msgtrack._options import base_of
from msgtrack.cli._charsets import UTF_8, Encoding, detect
from msgtrack.errors import InvalidOption, InvalidValue, UnreadableInput
from msgtrack.links import Keyring, Tracker
from msgtrack.links.tokens import KEY_LENGTH

if TYPE_CHECKING:
    from msgtrack.io import ManifestRegistry

__all__ = [
    "URL_FORMATS",
    "Page",
    "add_tracker",
    "command",
    "complain",
    "complain_if_away",
    "duration_seconds",
    "make_folder",
    "named",
    "print_json",
    "printable",
    "progress",
    "read_bytes",
    "read_html",
    "read_keys",
    "read_values",
    "tracker_of",
    "write_text",
]

_MAX_DURATION_SECONDS = 366 * 86_400
URL_FORMATS = ("compact", "campaign")
_LOOK_UP = "the folder where registered links are looked up"


@frozen
class Page:
    """A text, and how the file that it came from was encoded."""

    text: str
    encoding: Encoding


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


def add_tracker(parser: argparse.ArgumentParser, *, registry: str = _LOOK_UP) -> None:
    """The arguments that make a tracker; ``registry`` says what is done with a registry of links."""
    parser.add_argument("--base-url", required=True, metavar="URL", help="where the redirect server is reached")
    parser.add_argument("--keys", required=True, metavar="FILE", help="secrets, one a line; the first one signs")
    parser.add_argument("--realm", default="", metavar="NAME", help="the tenant, bound in the keys (default: none)")
    parser.add_argument("--registry", metavar="DIR", help=registry)
    parser.add_argument(
        "--url-format",
        default="compact",
        choices=URL_FORMATS,
        help="how tracked URLs look; campaign needs --registry (default: compact)",
    )


def tracker_of(args: argparse.Namespace, *, publishes: bool = False) -> Tracker:
    """The tracker that the arguments describe; one that publishes, and has a registry, writes links that need it.

    Raises:
        InvalidOption: an option is unfit, or lacks another one.
        UnreadableInput: the key file cannot be read, or the registry not be made.
        WeakSecret: a secret is too short.
    """
    with named("base_url"):
        base_url = base_of(args.base_url)
    is_campaign = args.url_format == "campaign"
    if is_campaign and args.registry is None:
        raise InvalidOption("--url-format campaign needs --registry: such URLs hold no destinations")
    keyring, registry = read_keys(args.keys), _registry_of(args, publishes=publishes)
    style = "registered" if is_campaign or (publishes and registry is not None) else "stateless"
    return Tracker(base_url, keyring, registry, style, args.url_format or "compact", realm=args.realm)


@contextmanager
def named(option: str) -> Iterator[None]:
    """Name the option, as it is called in arguments, in what the library says of its value.

    Raises:
        InvalidValue: as in the block.
    """
    try:
        yield
    except InvalidValue as error:
        raise type(error)(f"--{option.replace('_', '-')}: {error.message}", hint=error.hint) from None


def _registry_of(args: argparse.Namespace, *, publishes: bool = False) -> ManifestRegistry | None:
    from msgtrack.io import ManifestRegistry

    if args.registry is None:
        return None
    return ManifestRegistry(args.registry, make=publishes)


def complain_if_away(args: argparse.Namespace) -> None:
    """Say so if the registry cannot be read now. That ends nothing: it may be there when a link needs it."""
    registry = _registry_of(args)
    if registry is None:
        return
    try:
        registry.find("0" * KEY_LENGTH)
    except UnreadableInput as error:
        complain(f"{error}; as long as the registry cannot be read, its links are unavailable")


def read_bytes(path: str, what: str) -> bytes:
    """A file's bytes; ``-`` is standard input.

    Raises:
        UnreadableInput: it cannot be read; the message says what it should have been.
    """
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UnreadableInput(f"cannot read the {what} {path}: {error.strerror or error}") from error


def read_html(path: str, what: str = "HTML file") -> Page:
    """A file's text, and how it was encoded; see :func:`msgtrack.cli._charsets.detect`.

    Raises:
        UnreadableInput: it cannot be read, or is no text.
    """
    data = read_bytes(path, what)
    encoding = detect(data)
    if not encoding.mark and b"\0" in data[:4096]:
        raise UnreadableInput(f"the {what} {path} is no text: it holds zero bytes")
    try:
        return Page(encoding.decode(data), encoding)
    except UnicodeDecodeError as error:
        raise UnreadableInput(
            f"the {what} {path} is not the {encoding.codec} that its first bytes promise: {error.reason}"
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


def read_values(path: str) -> dict[str, Any]:
    """The values of a JSON file, by the names of placeholders.

    Raises:
        UnreadableInput: the file cannot be read, or holds no JSON object.
    """
    try:
        found = json.loads(read_bytes(path, "file of values"))
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"the file of values {path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UnreadableInput(f"the file of values {path} holds no JSON object", hint='such as {"name": "Ann"}')
    return found


def write_text(path: str, text: str, what: str, *, encoding: Encoding | None = None) -> None:
    """Write a file, as UTF-8 unless told otherwise; ``-`` is standard output, which has an encoding of its own where it is
    a terminal or none is asked for.

    Raises:
        UnreadableInput: it cannot be written.
    """
    if path == "-" and (encoding is None or sys.stdout.isatty()):
        sys.stdout.write(text)
        return
    encoding = encoding or UTF_8
    try:
        data = encoding.encode(text)
    except UnicodeEncodeError as error:
        character = ascii(text[error.start])
        raise UnreadableInput(f"cannot write the {what} in {encoding.codec}: it lacks {character}") from None
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise UnreadableInput(f"cannot write the {what} {path}: {error.strerror or error}") from error


def make_folder(path: str | Path) -> Path:
    """A folder, made where it is missing, with those above it.

    Raises:
        UnreadableInput: it cannot be made.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnreadableInput(f"cannot make the folder {path}: {error.strerror or error}") from error
    return folder


def printable(text: str) -> str:
    """A text for a terminal: what moves its cursor or changes its colours is shown as a replacement character."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def complain(said: object) -> None:
    """One line on standard error, whatever is said; where that takes none, as a log on a full disk, nothing."""
    with suppress(OSError):
        print(f"msgtrack: {' '.join(str(said).split())}", file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf")))


def duration_seconds(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m``, ``1h`` or ``2d``, at most 366 days.

    Raises:
        InvalidOption: it is none, or too long.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None or not float(match[1]):
        raise InvalidOption(f"{text!r:.40} is no duration", hint="such as 90s, 15m, 1h or 2d")
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]
    if seconds > _MAX_DURATION_SECONDS:
        raise InvalidOption(f"{text!r:.40} is longer than 366 days")
    return seconds


@contextmanager
def progress(label: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error while the block runs, where that is a terminal and rich is installed; yields
    the function that moves it.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)
