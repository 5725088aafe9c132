"""The audit: everything in a template that would keep a link from being tracked, all at once and before anything is sent.

Compiling ends with the first such link. The audit lists them all, and besides looks at what a client loads by itself:
a host that a value decides is forbidden in ``src`` as it is in ``href`` (reference 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen
from attrs.validators import instance_of

from msgtrack._borders import shown
from msgtrack.errors import CompileError, InvalidOption, InvalidValue
from msgtrack.links.addresses import AddressReader, is_script
from msgtrack.links.campaign import CampaignFormat
from msgtrack.links.entities import decode_attribute
from msgtrack.links.formats import UrlFormat
from msgtrack.links.html import scan_html
from msgtrack.links.instructions import expand
from msgtrack.links.loading import loaded_addresses
from msgtrack.links.markers import markup_of
from msgtrack.links.positions import LineIndex, Positions
from msgtrack.links.syntaxes import LINK_PROBLEMS, LinkProblem, Syntax, TagKind, split, syntax_of
from msgtrack.links.syntaxes.link_template import checked_tags
from msgtrack.links.text import scan_text
from msgtrack.model import Part
from msgtrack.vocabulary import part as part_of

__all__ = ["AUDIT_PROBLEMS", "Problem", "audit"]

AUDIT_PROBLEMS = {
    **LINK_PROBLEMS,
    "broken-tag": "The engine itself would refuse the template here.",
}
"""What an audit finds: codes and reasons. Under the ``campaign`` syntax there are those of ``INSTRUCTION_ERRORS`` too."""

_INSTRUCTION = re.compile(r"<%@.*?%>", re.DOTALL)
_OTHERWISE = ("else", "elif", "elsif", "when", "case", "empty", "^")
_LONGEST_HOST = 2_000
_SCRIPT_MARK = re.compile(r"(?:start|end)Script")


@frozen(kw_only=True)
class Problem:
    """Something forbidden in a template.

    ``code`` is one of ``AUDIT_PROBLEMS``; ``line`` and ``column`` count from 1 in the text as its author wrote it; ``url``
    is the address as written, and ``attribute`` the one that holds it, both empty where the problem lies outside of one
    (in plain text there are no attributes).
    """

    code: str = field(validator=instance_of(str))
    message: str
    line: int
    column: int
    url: str = ""
    attribute: str = ""


class _Found:
    """Problems on their way to becoming values: offset, code, message, address, attribute."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str, str, str]] = []
        self.spans: list[tuple[int, int]] = []

    def add(self, problems: tuple[LinkProblem, ...], url: str, start: int, attribute: str) -> None:
        for problem in problems:
            self.rows.append((start + problem.offset, problem.code, problem.message, url, attribute))
        if problems:
            self.spans.append((start, start + len(url)))

    def values(self, positions: Positions) -> Iterator[Problem]:
        for offset, code, message, url, attribute in sorted(set(self.rows)):
            line, column = positions.position(offset)
            yield Problem(code=code, message=message, line=line, column=column, url=url, attribute=attribute)


def audit(
    source: str,
    *,
    syntax: str | Syntax,
    part: str | Part = "html",
    url_format: str | UrlFormat = "compact",
    loaders: Mapping[str, object] | None = None,
) -> tuple[Problem, ...]:
    """All that is forbidden in a template, in the order of its text.

    Links that their author marked as not tracked are left out, and so are AMP parts. In what a client loads by itself
    (``src`` and its kin) only a host that a value decides is a problem.

    Args:
        source: the template.
        syntax: how its tags look: a name, or an object of your own.
        part: ``html`` or ``text``.
        url_format: ``campaign`` adds a problem: a parameter ``id``, which that format has itself.
        loaders: under the ``campaign`` syntax, what instructions may include; they are carried out then. None leaves them:
            an instruction in an address is then taken for fixed text, and for the host where it stands first.

    Raises:
        InvalidValue: the source is no text.
        InvalidOption: there is no such syntax, part or URL format; loaders with a syntax that has no instructions.

    >>> for problem in audit('<a href="https://{{ shop }}.example/">x</a>', syntax="jinja"):
    ...     print(problem.code, problem.line, problem.column, problem.url)
    personalized-host 1 18 https://{{ shop }}.example/
    """
    if not isinstance(source, str):
        raise InvalidValue(f"source must be text, not {type(source).__name__}", hint="decode it with its charset first")
    notation, wanted = syntax_of(syntax), part_of(part)
    reserved = _reserved(url_format)
    if notation.name == "none":
        return ()
    positions: Positions = LineIndex(source)
    if loaders is not None:
        if not is_script(notation):
            raise InvalidOption(
                f"loaders are for the instructions of syntax='campaign', not for syntax={notation.name!r:.80}"
            )
        try:
            expanded = expand(source, loaders, part=wanted)
        except CompileError as error:
            return (Problem(code=error.code, message=error.message, line=error.line or 1, column=error.column or 1),)
        source, positions = expanded.text, expanded
    reader = AddressReader(notation, source, reserved)
    found = _Found()
    if wanted is Part.TEXT:
        for address in scan_text(source, reader.tags):
            found.add(
                _of_link(reader, notation, address.url, address.start, decode=False), address.url, address.start, ""
            )
    else:
        _html(source, reader, notation, found)
    _broken(source, reader, notation, found)
    return tuple(found.values(positions))


def _html(source: str, reader: AddressReader, syntax: Syntax, found: _Found) -> None:
    spans = [(tag.start, tag.end) for tag in reader.tags]
    scan = scan_html(source, spans)
    if scan.is_amp:
        return
    for site in scan.sites:
        problems = _of_link(reader, syntax, site.raw, site.start, decode=True)
        if problems and not markup_of(site).off:
            found.add(problems, site.raw, site.start, site.attribute)
    for loaded in loaded_addresses(source, spans):
        if not reader.read(loaded.raw, loaded.raw, loaded.start, decode=True).is_foreign:
            found.add(_of_loaded(loaded.raw, syntax), loaded.raw, loaded.start, loaded.attribute)


def _of_link(reader: AddressReader, syntax: Syntax, raw: str, start: int, *, decode: bool) -> tuple[LinkProblem, ...]:
    text = _without_instructions(raw) if is_script(syntax) else raw
    return reader.read(text, text, start, decode=decode).problems


def _of_loaded(raw: str, syntax: Syntax) -> tuple[LinkProblem, ...]:
    """A value that decides the host of what a client loads, in any branch.

    Conditions that choose between fixed hosts are fine here, and so are tags such as Django's ``{% static %}``: nobody is
    led there by us.
    """
    text = _without_instructions(raw) if is_script(syntax) else raw
    tags = [tag for tag in checked_tags(text, syntax) if tag.kind in (TagKind.CONTROL, TagKind.VALUE)]
    controls = [tag for tag in tags if tag.kind is TagKind.CONTROL]
    stem = text[: controls[0].start] if controls else text
    # The pieces of each branch, and the first value in it.
    branches: list[tuple[list[str], int]] = [([], -1)]
    done = 0
    for tag in tags:
        pieces, value = branches[-1]
        pieces.append(text[done : tag.start])
        done = tag.end
        if tag.kind is TagKind.VALUE:
            pieces.append(text[tag.start : tag.end])
            branches[-1] = pieces, tag.start if value < 0 else value
        elif tag.name.startswith(_OTHERWISE) or "else" in tag.expression.split():
            # No host is that long: what stands before fixes none, or nothing else matters.
            branches.append(([stem[:_LONGEST_HOST]], -1))
    branches[-1][0].append(text[done:])
    for pieces, value in branches:
        problems = split("".join(pieces), syntax, decode=decode_attribute).problems if value >= 0 else ()
        problem = next((each for each in problems if each.code == "personalized-host"), None)
        if problem is not None:
            return (LinkProblem(code=problem.code, message=problem.message, offset=value),)
    return ()


def _without_instructions(raw: str) -> str:
    """An address of the campaign syntax with fixed text of the same length for its instructions.

    Those that write the marks of a script stay: nobody can tell what the script is.
    """

    def fixed(instruction: re.Match[str]) -> str:
        length = len(instruction[0])
        if _SCRIPT_MARK.search(instruction[0]):
            return instruction[0]
        return f"https://{'x' * (length - 9)}/" if instruction.start() == 0 and length > 9 else "x" * length

    return _INSTRUCTION.sub(fixed, raw) if "<%@" in raw else raw


def _broken(source: str, reader: AddressReader, syntax: Syntax, found: _Found) -> None:
    """What the engine would refuse, unless it was found in an address already."""
    known = found.spans
    for tag in reader.tags:
        if tag.kind is TagKind.BROKEN and not any(start <= tag.start < end for start, end in known):
            written = " ".join(source[tag.start : tag.end].split())
            message = f"{AUDIT_PROBLEMS['broken-tag']} ({written:.40})"
            found.rows.append((tag.start, "broken-tag", message, "", ""))


def _reserved(url_format: str | UrlFormat) -> str:
    """The name of the parameter that no personalised link may have."""
    if isinstance(url_format, str):
        if url_format in ("compact", "campaign"):
            return "id" if url_format == "campaign" else ""
    elif isinstance(url_format, UrlFormat):
        return "id" if isinstance(url_format, CampaignFormat) else ""
    raise InvalidOption(f"url_format={shown(url_format)} is neither 'compact', 'campaign' nor an object of your own")
