"""What the tests of faults are given."""

from __future__ import annotations

import pytest
from harness import place_of


@pytest.fixture
def place(request, tmp_path, database_server, engines):
    """An empty place of the engine that the test is for."""
    with place_of(request.param, tmp_path, database_server, engines.lacks) as found:
        yield found


@pytest.fixture
def figures(record_property):
    """Where tests say what they counted; printed at the end of the run."""

    def keep(what, **counted):
        record_property("figures", {"what": what, **counted})

    return keep
