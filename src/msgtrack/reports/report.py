"""A report: the data of one moment, and its renderings."""

from __future__ import annotations

from attrs import frozen

from msgtrack._borders import one_of
from msgtrack.errors import InvalidOption
from msgtrack.plugins import Builtin, load
from msgtrack.reports import csv as csv_format
from msgtrack.reports import json as json_format
from msgtrack.reports import text as text_format
from msgtrack.reports.data import ReportData

__all__ = ["FRAGMENTS", "Report"]

FRAGMENTS = ("summary", "curve", "indicators", "links", "domains", "notes", "style")
"""The sections that can be embedded, and the style sheet they share."""

_HTML = {
    "html": Builtin("msgtrack.reports.html:render", extra="reports"),
    "fragment": Builtin("msgtrack.reports.html:fragment", extra="reports"),
}
_fragment = one_of("fragment", FRAGMENTS)


@frozen(kw_only=True)
class Report:
    """A report about ``data``. All renderings come from that one value, so their numbers are the same."""

    data: ReportData

    def html(self) -> str:
        """One self-contained HTML file: no network, no external font, readable without its script.

        It needs the extra ``reports``.

        Raises:
            MissingExtra: the extra is not installed.
        """
        page: str = load("html", _HTML, "msgtrack.reports")(self.data)
        return page

    def fragment(self, name: str) -> str:
        """A section of the page as HTML to embed: one of :data:`FRAGMENTS`; needs the extra ``reports``.

        A fragment has no ids and no inline style. Put ``fragment("style")`` on the embedding page once, or bring rules
        of your own for the classes ``msgtrack-…``; charts show without any.

        Raises:
            InvalidOption: no section has the name; the message lists those there are.
            MissingExtra: the extra is not installed.
        """
        section: str = load("fragment", _HTML, "msgtrack.reports")(self.data, _fragment(name))
        return section

    def csv(self) -> str:
        """CSV in long format, a number a row (:data:`msgtrack.reports.csv.COLUMNS`).

        Write it as UTF-8 with its line ends as they are: ``open(path, "w", encoding="utf-8", newline="")``.
        """
        return csv_format.render(self.data)

    def json(self) -> str:
        """A JSON document at full precision; its ``schema`` and ``version`` say what it is."""
        return json_format.render(self.data)

    def text(self, width: int = 100) -> str:
        """Plain text for a terminal, in lines of at most ``width`` columns.

        Raises:
            InvalidOption: fewer columns than the tables need (60).
        """
        return text_format.render(self.data, columns=_columns(width))


def _columns(width: object) -> int:
    if isinstance(width, bool) or not isinstance(width, int) or width < text_format.MIN_WIDTH:
        raise InvalidOption(f"width={width!r:.80} is no whole number of at least {text_format.MIN_WIDTH} columns")
    return width
