"""Two handles of ClickHouse that bring the same events, one of which counts them and is held up before its count is in."""

from __future__ import annotations

import json
import threading
from typing import Any

import writer as program

from msgtrack import open_store
from msgtrack.storage._clickhouse_dialect import column_type, table_text
from msgtrack.storage._clickhouse_link import Link

PATIENCE_SECONDS = 60


class Held:
    """Where somebody waits until somebody else lets them go on."""

    def __init__(self) -> None:
        self._is_here, self._goes_on = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Wait there; only the first time."""
        if not self._is_here.is_set():
            self._is_here.set()
            assert self._goes_on.wait(PATIENCE_SECONDS)

    def wait_for(self) -> None:
        """Wait until they are there."""
        assert self._is_here.wait(PATIENCE_SECONDS)

    def let_go(self) -> None:
        """Let them go on."""
        self._goes_on.set()


def bring_with_a_late_count(url: str, first: int, second: int) -> None:
    """Say what is found when the one who began later counts first, and puts that in when the other is done.

    ``first`` and ``second`` are how many events they bring. The events of who began earlier take the place of the other's.
    """
    with open_store(url) as earlier, open_store(url) as later:
        earlier.put(program.records())
        layout = earlier._layout
        events, slots = table_text(layout.events), table_text(layout.slots)
        before_its_events, before_its_count = Held(), Held()
        run, insert = Link.run, Link.insert

        def held_run(link: Link, statement: str) -> None:
            if link is earlier._link and statement.startswith(f"INSERT INTO {events}"):
                before_its_events.stop()
            if link is not later._link or not statement.startswith(f"INSERT INTO {slots}"):
                run(link, statement)
                return
            # What it puts in is read before it waits, as it is by one statement that takes its time.
            into, _, select = statement.partition(" SELECT ")
            names = into[into.index("(") + 1 : into.index(")")].split(", ")
            rows = link.rows(f"SELECT {select}")
            before_its_count.stop()
            insert(
                link, slots, names, [column_type(layout.slots.c[name]) for name in names], [*zip(*rows, strict=True)]
            )

        def held_insert(link: Link, table: str, *columns: Any) -> None:
            if link is earlier._link and table == events:
                before_its_events.stop()
            insert(link, table, *columns)

        Link.run, Link.insert = held_run, held_insert
        threads = [
            threading.Thread(target=lambda: earlier.ingest([program.event_of(number) for number in range(first)])),
            threading.Thread(target=lambda: later.ingest([program.event_of(number) for number in range(second)])),
        ]
        threads[0].start()
        before_its_events.wait_for()
        threads[1].start()
        before_its_count.wait_for()
        before_its_events.let_go()
        threads[0].join()
        before_its_count.let_go()
        threads[1].join()
        program.say("found", json.dumps({"kept": len([*later.scan()]), "settled": program.is_settled(later)}))
