"""For test suites: the conformance suites of stores, of frontends and of log formats, the state machine of stores, Hypothesis
strategies for every value, and what mail gateways do to links.

::

    from msgtrack.testing import FrontendSuite, LogFormatSuite, StoreAgreement, StoreSuite, gateways, strategies

Needs the extra ``testing`` (pytest and Hypothesis).
"""

from __future__ import annotations

from msgtrack.errors import MissingExtra

try:
    import hypothesis  # noqa: F401  # looked for, so that its absence is said once and clearly
    import pytest
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.testing needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[testing]'",
    ) from error

# Before the modules are imported: else a failure in somebody's own store would not show the values that were compared.
_CLAUSES = (
    *(f"_{_part}_clauses" for _part in ("record", "event", "page", "upkeep", "erasing", "size")),
    "_size_upkeep",
    "_processes",
)
for _name in ("stores", "_agreement", "_frontend_suite", "_log_formats", *_CLAUSES):
    pytest.register_assert_rewrite(f"msgtrack.testing.{_name}")

from msgtrack.testing import gateways, strategies  # noqa: E402
from msgtrack.testing._agreement import StoreAgreement  # noqa: E402
from msgtrack.testing._frontend_suite import Frontend, FrontendSuite  # noqa: E402
from msgtrack.testing._log_formats import LogFormatSuite  # noqa: E402
from msgtrack.testing.stores import StoreSuite  # noqa: E402

__all__ = [
    "Frontend",
    "FrontendSuite",
    "LogFormatSuite",
    "StoreAgreement",
    "StoreSuite",
    "gateways",
    "strategies",
]
