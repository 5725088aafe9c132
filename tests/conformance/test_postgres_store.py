"""The store on PostgreSQL keeps the contract, on two versions, and agrees with the one in memory step by step."""

from __future__ import annotations

from functools import partial

import pytest
from database_servers import server
from hypothesis import HealthCheck, settings
from sqlalchemy import NullPool, create_engine
from sqlalchemy.schema import CreateSchema, DropSchema

from msgtrack import open_store
from msgtrack.testing import StoreAgreement, StoreSuite

TEMPLATE = "msgtrack_test_template"
ODD_SCHEMA = 'of "one" %s test;'


@pytest.fixture(scope="module")
def template(postgres):
    """A database that has the tables already: copying it is quicker than making them."""
    postgres.drop(TEMPLATE)
    postgres.execute(f"CREATE DATABASE {TEMPLATE}")
    open_store(postgres.url(TEMPLATE)).close()
    yield TEMPLATE
    postgres.drop(TEMPLATE)


@pytest.fixture(scope="module")
def shared_database(older_postgres):
    """One database for many schemas."""
    with older_postgres.place() as url:
        yield url


class TestPostgresStore(StoreSuite):
    """Every clause, on a database of its own for each test."""

    @pytest.fixture
    def store_factory(self, postgres, template):
        with postgres.place(template) as url:
            yield partial(open_store, url)


class TestOlderPostgresStore(StoreSuite):
    """The same on the version that the system brings, in a schema of its own for each test, with another prefix."""

    @pytest.fixture
    def store_factory(self, older_postgres, shared_database):
        with create_engine(shared_database, poolclass=NullPool).begin() as connection:
            connection.execute(DropSchema(ODD_SCHEMA, cascade=True, if_exists=True))
            connection.execute(CreateSchema(ODD_SCHEMA))
        return partial(open_store, shared_database, schema=ODD_SCHEMA, prefix="m_")


def test_it_says_exactly_what_it_can(postgres, claims):
    with postgres.place() as url, open_store(url) as store:
        assert store.capabilities == claims["PostgreSQL"]


class PostgresAgreement(StoreAgreement):
    """A database of its own for every sequence of steps."""

    def place(self):
        postgres = server("PostgreSQL")
        self.name = postgres.database()
        return lambda: open_store(postgres.url(self.name))

    def discard(self):
        server("PostgreSQL").drop(self.name)


# A crash drops a handle with its connections open, of which the driver complains when they are collected.
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
@pytest.mark.usefixtures("postgres")
class TestPostgresAgreement(PostgresAgreement.TestCase):
    """Step by step."""

    settings = settings(max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
