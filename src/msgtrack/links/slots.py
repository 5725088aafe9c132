"""A compiled part as a template of an outside engine: its own tags stay, and slots of ours stand where a message fills in.

Three kinds of slots: ``msgtrack_1`` (and so on, where the URL format spreads the message part over several) stands in every
tracked URL; ``msgtrack_link_1`` is the whole URL of a personalised link; ``msgtrack_open`` is the open image, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgtrack.errors import RenderError
from msgtrack.links.positions import LineIndex
from msgtrack.links.syntaxes import Syntax, misplaced
from msgtrack.links.writing import PIXEL_END, PIXEL_START, Texts, fill
from msgtrack.model import Part

__all__ = ["OPEN_SLOT", "ROOT", "filled_slots", "template"]

OPEN_SLOT = "msgtrack_open"
ROOT = "@root"
"""Under this name Handlebars finds what a template was given from anywhere in it; Mustache takes it for a name like others."""

_MESSAGE = "msgtrack_{}"
_LINK = "msgtrack_link_{}"


def template(
    part: Part,
    pieces: Sequence[str],
    fills: Sequence[int],
    pieces_without_pixel: Sequence[str],
    fills_without_pixel: Sequence[int],
    opened: Texts,
    syntax: Syntax,
) -> str:
    """The part with slots in the gaps.

    Raises:
        RenderError: the engine would not fill a slot: it stands in a comment, in a stretch that is left as it is, or
            touches a mark of the author's.
        InvalidOption: the syntax has no notation for slots.
    """
    count = len(opened) - 1
    plain = range(count)
    chosen = [*fills_without_pixel] or [*plain] * ((len(pieces_without_pixel) - 1) // count)
    place = next((at for at, piece in enumerate(pieces_without_pixel) if piece != pieces[at]), -1)
    written: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0

    def put(text: str, *, is_slot: bool = False) -> None:
        nonlocal length
        if is_slot:
            spans.append((length, length + len(text)))
        written.append(text)
        length += len(text)

    for at, piece in enumerate(pieces_without_pixel):
        if at:
            name, is_safe = _name(chosen[at - 1])
            put(syntax.slot(name, safe=is_safe), is_slot=True)
        if at == place:
            before = pieces[at].removesuffix(PIXEL_START + opened[0])
            put(before)
            put(syntax.slot(OPEN_SLOT, safe=False), is_slot=True)
            put(piece[len(before) :])
        else:
            put(piece)
    source = "".join(written)
    lost = misplaced(source, spans, syntax)
    if lost:
        line, column = LineIndex(source).position(spans[lost[0]][0])
        raise RenderError(
            f"a slot of the {part.value} part would not be filled (line {line}, column {column} of the source): it stands in "
            f"a comment, in a stretch that {syntax.name} leaves as it is, or touches a mark"
        )
    return source


def filled_slots(texts: Texts, urls: Sequence[str], opened: Texts, *, is_followed: bool) -> dict[str, str]:
    """What goes into the slots for one message."""
    slots = {_MESSAGE.format(place): text for place, text in enumerate(texts, start=1)}
    slots |= {_LINK.format(place): url for place, url in enumerate(urls, start=1)}
    slots[OPEN_SLOT] = f"{PIXEL_START}{fill(opened, texts)}{PIXEL_END}" if is_followed else ""
    return slots


def _name(fill_: int) -> tuple[str, bool]:
    # A whole URL may hold ampersands, which must not be escaped once more than the rest of the part.
    return (_MESSAGE.format(fill_ + 1), True) if fill_ >= 0 else (_LINK.format(~fill_ + 1), False)
