"""``msgtrack audit``: what is forbidden in the links of a folder of templates."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgtrack.cli._common import command, print_json, printable, progress, read_html
from msgtrack.errors import InvalidOption, UnreadableInput
from msgtrack.links.auditing import AUDIT_PROBLEMS, Problem, audit
from msgtrack.links.syntaxes import SYNTAXES

__all__ = ["NAME", "add", "run"]

NAME = "audit"

_ENDINGS = {
    ".jinja": "jinja",
    ".jinja2": "jinja",
    ".j2": "jinja",
    ".djhtml": "django",
    ".djt": "django",
    ".dtl": "django",
    ".liquid": "liquid",
    ".hbs": "handlebars",
    ".handlebars": "handlebars",
    ".mustache": "handlebars",
    ".jssp": "campaign",
}
_PLAIN = frozenset((".html", ".htm", ".xhtml", ".mjml", ".txt", ".text"))
_TEXT = frozenset((".txt", ".text"))
_PERSONAL = tuple(name for name in SYNTAXES if name != "none")


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = command(
        commands,
        NAME,
        run,
        help="find what is forbidden in the links of templates; exit code 1 if there is anything",
        example="msgtrack audit templates/ --syntax jinja",
        json_help="print files and problems as JSON",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a template, or a folder: its files that end like templates, hidden ones left out",
    )
    parser.add_argument(
        "--syntax",
        choices=_PERSONAL,
        metavar="NAME",
        help=f"{', '.join(_PERSONAL)} (default: by the file's ending, such as {', '.join(sorted(_ENDINGS))})",
    )
    parser.add_argument(
        "--campaign-format",
        action="store_true",
        help="for URLs of the campaign format, which has a parameter id itself",
    )


def run(args: argparse.Namespace) -> int:
    """Audit every file, then say what was found."""
    files = [(path, args.syntax or _syntax(path)) for path in _files(args.paths)]
    unclear = [path for path, syntax in files if not syntax]
    if unclear:
        others = f" and {len(unclear) - 1} more" if len(unclear) > 1 else ""
        raise InvalidOption(
            f"the ending of {unclear[0]}{others} does not tell the syntax", hint=f"--syntax {'|'.join(_PERSONAL)}"
        )
    url_format = "campaign" if args.campaign_format else "compact"
    found: list[tuple[Path, str, Problem]] = []
    with progress("Auditing", len(files), quiet=args.json) as advance:
        for path, syntax in files:
            part = "text" if _TEXT.intersection(_suffixes(path)) else "html"
            source = read_html(str(path), "template").text
            found += [(path, part, each) for each in audit(source, syntax=syntax, part=part, url_format=url_format)]
            advance(1)
    if args.json:
        print_json({"files": len(files), "problems": [_as_json(*each) for each in found]})
    else:
        _show(found, len(files))
    return 1 if found else 0


def _files(paths: Sequence[str]) -> list[Path]:
    """The templates, each once, in order.

    Raises:
        UnreadableInput: there is no such file or folder, a folder cannot be listed, or there are no templates.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given)
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (OSError, ValueError) as error:
            raise UnreadableInput(f"cannot read the template {given}: {getattr(error, 'strerror', error)}") from error
        found |= dict.fromkeys(_in_folder(path) if is_folder else [path])
    if not found:
        endings = ", ".join(sorted(_PLAIN | _ENDINGS.keys()))
        raise UnreadableInput(f"there are no templates in {', '.join(paths)}", hint=f"files that end with {endings}")
    return list(found)


def _in_folder(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise UnreadableInput(f"cannot list the folder {error.filename}: {error.strerror or error}") from error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in _PLAIN | _ENDINGS.keys() and path.is_file():
                yield path


def _suffixes(path: Path) -> list[str]:
    return [suffix.lower() for suffix in path.suffixes]


def _syntax(path: Path) -> str:
    """The syntax that the endings of a file tell, the last one first; empty where they do not."""
    return next((_ENDINGS[suffix] for suffix in reversed(_suffixes(path)) if suffix in _ENDINGS), "")


def _as_json(path: Path, part: str, problem: Problem) -> dict[str, object]:
    return {
        "path": str(path),
        "part": part,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
        "attribute": problem.attribute,
        "url": problem.url,
    }


def _show(found: Sequence[tuple[Path, str, Problem]], files: int) -> None:
    for path, _, problem in found:
        place = f"{path}:{problem.line}:{problem.column}"
        where = f" [{problem.attribute}]" if problem.attribute else ""
        address = f" {' '.join(problem.url.split()):.200}" if problem.url else ""
        print(printable(f"{place}: {problem.code}{where}:{address}"))
        if problem.message != AUDIT_PROBLEMS.get(problem.code):
            print(printable(f"    {problem.message}"))
    for code in sorted({problem.code for _, _, problem in found} & AUDIT_PROBLEMS.keys()):
        print(f"{code}: {AUDIT_PROBLEMS[code]}")
    some = len({path for path, _, _ in found})
    said = f"{len(found)} problem{'s' * (len(found) != 1)} in {some} of {files}" if found else f"no problems in {files}"
    print(f"{said} template{'s' * (files != 1)}")
