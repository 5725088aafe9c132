"""Writers and servers that are killed in the middle of an ingest, again and again."""

from __future__ import annotations

import random
import signal
import time

import pytest
import writer as program
from harness import ENGINES, SERVERS, Place, Writer, check, complete

KILLS = 10
BATCHES = 4
"""How many a writer brings around each kill of its server, a long one among them."""

pytestmark = pytest.mark.faults


def kill_writers(place, times):
    """The figures of writers that were killed one after the other; after each, what it left is looked at."""
    moments = random.Random(times)
    within = given = 0
    kills = 0
    found = {"positions": [-1]}
    for number in range(times):
        writer = Writer("write", place.url)
        if number == 0:
            # While it makes the tables.
            writer.wait_for("begin")
        else:
            writer.wait_for("try", times=moments.randint(1, len(program.SIZES)))
        time.sleep(moments.uniform(0, 0.3))
        writer.kill()
        kills += writer.process.returncode == -signal.SIGKILL
        given += writer.given
        within += writer.is_within
        before, found = found["positions"][0], place.look()
        check(place, found, max(before, writer.confirmed))
    return found, {"kills": kills, "within a batch": within, "given": given}


@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_writers_are_killed(place, figures):
    found, counted = kill_writers(place, KILLS)
    after = complete(place, found)
    batches = after["positions"][0] + 1
    events_in = program.first_of(batches)
    assert counted["kills"] == KILLS
    assert counted["within a batch"] > 0
    assert batches == found["positions"][0] + 2
    assert (after["lost"], after["ahead"], after["settled"]) == (0, 0, True)
    assert after["distinct"] == after["kept"] == after["checkpoint"] == events_in
    figures(
        "kill -9 of the writer",
        engine=place.engine,
        **counted,
        batches=batches,
        **{"events in": events_in},
        distinct=after["distinct"],
        rows=after["kept"],
        checkpoint=after["checkpoint"],
    )


@pytest.fixture
def durable_server(request, engines):
    """A server of its own that may be killed, with its usual care for the disk."""
    from database_servers import Missing, mariadb_of_system, postgres_of_package

    starters = {"PostgreSQL": postgres_of_package, "MariaDB": mariadb_of_system}
    try:
        server = starters[request.param](is_durable=True)
    except Missing as missing:
        engines.lacks(request.param, str(missing))
    yield server
    server.stop()


@pytest.mark.parametrize("durable_server", SERVERS, indirect=True)
def test_servers_are_killed(durable_server, request, figures):
    """One writer lives through all of it with one handle: what fails it gives again."""
    engine = request.node.callspec.params["durable_server"]
    moments = random.Random(7)
    kills = 0
    with durable_server.place() as url:
        place = Place(engine=engine, url=url)
        writer = Writer("write", url, 1_000_000, 60, "waits")
        try:
            for _ in range(KILLS):
                begun, kept = len(writer.said("try")), len(writer.said("kept"))
                writer.go(BATCHES)
                writer.wait_for("try", times=begun + 1)
                time.sleep(moments.uniform(0, 0.2))
                durable_server.kill()
                confirmed = writer.confirmed
                assert not durable_server.lives
                kills += 1
                durable_server.start()
                found = place.look()
                check(place, found, confirmed)
                assert found["positions"][0] >= confirmed
                assert (found["lost"], found["ahead"]) == (0, 0)
                writer.wait_for("kept", times=kept + BATCHES)
        finally:
            writer.kill()
        found = place.look()
        check(place, found, writer.confirmed)
        after = complete(place, found)
    batches = after["positions"][0] + 1
    events_in = program.first_of(batches)
    assert kills == KILLS
    assert batches >= KILLS * BATCHES
    assert (after["lost"], after["ahead"], after["settled"]) == (0, 0, True)
    assert after["distinct"] == after["kept"] == after["checkpoint"] == events_in
    figures(
        "kill -9 of the server",
        engine=engine,
        kills=kills,
        failed=len(writer.said("failed")),
        given=writer.given,
        batches=batches,
        **{"events in": events_in},
        distinct=after["distinct"],
        rows=after["kept"],
        checkpoint=after["checkpoint"],
    )
