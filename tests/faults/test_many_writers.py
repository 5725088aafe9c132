"""Writers of several processes, and of several handles, whose batches overlap."""

from __future__ import annotations

import json

import pytest
import writer as program
from harness import Writer, check

pytestmark = pytest.mark.faults

BATCHES = 6
OF_PROCESSES = ("SQLite", "PostgreSQL", "MariaDB")
OF_HANDLES = ("DuckDB", "ClickHouse")


def tell(place, found, writers, said, figures):
    distinct = len(
        {n for writer in range(writers) for batch in range(BATCHES) for n in program.numbers_of(batch, writer)}
    )
    check(place, found, BATCHES - 1)
    assert found["positions"] == [BATCHES - 1] * writers
    assert found["ahead"] == 0
    assert found["kept"] == found["checkpoint"] == distinct
    assert place.engine == "ClickHouse" or sum(added for added, _ in said) == distinct
    figures(
        "writers at once",
        engine=place.engine,
        writers=writers,
        given=sum(map(sum, said)),
        **{"events in": distinct, "said new": sum(added for added, _ in said)},
        distinct=found["distinct"],
        rows=found["kept"],
        checkpoint=found["checkpoint"],
    )


def told(writer):
    return [tuple(map(int, said.split()[1:])) for said in writer.said("kept")]


@pytest.mark.parametrize("writers", [2, 8])
@pytest.mark.parametrize("place", OF_PROCESSES, indirect=True)
def test_processes_write_at_once(place, writers, figures):
    place.look()
    running = [Writer("one_of_many", place.url, BATCHES, number) for number in range(writers)]
    for writer in running:
        writer.wait_for("open")
    for writer in running:
        writer.go()
    for writer in running:
        writer.finish()
    said = [of_batch for writer in running for of_batch in told(writer)]
    tell(place, place.look(writers), writers, said, figures)


@pytest.mark.parametrize("writers", [2, 8])
@pytest.mark.parametrize("place", OF_HANDLES, indirect=True)
def test_handles_of_one_process_write_at_once(place, writers, figures):
    """These engines admit one process to a folder."""
    writer = Writer("many_in_one", place.url, BATCHES, writers)
    writer.finish()
    tell(place, json.loads(writer.said("found")[0]), writers, told(writer), figures)


@pytest.mark.parametrize(("first", "second"), [(2500, 2500), (2500, 300), (300, 300)], ids=["large", "mixed", "small"])
@pytest.mark.parametrize("place", ["ClickHouse"], indirect=True)
def test_a_count_that_comes_late_is_put_right(place, first, second):
    """It speaks of events that those of another handle have taken the place of meanwhile."""
    writer = Writer("late_count", place.url, first, second)
    writer.finish()
    assert json.loads(writer.said("found")[0]) == {"kept": max(first, second), "settled": True}
