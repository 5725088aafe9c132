"""What the ClickHouse store says to the engine, as text: values and names, tables, addresses, and whom it lets into a folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.errors import InvalidValue, StoreError, UnknownOption

pytest.importorskip("sqlalchemy", reason="the extra 'clickhouse' is not installed")
pytest.importorskip("clickhouse_connect", reason="the extra 'clickhouse' is not installed")

from sqlalchemy import select

from msgtrack.storage import _clickhouse_link as link
from msgtrack.storage._clickhouse_dialect import ClickHouseOperations, kept_id, literal, quoted, table_text, text_of
from msgtrack.storage._clickhouse_tables import layout_of
from msgtrack.storage._schema import pack_id, tables_of

LAYOUT = layout_of(database="stats", prefix="msgtrack_")
SOURCES = Path(link.__file__).parents[2]


def read_back(text: str) -> bytes:
    """What ClickHouse reads between the quotes."""
    return re.sub(rb"\\x(..)", lambda match: bytes([int(match[1], 16)]), text[1:-1].encode("ascii"))


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary())
def test_a_text_comes_back_and_holds_nothing_that_could_end_it(value: str | bytes) -> None:
    said = literal(value)
    assert re.fullmatch(r"'(?:[A-Za-z0-9_. -]|\\x[0-9a-f]{2})*'", said)
    assert read_back(said) == (value if isinstance(value, bytes) else value.encode())


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_comes_back_and_holds_nothing_that_could_end_it(name: str) -> None:
    said = quoted(name)
    assert re.fullmatch(r"`(?:[A-Za-z0-9_. -]|\\x[0-9a-f]{2})*`", said)
    assert read_back(said) == name.encode()


@pytest.mark.parametrize(("value", "said"), [(None, "NULL"), (True, "1"), (0, "0"), (-5, "-5"), ("", "''")])
def test_other_values(value: str | int | None, said: str) -> None:
    assert literal(value) == said


def test_values_of_a_statement_stand_in_it_escaped() -> None:
    messages = tables_of("p`", "d'").messages
    said = text_of(select(messages.c.id).where(messages.c.id.in_(["a'; --", "%s:x"]), messages.c.recipient_id == "\0"))
    assert " ".join(said.split()) == (
        r"SELECT `d\x27`.`p\x60messages`.`id` FROM `d\x27`.`p\x60messages` "
        r"WHERE `d\x27`.`p\x60messages`.`id` IN ('a\x27\x3b --', '\x25s\x3ax') "
        r"AND `d\x27`.`p\x60messages`.`recipient_id` = '\x00'"
    )
    assert table_text(messages) == r"`d\x27`.`p\x60messages`"


def test_event_ids_of_our_own_are_short_and_no_other_id_looks_like_one() -> None:
    ours = "0123456789abcdef" * 2
    ids = [ours, ours.upper(), ours[:16], "\0" + ours[:16], "\0", "\1", bytes.fromhex(ours[:32]).decode("latin-1")]
    kept = [kept_id(pack_id(event_id)) for event_id in ids]
    assert kept[0] == b"\0" + bytes.fromhex(ours)
    assert len({*kept}) == len(ids)
    assert all(len(one) == 1 + len(id_.encode()) for one, id_ in zip(kept[1:], ids[1:], strict=True))
    events = tables_of("", None).events
    assert literal(kept[0]) in text_of(select(events.c.kind).where(events.c.id == ours))


def test_rounding_down_divides_no_floats_and_keeps_the_sign() -> None:
    events = tables_of("", None).events
    said = text_of(select(ClickHouseOperations(print).floor(events.c.occurred_at, 300)))
    moment = "`events`.`occurred_at`"
    assert f"intDiv({moment} - positiveModulo({moment}, toInt64(300)), toInt64(300))" in said


def test_the_tables_of_one_machine() -> None:
    statements = {re.search(r"`(msgtrack_\w+)`", said)[1]: said for said in LAYOUT.statements()}
    assert list(statements)[-1] == "msgtrack_schema"
    assert statements["msgtrack_events"].endswith(
        "ENGINE = ReplacingMergeTree(`rank`) ORDER BY (`delivery_id`, `occurred_at`, `id`) SETTINGS allow_nullable_key = 1,"
        " index_granularity = 1024, min_compress_block_size = 8192"
    )
    assert statements["msgtrack_event_ids"].endswith("ENGINE = ReplacingMergeTree(`rank`) ORDER BY (`id`)")
    assert statements["msgtrack_incoming"].endswith("PARTITION BY token ORDER BY (`token`, `ordinal`)")
    assert "ReplacingMergeTree(`counted_at`, `is_gone`)" in statements["msgtrack_slots"]
    assert "ReplacingMergeTree() ORDER BY (`delivery_id`, `id`)" in statements["msgtrack_messages"]
    assert not any("CLUSTER" in said or "Replicated" in said or "Distributed" in said for said in statements.values())


def test_the_tables_of_a_cluster() -> None:
    layout = layout_of(database="stats", prefix="t_", cluster="two shards")
    statements = list(layout.statements())
    assert len(statements) == 2 * len(layout.kept)
    assert all(" ON CLUSTER `two shards` " in said for said in statements)
    events = [said for said in statements if "`t_events" in said]
    assert events[0].startswith(
        "CREATE TABLE IF NOT EXISTS `stats`.`t_events_local` ON CLUSTER `two shards` (`id` String"
    )
    assert (
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', `rank`)"
    ) in events[0]
    assert events[1] == (
        "CREATE TABLE IF NOT EXISTS `stats`.`t_events` ON CLUSTER `two shards` AS `stats`.`t_events_local`"
        " ENGINE = Distributed('two shards', 'stats', 't_events_local', cityHash64(`id`))"
    )
    messages = next(said for said in statements if "AS `stats`.`t_messages_local`" in said)
    assert messages.endswith("cityHash64(`delivery_id`, `id`))")
    assert layout.on_disk(layout.events) == "`stats`.`t_events_local` ON CLUSTER `two shards`"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("clickhouse://h", "clickhouse://h:8123/msgtrack"),
        ("clickhouse://u:secret@h:1/stats", "clickhouse://h:1/stats"),
        ("clickhouse://h/stats?secure=1", "clickhouse://h:8443/stats"),
        ("chdb:////var/lib/x", "chdb:////var/lib/x (msgtrack)"),
        ("chdb:////var/lib/x/?database=stats", "chdb:////var/lib/x (stats)"),
    ],
)
def test_addresses(url: str, said: str) -> None:
    address = link.address_of(url)
    assert address.shown == said
    assert "secret" not in f"{address} {address.shown}"


def test_a_folder_is_relative_to_the_working_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert link.address_of("chdb:///a/../b c").folder == tmp_path.resolve() / "b c"
    assert link.address_of("chdb:///%61").folder == tmp_path.resolve() / "a"


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("clickhouse://", InvalidValue, "no server"),
        ("clickhouse:///stats", InvalidValue, "no server"),
        ("clickhouse://u:secret@h:x/stats", InvalidValue, "not an address of ClickHouse"),
        ("clickhouse://h/stats?secure=yes", InvalidValue, "secure is 0 or 1, not 'yes'"),
        ("clickhouse://h/stats?secur=1", UnknownOption, "no option 'secur'"),
        ("chdb://h/stats", InvalidValue, "no folder"),
        ("chdb:", InvalidValue, "no folder"),
        ("chdb:///", InvalidValue, "no folder"),
        ("chdb:///x?secure=1", UnknownOption, "no option 'secure'"),
        ("chdb:///%00", InvalidValue, "no folder"),
        (f"chdb:///x?database={'d' * 65}", InvalidValue, "1 to 64 bytes"),
        ("chdb:///x?database=", InvalidValue, "1 to 64 bytes"),
    ],
)
def test_what_is_no_address(url: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        link.address_of(url)
    assert "secret" not in str(raised.value)


HOLD = """
import sys
from pathlib import Path
from msgtrack.storage import _clickhouse_link as link

link._hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    # The lock is our own: the engine is not needed to see who holds it.
    folder = tmp_path.resolve() / "store"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCES)},
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=rf"another process \({other.pid}\) works in .*store.*admits one"):
            link._hold(folder)
        # It leaves the lock behind without a word, as a process does that is killed.
        other.kill()
        other.wait(20)
    link._hold(folder)
    link._hold(folder)
    link._release(folder)
    with pytest.raises(StoreError, match="and in no second folder"):
        link._hold(tmp_path.resolve() / "other")
    link._release(folder)
    link._hold(tmp_path.resolve() / "other")
    link._release(tmp_path.resolve() / "other")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot keep a store"):
        link._hold(tmp_path.resolve() / "missing" / "store")
