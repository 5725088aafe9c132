"""A report as HTML: one self-contained file, or a section of it to embed.

Nothing is fetched: style, script and drawings stand in the page, and its content security policy admits these and
nothing else. Whatever came from outside is made visible and escaped by the template engine; the only markup inserted as
it is comes from our own files and from the chart renderer.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, tzinfo
from functools import cache, cached_property, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from msgtrack.reports import charts
from msgtrack.reports.data import Figure, GroupRow, ReportData
from msgtrack.reports.formats import moment, number, period, printed, span, visible
from msgtrack.reports.layout import DOMAIN_COLUMNS

__all__ = ["fragment", "render"]

_WIDE, _NARROW = 980, 320
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TILE_SHOWN = 9


def render(data: ReportData) -> str:
    """The whole page."""
    style, script = _file("report.css"), _file("report.js")
    # A policy in a page cannot name who may frame it; all else is closed but what is here, by its hash.
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    page = _environment().get_template("report.html")
    return page.render(**_context(data), style=Markup(style), script=Markup(script), policy=policy)  # noqa: S704


def fragment(data: ReportData, name: str) -> str:
    """One section; ``style`` is the style sheet that all of them share, as a ``style`` element."""
    if name == "style":
        return f"<style>{_file('report.css')}</style>\n"
    sections = _environment().get_template("sections.html").make_module(_context(data))
    return f'<div class="msgtrack">{getattr(sections, name)()}</div>\n'


def _context(data: ReportData) -> dict[str, Any]:
    to_deliver = next(f for section in data.sections for f in section.figures if f.key == "to_deliver")
    most = max((float(link.share.value.value or 0) for link in data.links), default=0.0)
    zone = data.facts.tzinfo
    return {
        "data": data,
        "facts": data.facts,
        "audience": "everybody, machines included" if not data.facts.audiences else data.facts.audience,
        "period": period(data.facts),
        "to_deliver": to_deliver,
        "has_long_tiles": any(len(_printed(tile.figure)) > _TILE_SHOWN for tile in data.tiles),
        "letters": dict(zip(data.caveats, _LETTERS, strict=False)),
        "columns": DOMAIN_COLUMNS,
        "top": charts.TOP,
        "charts": _Charts(data),
        "local": partial(_local, zone=zone),
        "bar": partial(_bar, most=most),
    }


class _Charts:
    """The drawings, made when a template asks for them, each in two widths: a page shows the one that fits."""

    def __init__(self, data: ReportData) -> None:
        self._data = data

    @cached_property
    def curve(self) -> dict[str, Markup]:
        """Opens and clicks over time."""
        return {
            "wide": _drawn(charts.curve(self._data.curve, width=_WIDE, height=300)),
            "narrow": _drawn(charts.curve(self._data.curve, width=_NARROW, height=220)),
        }

    @cached_property
    def bars(self) -> dict[str, Markup]:
        """Clicks by label."""
        return {
            "wide": _drawn(charts.bars(self._data.labels, width=_WIDE)),
            "narrow": _drawn(charts.bars(self._data.labels, width=_NARROW)),
        }


def _drawn(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - the renderer escapes every text in it


def _local(at: datetime, *, zone: tzinfo) -> str:
    return moment(at, zone)


def _bar(share: Figure, *, most: float) -> str:
    """The length of a bar, out of 100, with the longest at 100."""
    return f"{100 * float(share.value.value or 0) / most:.2f}" if most else "0"


def _by_key(row: GroupRow) -> dict[str, Figure]:
    return {figure.key: figure for figure in row.figures}


def _shortened(text: str, most: int) -> str:
    """Text of at most ``most`` characters: the middle gives way, because the end of a URL often tells it from others."""
    tail = most // 4
    return text if len(text) <= most else f"{text[: most - tail - 3]} … {text[-tail:]}"


def _printed(figure: Figure) -> str:
    return printed(figure.value, is_share=figure.is_share)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _file(name: str) -> str:
    return files("msgtrack.reports").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        visible=visible,
        printed=_printed,
        number=number,
        span=span,
        by_key=_by_key,
        shortened=_shortened,
    )
    return environment
