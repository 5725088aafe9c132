"""Disks that become full during an ingest, and have room again later; one handle lives through it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import writer as program
from database_servers import Missing, OwnServer, mariadb_of_system, postgres_of_package
from harness import Place, Writer, check, complete

pytestmark = pytest.mark.faults

SIZES = {"SQLite": "3m", "DuckDB": "8m", "ClickHouse": "16m", "PostgreSQL": "16m", "MariaDB": "6m"}


class Disk:
    """A small file system in memory."""

    def __init__(self, folder: Path, size: str, *options: str) -> None:
        self.folder = folder
        self._mount("tmpfs", "-t", "tmpfs", "-o", ",".join((f"size={size}", *options)))

    def _mount(self, *arguments: str) -> None:
        try:
            subprocess.run(["mount", *arguments, str(self.folder)], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no small disk can be mounted here (root may): {getattr(error, 'stderr', error)}")

    def grow(self) -> None:
        """Give it room."""
        self._mount("-o", "remount,size=256m")

    def remount(self, option: str) -> None:
        """Such as ``ro``."""
        self._mount("-o", f"remount,{option}")

    def remove(self) -> None:
        """Let go of it, even where a server still has a file of it open."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@contextmanager
def small_disk(folder, size, *options):
    disk = Disk(folder, size, *options)
    try:
        yield disk
    finally:
        disk.remove()


def fill(place, disk, figures):
    """The writer that fills the disk, and goes on when it has room."""
    writer = Writer("write", place.url, 1_000_000, 60, "looks")
    try:
        writer.wait_for("found", times=2)
        looks = writer.looks
        for confirmed, found in looks:
            check(place, found, confirmed)
        disk.grow()
        writer.wait_for("kept", times=len(writer.said("kept")) + 5)
    finally:
        writer.kill()
    found = place.look()
    check(place, found, writer.confirmed)
    after = complete(place, found)
    events_in = program.first_of(after["positions"][0] + 1)
    assert len(looks) >= 2
    assert writer.confirmed >= looks[-1][0] + 5
    assert (after["lost"], after["ahead"]) == (0, 0)
    assert after["distinct"] == after["kept"] == after["checkpoint"] == events_in
    figures(
        "disk full",
        engine=place.engine,
        failed=len(writer.said("failed")),
        **{"batches before": looks[0][0] + 1, "batches after": after["positions"][0] + 1},
        **{"events in": events_in},
        distinct=after["distinct"],
        rows=after["kept"],
        checkpoint=after["checkpoint"],
        said=writer.said("failed")[0].partition(" failed: ")[2][:60],
    )


@pytest.mark.parametrize("place", ["SQLite", "DuckDB", "ClickHouse"], indirect=True)
def test_a_disk_that_files_are_on_is_full(place, tmp_path, figures):
    with small_disk(tmp_path, SIZES[place.engine]) as disk:
        fill(place, disk, figures)


@pytest.mark.parametrize("engine", ["PostgreSQL", "MariaDB"])
def test_a_disk_of_a_server_is_full(engine, tmp_path, engines, figures):
    """The tables alone are on the small disk, or else the server would end."""
    starters = {"PostgreSQL": postgres_of_package, "MariaDB": mariadb_of_system}
    if os.geteuid() != 0:
        pytest.skip("no small disk can be mounted here (root may)")
    try:
        server: OwnServer = starters[engine]()
    except Missing as missing:
        engines.lacks(engine, str(missing))
    try:
        owner = server.folder.stat()
        options = (f"uid={owner.st_uid}", f"gid={owner.st_gid}", "mode=0700")
        folder = server.folder / ("data/filled" if engine == "MariaDB" else "filled")
        if engine == "MariaDB":
            server.execute("CREATE DATABASE filled")
        else:
            folder.mkdir()
        with small_disk(folder, SIZES[engine], *options) as disk:
            if engine == "PostgreSQL":
                server.execute(
                    f"CREATE TABLESPACE small LOCATION '{folder}'",
                    "CREATE DATABASE filled TABLESPACE small",
                    # Or nothing could be sorted, and so nobody could look, while the disk is full.
                    "ALTER DATABASE filled SET temp_tablespaces = 'pg_default'",
                )
            fill(Place(engine=engine, url=server.url("filled")), disk, figures)
            server.kill()
    finally:
        server.stop()
