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

Each report has a file with its indicators: ``tracking_indicators``, ``sharing``, ``opens``, ``urls``,
``tracking_statistics``.
"""

from msgtrack.metrics._catalogue import Catalogue, catalogue
from msgtrack.metrics._entry import Indicators, indicators
from msgtrack.metrics._indicator import Indicator
from msgtrack.metrics._page import reference_page
from msgtrack.metrics._table import Table
from msgtrack.metrics._values import CAVEATS, Value

__all__ = [
    "CAVEATS",
    "Catalogue",
    "Indicator",
    "Indicators",
    "Table",
    "Value",
    "catalogue",
    "indicators",
    "reference_page",
]
