"""The store on MariaDB keeps the contract, and agrees with the one in memory step by step."""

from __future__ import annotations

from functools import partial

import pytest
from database_servers import server
from hypothesis import HealthCheck, settings

from msgtrack import open_store
from msgtrack.testing import StoreAgreement, StoreSuite


class TestMariadbStore(StoreSuite):
    """Every clause, on a database of its own for each test."""

    @pytest.fixture
    def store_factory(self, mariadb):
        with mariadb.place() as url:
            yield partial(open_store, url)


def test_it_says_exactly_what_it_can(mariadb, claims):
    with mariadb.place() as url, open_store(url) as store:
        assert store.capabilities == claims["MariaDB"]


class MariadbAgreement(StoreAgreement):
    """A database of its own for every sequence of steps."""

    def place(self):
        mariadb = server("MariaDB")
        self.name = mariadb.database()
        return lambda: open_store(mariadb.url(self.name))

    def discard(self):
        server("MariaDB").drop(self.name)


# A crash drops a handle with its connections open, of which the driver complains when they are collected.
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
@pytest.mark.usefixtures("mariadb")
class TestMariadbAgreement(MariadbAgreement.TestCase):
    """Step by step."""

    settings = settings(max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
