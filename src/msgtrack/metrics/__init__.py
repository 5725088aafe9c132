"""Published indicators: what happened to a delivery, in numbers that say what they are made of.

An indicator is a function of :class:`msgtrack.counts.Counts` and never meets a database, so every store gives the same
numbers, and plain facts give them with no store at all.

>>> from datetime import UTC, datetime
>>> from msgtrack.events import Open
>>> from msgtrack.model import Delivery, Message
>>> table = indicators.from_events(
...     Delivery(id="1"),
...     [Message(id="7", delivery_id="1", status="sent"), Message(id="8", delivery_id="1", status="sent")],
...     [],
...     [Open(occurred_at=datetime(2026, 3, 1, tzinfo=UTC), delivery_id="1", message_id="7")],
... )
>>> table["recipient_open"].value, table["distinct_open_rate"].value
(1, 0.5)
>>> table["raw_reactivity"].value, table["average_transaction_amount"].value
(0.0, None)

:func:`compare_variants` tests whether variants differ by more than chance, and :func:`open_bounds` says how many messages
were read at least and at most.

:func:`indicator_report` gives whole reports as data, blocks of rows as the reference has them; :data:`layouts` lists them.

:func:`since_launch` gives the windows after a launch that reports know, as ``since`` and ``until``.

Each report of the reference has a module with its indicators.
"""

from msgtrack.metrics._bounds import OpenBounds, open_bounds
from msgtrack.metrics._catalogue import Catalogue, catalogue
from msgtrack.metrics._entry import Indicators, indicators
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._layout import (
    DifferencesLayout,
    IntervalLayout,
    Layout,
    LineLayout,
    LinesLayout,
    RowsLayout,
    SharesLayout,
)
from msgtrack.metrics._layouts import layouts
from msgtrack.metrics._page import reference_page
from msgtrack.metrics._report import Block, Cell, Column, IndicatorReport, Row
from msgtrack.metrics._report_entry import IndicatorReports, indicator_report
from msgtrack.metrics._report_records import report_document, report_from, report_records
from msgtrack.metrics._table import Table
from msgtrack.metrics._time import since_launch
from msgtrack.metrics._values import CAVEATS, Value
from msgtrack.metrics._variants import Comparison, Difference, compare_shares, compare_variants

__all__ = [
    "CAVEATS",
    "Block",
    "Catalogue",
    "Cell",
    "Column",
    "Comparison",
    "Difference",
    "DifferencesLayout",
    "Indicator",
    "IndicatorReport",
    "IndicatorReports",
    "Indicators",
    "IntervalLayout",
    "Layout",
    "LineLayout",
    "LinesLayout",
    "OpenBounds",
    "Row",
    "RowsLayout",
    "SharesLayout",
    "Table",
    "Value",
    "catalogue",
    "compare_shares",
    "compare_variants",
    "indicator_report",
    "indicators",
    "layouts",
    "open_bounds",
    "reference_page",
    "report_document",
    "report_from",
    "report_records",
    "since_launch",
]
