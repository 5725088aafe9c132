"""Addresses of stores: what opens, and what the rest is told."""

from __future__ import annotations

import builtins
import re
import sys
from importlib.metadata import EntryPoint

import pytest

from msgtrack import open_store, plugins
from msgtrack.cli import main
from msgtrack.errors import InvalidValue, MissingExtra, NotSupported, StoreError, UnknownOption, UnknownStore
from msgtrack.protocols import Store
from msgtrack.storage import MemoryStore


def test_memory_is_new_each_time():
    with open_store("memory:") as one, open_store("memory:") as other:
        assert isinstance(one, MemoryStore)
        assert isinstance(one, Store)
        assert one is not other


def test_sqlite_addresses_are_relative_or_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here.db", f"sqlite:///{tmp_path / 'there.db'}", "sqlite+pysqlite:///driver.db"):
        with open_store(url, busy_seconds=1) as store:
            assert isinstance(store, Store)
    assert {"here.db", "there.db", "driver.db"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("url", "options", "error", "said"),
    [
        ("mongo://x", {}, UnknownStore, r"unknown scheme 'mongo' \(known are .*memory:, .*sqlite:"),
        ("store.db", {}, UnknownStore, "no scheme: 'store.db'"),
        ("", {}, UnknownStore, "no scheme"),
        ("postgresql+asyncpg://h/d", {}, UnknownStore, "no driver 'postgresql\\+asyncpg'"),
        ("postgresql://h/d", {"prefix": "a b"}, InvalidValue, "prefix"),
        ("clickhouse://", {}, InvalidValue, "no server"),
        ("chdb:", {}, InvalidValue, "no folder"),
        ("chdb:///x", {"prefix": "a\0"}, InvalidValue, "a prefix is text of at most 64 bytes without NUL"),
        ("clickhouse://h", {"shards": 2}, UnknownOption, r"no option 'shards' \(its options are: prefix, cluster\)"),
        ("mariadb+aiomysql://h/d", {}, UnknownStore, "no driver 'mariadb\\+aiomysql'"),
        ("memory:x", {}, InvalidValue, "nothing else"),
        ("memory:", {"size": 1}, UnknownOption, r"no option 'size' \(it has none\)"),
        (
            "sqlite:///x.db",
            {"busy": 1},
            UnknownOption,
            r"no option 'busy' \(its options are: schema, prefix, busy_seconds\)",
        ),
        ("sqlite:///x.db", {"busy_seconds": "long"}, InvalidValue, "busy_seconds must be a number"),
        ("sqlite:///x.db", {"busy_seconds": -1}, InvalidValue, "busy_seconds must be a number"),
        ("sqlite:///x.db?timeout=3", {}, UnknownOption, "takes no options, this one has: timeout"),
        ("sqlite://", {}, NotSupported, "SQLite in memory"),
        ("sqlite:///:memory:", {}, NotSupported, "SQLite in memory"),
        ("sqlite:x.db", {}, InvalidValue, "three slashes"),
        ("sqlite+aiosqlite:///x.db", {}, UnknownStore, "no driver 'sqlite\\+aiosqlite'"),
        ("sqlite:///a\0.db", {}, InvalidValue, "holds no NUL"),
        ("sqlite:////no/such/folder/x.db", {}, StoreError, "no folder '/no/such/folder'"),
        (7, {}, InvalidValue, "must be text, not int"),
    ],
)
def test_what_cannot_be_opened_is_told_why(url, options, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        open_store(url, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_in_an_address_is_not_shown():
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://u:secret@127.0.0.1:1/d?connect_timeout=2")
    assert "secret" not in str(caught.value)


def test_stores_of_other_packages_are_found_by_their_entry_point(monkeypatch):
    point = EntryPoint(name="elsewhere", value="msgtrack.storage.memory:MemoryStore", group="msgtrack.stores")
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [point] if group == "msgtrack.stores" else [])
    monkeypatch.setattr(MemoryStore, "__init__", _with_option)
    store = open_store("elsewhere://host", room=3)
    assert (store.url, store.room) == ("elsewhere://host", 3)
    with pytest.raises(UnknownOption, match="its options are: room"):
        open_store("elsewhere://host", space=3)
    with pytest.raises(
        UnknownStore,
        match=r"known are chdb:, clickhouse:, duckdb:, duckdb\+parquet:, elsewhere:, mariadb:, memory:, mysql:",
    ):
        open_store("nowhere://host")


@pytest.fixture
def plugged_in(tmp_path, monkeypatch):
    """A function that leaves a distribution as an installer does; it registers stores by name, in which ``_`` stands for a plus."""
    monkeypatch.syspath_prepend(tmp_path)

    def register(**points):
        info = tmp_path / "brokenpack-3.1.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: brokenpack\nVersion: 3.1\n")
        lines = [f"{name.replace('_', '+')} = {value}" for name, value in points.items()]
        info.joinpath("entry_points.txt").write_text("\n".join(["[msgtrack.stores]", *lines, ""]))

    return register


def test_a_scheme_of_another_package_may_hold_a_plus(plugged_in, monkeypatch):
    monkeypatch.setattr(MemoryStore, "__init__", _with_option)
    plugged_in(a_b="msgtrack.storage:MemoryStore", c="msgtrack.storage:MemoryStore")
    for url in ("a+b://host", "c://host", "c+driver://host"):
        assert open_store(url).url == url
    with pytest.raises(UnknownStore, match=r"unknown scheme 'a' \(known are a\+b:, c:, chdb:"):
        open_store("a://host")
    with pytest.raises(UnknownOption, match=r"the scheme a\+b: has no option 'space'"):
        open_store("a+b://host", space=3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module:open_it", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("msgtrack.storage:open_nothing", "cannot be loaded: AttributeError: .*open_nothing"),
        ("failing_module:open_it", "cannot be loaded: ZeroDivisionError"),
        ("msgtrack.storage:GROUP", "names no function that opens a store, but 'msgtrack.stores'"),
        ("builtins:repr", "gave no store, but .*it has no audits, capabilities, checkpoint"),
        ("failing_opening:open_it", "gave no store, but None; it has no audits"),
        ("failing_opening:open_class", "gave no store, but <class .*MemoryStore'>"),
    ],
)
def test_a_broken_package_is_named_with_what_it_registered(value, said, plugged_in, tmp_path, monkeypatch, capsys):
    (tmp_path / "failing_module.py").write_text("1 / 0\n")
    (tmp_path / "failing_opening.py").write_text(
        "from msgtrack.storage import MemoryStore\ndef open_it(url): pass\ndef open_class(url): return MemoryStore\n"
    )
    monkeypatch.delitem(sys.modules, "failing_opening", raising=False)
    plugged_in(broken=value)
    whose = rf"the entry point broken = '{value}' \(msgtrack\.stores\) of brokenpack 3\.1 {said}"
    with pytest.raises(StoreError, match=whose) as caught:
        open_store("broken:x")
    assert (caught.value.__cause__ is not None) == ("cannot be loaded" in said)
    assert main(["report", "--store", "broken:x", "--delivery", "1"]) == 2
    assert re.search(whose, capsys.readouterr().err)


def test_an_error_of_ours_in_another_package_stays_as_it_is(plugged_in, tmp_path):
    (tmp_path / "wanting.py").write_text(
        "from msgtrack.errors import MissingExtra\nraise MissingExtra('it needs more')\n"
    )
    plugged_in(wanting="wanting:open_it")
    with pytest.raises(MissingExtra, match="it needs more"):
        open_store("wanting:x")


def _with_option(self, url, *, room=0):
    self.url, self.room = url, room


def test_without_sqlalchemy_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name.partition(".")[0] == "sqlalchemy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **named)

    for name in [name for name in sys.modules if name.startswith("msgtrack.storage.") and name not in _PLAIN]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'msgtrack\[sql\]'"):
        open_store("sqlite:///x.db")


_PLAIN = ("msgtrack.storage.base", "msgtrack.storage.memory")
