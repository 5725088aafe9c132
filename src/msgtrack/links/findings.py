"""Findings: the closed list of what a sender should look at before sending, and those that a whole part gives rise to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgtrack.links.decisions import Finding
from msgtrack.links.positions import Positions
from msgtrack.model import Part

__all__ = [
    "CLIP_SIZE",
    "FINDINGS",
    "GROWTH_FACTOR",
    "GROWTH_FLOOR",
    "LENGTH_BUDGET",
    "LINE_LIMIT",
    "MESSAGE_TOKEN_LENGTH",
    "Slot",
    "new_finding",
    "octets",
    "part_findings",
]

Slot = tuple[int, int, str, tuple[str, ...]]
"""An edit with what takes its place: start, end, kind, texts with a gap between each two that every message fills."""

MESSAGE_TOKEN_LENGTH = 64
"""Characters that a message part has at most, as a rule; compiling does not know the message yet."""

LENGTH_BUDGET = 2_000
"""Characters of a tracked URL past which some clients cut it."""

LINE_LIMIT = 998
"""Octets of a line that a mail server has to take, line end left out (RFC 5322, section 2.1.1)."""

CLIP_SIZE = 102 * 1024
"""Octets of HTML past which large web mail shows a link to the rest instead of the rest."""

GROWTH_FACTOR = 2
"""How many times its source a rendered part may be long before a finding says so."""

GROWTH_FLOOR = 10_000
"""Octets by which a part must have grown for its growth to matter."""

FINDINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "address-as-id": (
            "warning",
            (
                "An id looks like an address: it holds an `@`, and is not concealed. It stands in every URL, and in every "
                "log that they pass. For a delivery's id the finding is in `compiled.findings`, for a message's in "
                "`rendered.findings`."
            ),
        ),
        "already-tracked": (
            "warning",
            "A link leads to our own server: the message was tracked before, or a tracked URL was copied into it.",
        ),
        "amp": ("info", "The part is AMP for mail. It is left alone as a whole, and gets no open image."),
        "clipped-pixel": (
            "warning",
            (
                "The open image ends past 102 KB of rendered HTML, where large web mail cuts: its opens are not seen. "
                'Shorten the message, or use `pixel="top"`.'
            ),
        ),
        "http-downgrade": (
            "warning",
            "A tracked link is https and leads to http: what follows can be read on the way.",
        ),
        "long-line": (
            "warning",
            (
                "A rendered line is over 998 octets. Send the part as quoted-printable or base64; sent as it is, a server "
                "on the way may break it, and the link in it."
            ),
        ),
        "long-url": (
            "warning",
            "A tracked URL is over 2,000 characters, which some clients cut. Registered links are short.",
        ),
        "message-growth": (
            "warning",
            "Rendered, a part is more than twice as long as its source, and at least 10,000 octets longer.",
        ),
        "missing-text-part": ("info", "There is HTML and no plain text; some readers and filters want both."),
        "template-tag": (
            "warning",
            "A link holds a tag of a template language, so it is no address yet. It is left alone.",
        ),
        "unfit-link": (
            "warning",
            (
                "A personalised link must not be tracked, for the reason given, and the rules say to leave it alone "
                '(`unfit_links="skip"`).'
            ),
        ),
        "unknown-type": ("warning", "The type written on a link does not exist; the link counts as a click."),
        "url-as-text": (
            "warning",
            (
                "The visible text of a link is itself a URL. Tracked, text and destination differ, and a mail client may "
                "take that for fraud."
            ),
        ),
    }
)
"""Every code of a finding with its severity and what it means."""


def new_finding(code: str, message: str, part: Part, place: tuple[int, int]) -> Finding:
    """A finding of the list, its severity looked up."""
    return Finding(code=code, severity=FINDINGS[code][0], message=message, part=part, line=place[0], column=place[1])


def part_findings(
    part: Part, source: str, index: Positions, slots: Sequence[Slot], pieces: Sequence[str]
) -> list[Finding]:
    """What a rendered part gives rise to as a whole: long lines, growth, an open image where nobody sees it.

    Args:
        part: which part it is.
        source: the author's text.
        index: its lines.
        slots: the edits, in order.
        pieces: the part cut at the gaps that every message fills.
    """
    # What a message fills in stands here as one of its usual length, shared out over the gaps of a URL.
    gaps = max((len(texts) - 1 for *_, texts in slots), default=0)
    filler = "x" * (MESSAGE_TOKEN_LENGTH // max(1, gaps))
    rendered = filler.join(pieces)
    found = []
    if len(rendered) > (CLIP_SIZE if rendered.isascii() else CLIP_SIZE // 4):
        for (pixel_end, _), (start, _, kind, _) in zip(_places(slots, filler), slots, strict=True):
            if kind == "pixel" and (size := octets(rendered[:pixel_end])) > CLIP_SIZE:
                message = f"the open image ends {size:,} octets into the HTML, past {CLIP_SIZE:,}"
                found.append(new_finding("clipped-pixel", message, part, index.position(start)))
    # What is written is ASCII, so a part grows by no more octets than characters.
    if len(rendered) - len(source) >= GROWTH_FLOOR:
        size, source_size = octets(rendered), octets(source)
        if size > GROWTH_FACTOR * source_size and size - source_size >= GROWTH_FLOOR:
            message = f"the part grows from {source_size:,} to {size:,} octets"
            found.append(new_finding("message-growth", message, part, (1, 1)))
    long = _first_long_line(rendered)
    if long is not None:
        count, offset, line_size = long
        there = offset
        for rendered_end, source_end in _places(slots, filler):
            if rendered_end > offset:
                break
            there = source_end + offset - rendered_end
        message = f"{count} rendered lines are over {LINE_LIMIT} octets, the first has {line_size:,}"
        found.append(new_finding("long-line", message, part, (index.position(there)[0], 1)))
    return found


def _places(slots: Sequence[Slot], filler: str) -> Iterator[tuple[int, int]]:
    """Where each edit ends: the offset in the rendered text, and the one in the source."""
    length = done = 0
    for start, end, _, texts in slots:
        length += start - done + sum(map(len, texts)) + (len(texts) - 1) * len(filler)
        done = end
        yield length, end


def octets(text: str) -> int:
    """The length of a text in UTF-8, whatever it holds."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _first_long_line(text: str) -> tuple[int, int, int] | None:
    """Of the lines over 998 octets: how many, and the offset and octets of the first; None where there is none."""
    lines = text.split("\n")
    shortest = LINE_LIMIT if text.isascii() else LINE_LIMIT // 4
    if max(map(len, lines)) <= shortest:
        return None
    count, first, size, done = 0, 0, 0, 0
    has_returns = "\r" in text
    for line in lines:
        length = len(line)
        if length > shortest:
            octets_ = octets(line.removesuffix("\r") if has_returns else line)
            if octets_ > LINE_LIMIT:
                if not count:
                    first, size = done, octets_
                count += 1
        done += length + 1
    return (count, first, size) if count else None
