"""Two versions of one message: a store keeps what was put last, a fold what is further on; each given once, they agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from msgtrack.events import Click, Open
from msgtrack.metrics import Table, indicators
from msgtrack.model import Delivery, Message, MessageStatus
from msgtrack.protocols import Query, Store
from msgtrack.storage import open_store
from msgtrack.tally import fold

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
DELIVERY = Delivery(id="1")
EVENTS = [
    Open(id="o", occurred_at=AT, delivery_id="1", message_id="a"),
    Click(id="c", occurred_at=AT, delivery_id="1", message_id="b", link_id="2", source_id="s"),
]

versions = st.builds(
    Message,
    id=st.sampled_from("ab"),
    delivery_id=st.just("1"),
    status=st.sampled_from(MessageStatus),
    address=st.sampled_from(["x@gmail.com", "x@aol.com"]),
    is_seed=st.booleans(),
    last_modified_at=st.none() | st.integers(0, 2).map(lambda days: AT + timedelta(days=days)),
)


def stores() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        for address in ("memory:", f"sqlite:///{folder}/x.db"):
            with open_store(address) as store:
                store.put([DELIVERY])
                store.ingest(EVENTS)
                yield store


def folded(*messages: Message) -> Table:
    return indicators.from_events(DELIVERY, messages, [], EVENTS)


@given(st.lists(versions, max_size=4, unique_by=lambda message: message.id))
@settings(max_examples=20)
def test_each_message_once_is_the_same_by_both_ways(messages: list[Message]) -> None:
    for store in stores():
        store.put(messages)
        assert indicators(store, "1") == folded(*messages)


@given(st.lists(versions, max_size=5), st.booleans())
@settings(max_examples=25)
def test_a_store_reports_what_it_gives_back(messages: list[Message], is_asked_between: bool) -> None:
    last = {message.id: message for message in messages}
    for store in stores():
        for message in messages:
            store.put([message])
            if is_asked_between:
                store.counts(Query())
        assert indicators(store, "1") == folded(*store.messages()) == folded(*last.values())
        given_back = fold(store.deliveries(), store.messages(), store.links(), store.scan())
        assert store.counts(Query(delivery_ids=["1"])) == given_back.counts()


@given(st.lists(versions, max_size=4))
@settings(max_examples=25)
def test_a_fold_knows_no_order(messages: list[Message]) -> None:
    first, *others = (folded(*order) for order in permutations(messages))
    assert all(other == first for other in others)


def test_the_furthest_counts_in_a_fold_and_the_last_in_a_store() -> None:
    sent, failed = (Message(id="a", delivery_id="1", status=status) for status in ("sent", "failed"))
    assert folded(sent, failed)["success"].value == folded(failed, sent)["success"].value == 0
    for store in stores():
        store.put([failed])
        store.put([sent])
        assert indicators(store, "1")["success"].value == 1
        store.put([failed])
        assert indicators(store, "1")["success"].value == 0


def test_the_later_modified_counts_in_a_fold_however_far_it_is() -> None:
    failed = Message(id="a", delivery_id="1", status="failed", last_modified_at=AT)
    sent = Message(id="a", delivery_id="1", status="sent", last_modified_at=AT + timedelta(days=1))
    unknown = Message(id="a", delivery_id="1", status="failed")
    for order in permutations((failed, sent, unknown)):
        assert folded(*order)["success"].value == 1
