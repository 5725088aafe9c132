"""What a tally makes of facts beside messages and events, and of what events say of days, programs and recipients."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.counts import MOBILE_CLICK, Excluded, Failures, Opened, Reached, StepCounts, Visits, distinct
from msgtrack.errors import InvalidOption, InvalidValue, MissingExtra
from msgtrack.events import Click, Open
from msgtrack.facts import (
    AddressState,
    Exclusion,
    Service,
    SharedView,
    StepView,
    Subscription,
    SubscriptionChange,
    Visitor,
    WebApplication,
)
from msgtrack.metrics import indicators
from msgtrack.model import Audience, Client, Delivery, Message, TrackedLink
from msgtrack.tally import Fact, Tally, fold
from msgtrack.testing import strategies

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLOT = int(NOON.timestamp())
ADA = Client(browser="Firefox", browser_version="140", os="Linux", device="PC", is_mobile=False)


def counted(*facts: Fact, **options: Any) -> Any:
    tally = Tally()
    tally.extend(facts)
    return tally.counts(**options)


def click(hours: float = 0, **fields: Any) -> Click:
    at = NOON + timedelta(hours=hours)
    return Click(**{"occurred_at": at, "delivery_id": "1", "message_id": "7", "link_id": "2"} | fields)


def opened(hours: float = 0, **fields: Any) -> Open:
    return Open(**{"occurred_at": NOON + timedelta(hours=hours), "delivery_id": "1", "message_id": "7"} | fields)


def test_exclusions_go_by_reason_and_rule_and_say_how_many_were_rejected() -> None:
    rows = [Exclusion(delivery_id="1", id=i, failure_reason="quarantined") for i in "ab"]
    rows += [Exclusion(delivery_id="1", id="c", rule="Pressure"), Exclusion(delivery_id="1", id="s", is_seed=True)]
    found = counted(*rows, rows[0], Message(id="7", delivery_id="1")).deliveries["1"]
    assert found.exclusions == (
        Excluded(failure_reason=0, rule="Pressure", times=1),
        Excluded(failure_reason=9, rule="", times=2),
    )
    assert (found.reject, found.total_target) == (3, 4)
    said = counted(*rows, Delivery(id="1", reject=7, total_target=9)).deliveries["1"]
    assert (said.reject, said.total_target) == (7, 9)
    nothing = counted(Delivery(id="1", to_deliver=4)).deliveries["1"]
    assert (nothing.reject, nothing.total_target) == (None, None)
    assert counted(rows[0], Delivery(id="1", is_proof=True)).deliveries == {}


def test_new_quarantine_counts_addresses_by_record_or_message_once() -> None:
    found = counted(
        AddressState(address="a@x.example", status="quarantine", delivery_id="1"),
        AddressState(address="b@x.example", status="with-errors", delivery_id="1"),
        AddressState(address="c@x.example", status="quarantine"),
        Message(id="1", delivery_id="1", address="a@x.example", is_quarantine=True),
        Message(id="2", delivery_id="1", address="d@x.example", is_quarantine=True),
        Message(id="3", delivery_id="1", is_quarantine=True),
        Message(id="4", delivery_id="1", address="e@x.example", is_quarantine=True, is_seed=True),
    )
    assert found.deliveries["1"].new_quarantine == 3
    assert sum(domain.quarantined for domain in found.deliveries["1"].domains.values()) == 3


def test_messages_are_handled_in_slots_by_outcome_with_their_bytes() -> None:
    statuses = ["sent", "failed", "received_on_mobile", "pending", "sent", "sent"]
    moments = [NOON, NOON, NOON + timedelta(minutes=7), NOON, None, NOON]
    messages = [
        Message(id=i, delivery_id="1", status=status, event_at=at, size_bytes=None if i == 5 else 10**i)
        for i, (status, at) in enumerate(zip(statuses, moments, strict=True))
    ]
    found = counted(*messages).deliveries["1"]
    assert found.handled == {"success": {SLOT: 2, SLOT + 300: 1}, "error": {SLOT: 1}}
    assert found.handled_bytes == {"success": {SLOT: 1, SLOT + 300: 100}, "error": {SLOT: 10}}
    assert (found.undated, found.unsized) == (1, 1)


def test_failures_go_by_status_type_and_reason() -> None:
    message = {"delivery_id": "1", "address": "a@gmail.com"}
    found = counted(
        Message(id="1", status="failed", failure_type="hard", failure_reason=1, **message),
        Message(id="2", status="failed", failure_type="hard", failure_reason=1, **message),
        Message(id="3", status="sent", failure_type="soft", **message),
        Message(id="4", status="sent", **message),
    )
    assert found.deliveries["1"].domains["Gmail"].outcomes == (
        Failures(status=1, failure_type=1, failure_reason=0, messages=1),
        Failures(status=2, failure_type=2, failure_reason=1, messages=2),
    )


def test_days_are_those_of_the_zone_and_their_distinct_numbers_do_not_add_up() -> None:
    # The fourth official vector: P1 opens twice on one day and three times on the next, P2 once on the first.
    events = [opened(0), opened(1), opened(24), opened(25), opened(26), opened(0, message_id="8")]
    found = counted(*events).deliveries["1"]
    days = found.groups["day"]
    assert [distinct(day.reach, "open") for day in days.values()] == [2, 1]
    assert [day.reactions["open"] for day in days.values()] == [3, 3]
    assert distinct(found.domains["Others"].reach, "open") == 2
    late = counted(opened(11.9), opened(12.1), zone="America/New_York")
    assert list(late.deliveries["1"].groups["day"]) == ["2026-03-01"]
    assert late.zone == "America/New_York"
    assert list(counted(opened(11.5), opened(12.1)).deliveries["1"].groups["day"]) == ["2026-03-01", "2026-03-02"]


def test_who_followed_two_links_of_one_label_is_there_once() -> None:
    links = [TrackedLink(delivery_id="1", id=i, url=f"https://{i}.example/", label="Shop") for i in "23"]
    found = counted(*links, click(link_id="2", source_id="s"), click(link_id="3", source_id="s"), click(link_id="9"))
    groups = found.deliveries["1"].groups
    assert groups["label"] == {
        "": Reached(reach={"click": 1}, reactions={"click": 1}),
        "Shop": Reached(reach={"click": 1}, persons=1, reactions={"click": 2}),
    }
    assert list(groups["link"]) == ["2", "3", "9"]
    assert list(groups["type"]) == ["click"]


def test_variants_are_cut_like_domains() -> None:
    messages = [
        Message(id=i, delivery_id="1", status="sent", variant=v) for i, v in (("7", "A"), ("8", "B"), ("9", "B"))
    ]
    found = counted(*messages, click(source_id="s"), click(message_id="9"), click(message_id="x")).deliveries["1"]
    assert {name: (v.success, v.clicked, v.persons) for name, v in found.variants.items()} == {
        "": (0, 1, 0),
        "A": (1, 1, 1),
        "B": (2, 1, 0),
    }
    assert counted(Message(id="7", delivery_id="1")).deliveries["1"].variants == {}


def test_programs_are_counted_by_reaction_and_visitors_by_day_over_all_deliveries() -> None:
    found = counted(
        opened(0, client=ADA),
        click(1, client=ADA, source_id="s"),
        click(2, client=ADA, source_id="s", delivery_id="2"),
        click(3, client=ADA, source_id=None),
        click(4, client=ADA, source_id=None, message_id=None),
        click(30, client=Client(user_agent="?"), source_id="s"),
        opened(0),
    )
    ada = {
        name: getattr(ADA, name) for name in ("browser", "browser_version", "os", "os_version", "device", "is_mobile")
    }
    assert found.deliveries["1"].agents == (
        Opened(reactions={"click": 1, "open": 1}),
        Opened(**ada, reactions={"click": 3, "open": 1}),
    )
    assert found.visits == (
        Visits(day="2026-03-01", **ada, visitors=2, pages=4),
        Visits(day="2026-03-02", visitors=1, pages=1),
    )


def test_a_recipient_of_two_deliveries_is_one() -> None:
    messages = [Message(id="7", delivery_id=d, recipient_id="r") for d in "12"] + [Message(id="8", delivery_id="1")]
    found = counted(*messages, opened(), click(delivery_id="2"), opened(message_id="8"), opened(message_id="9"))
    assert found.recipients == {"click open": 1, "open": 2}


def test_services_keep_the_moments_that_periods_are_counted_from() -> None:
    day = timedelta(days=1)
    found = counted(
        Service(id="news", label="News", channel="sms"),
        *(Subscription(service_id="news", recipient_id=str(n), created_at=NOON - n * day) for n in range(5)),
        Subscription(service_id="news", recipient_id="9", created_at=NOON, ended_at=NOON),
        SubscriptionChange(service_id="news", id="1", action="subscribe", changed_at=NOON),
        SubscriptionChange(service_id="news", id="2", action=0, changed_at=NOON - day),
        SubscriptionChange(service_id="other", id="1", action=1, changed_at=NOON),
    ).services
    news = found["news"]
    assert (news.label, news.channel, len(news.created)) == ("News", "sms", 5)
    assert [news.before(news.created, NOON - n * day) for n in range(6)] == [4, 3, 2, 1, 0, 0]
    assert [news.after(news.joined, NOON - n * day) for n in (0, 1)] == [0, 1]
    assert [news.after(news.left, NOON - n * day) for n in (1, 2)] == [0, 1]
    assert list(found) == ["news", "other"]


def test_steps_of_web_applications() -> None:
    seen = [
        ("a", "1"),
        ("a", "2"),
        ("a", "3"),
        ("b", "1"),
        ("c", "1"),
        ("c", "3"),
        ("d", "2"),
        ("a", "1"),
        ("e", "x"),
        ("e", "1"),
    ]
    views = [StepView(application_id="form", source_id=who, step=step, occurred_at=NOON) for who, step in seen]
    application = WebApplication(id="form", label="Form", steps=("1", "2", "3"))
    assert counted(*views, application).applications == {
        "form": StepCounts(
            label="Form", steps=("1", "2", "3"), persons={"1": 4, "2": 2, "3": 2, "x": 1}, every=1, only_first=2
        )
    }
    unknown = counted(*views).applications["form"]
    assert (unknown.steps, unknown.every, unknown.only_first) == ((), 0, 0)
    with pytest.raises(InvalidValue, match="once"):
        WebApplication(id="form", steps=("1", "1"))


def test_shares_and_the_people_they_reached() -> None:
    found = counted(
        SharedView(delivery_id="1", id="1", network="facebook", occurred_at=NOON),
        SharedView(delivery_id="1", id="2", network="facebook", occurred_at=NOON),
        Visitor(delivery_id="1", id="1", recipient_id="r", created_at=NOON),
        Visitor(delivery_id="1", id="2", recipient_id="q"),
        Visitor(delivery_id="1", id="3"),
    ).deliveries["1"]
    assert found.shared_views == {"facebook": {SLOT: 2}}
    assert (found.visitors, found.new_contacts) == (3, {-1: 1, SLOT: 1})


def test_of_two_versions_of_a_fact_the_later_modified_wins_and_a_value_before_none() -> None:
    old = AddressState(address="a", status="quarantine", delivery_id="1", last_modified_at=NOON)
    new = AddressState(address="a", status="valid", delivery_id="1", last_modified_at=NOON + timedelta(hours=1))
    for facts in ((old, new), (new, old)):
        assert counted(*facts).deliveries["1"].new_quarantine == 0
    ended = Subscription(service_id="s", recipient_id="r", created_at=NOON, ended_at=NOON)
    for pair in ((ended, Subscription(service_id="s", recipient_id="r", created_at=NOON)),):
        for facts in (pair, pair[::-1]):
            assert counted(*facts).services["s"].created == ()


@given(strategies.worlds(), st.sets(st.sampled_from(Audience), min_size=1))
def test_an_audience_asked_of_a_tally_is_one_filtered_before_it(
    world: strategies.World, audience: set[Audience]
) -> None:
    whole = fold(world.deliveries, world.messages, world.links, [], world.facts)
    anonymous = [event for event in world.events if not event.has_own_id]
    whole.extend(anonymous)
    kept = fold(world.deliveries, world.messages, world.links, [], world.facts)
    kept.extend(event for event in anonymous if event.verdict.audience in audience)
    assert whole.counts(audience=audience) == kept.counts()
    assert whole.counts(audience="all") == whole.counts()


@given(strategies.worlds(), st.randoms(), st.integers(0, 40))
def test_facts_merge_in_any_order(world: strategies.World, random: Any, cut: int) -> None:
    facts: list[Fact] = [*world.deliveries, *world.messages, *world.links, *world.events, *world.facts]
    whole = Tally()
    whole.extend(facts)
    random.shuffle(facts)
    left, right = Tally(), Tally(sketch_above=10**6)
    left.extend(facts[:cut])
    right.extend(facts[cut:])
    assert left.merge(right) == right.merge(left) == whole == whole.merge(Tally()) == whole.copy()
    assert left.merge(right).counts(zone="Asia/Kathmandu") == whole.counts(zone="Asia/Kathmandu")


@given(strategies.worlds())
def test_parts_of_a_delivery_sum_to_the_whole(world: strategies.World) -> None:
    counts = fold(world.deliveries, world.messages, world.links, world.events, world.facts).counts()
    for delivery in counts.deliveries.values():
        for kind, names in (("open", ["open"]), ("click", ["click", MOBILE_CLICK]), ("transaction", ["transaction"])):
            rows = delivery.rows(kind)
            assert sum(agent.reactions.get(kind, 0) for agent in delivery.agents) == rows
            cuts = [delivery.domains, *delivery.groups.values(), *([delivery.variants] if delivery.variants else [])]
            for cut in cuts:
                assert sum(part.reactions.get(name, 0) for part in cut.values() for name in names) == rows
        for domain in delivery.domains.values():
            assert domain.reacted == distinct(domain.reach)
            assert domain.clicked == distinct(domain.reach, "click")
        whole = sum(domain.reacted for domain in delivery.domains.values())
        assert all(distinct(part.reach) <= whole for group in delivery.groups.values() for part in group.values())


def test_sketches_count_persons_within_their_error_whatever_the_order() -> None:
    pytest.importorskip("datasketches", reason="the extra 'sketches' is not installed")
    people = 20_000
    clicks = [click(delivery_id=str(n % 3), source_id=f"s{n}") for n in range(people)]
    answers = set()
    for order in (clicks, clicks[::-1], clicks[people // 2 :] + clicks[: people // 2]):
        tally = Tally(sketch_above=1000)
        tally.extend(order)
        counts = tally.counts()
        answers.add(counts.persons)
        assert counts.distinct_error == 0.0082
        assert abs(counts.persons - people) < 4 * counts.distinct_error * people
        assert abs(counts.deliveries["0"].persons - people / 3) < 4 * counts.distinct_error * people / 3
    assert len(answers) == 1
    table = indicators.from_counts(counts)
    assert "sketched" in table["person_click"].caveats
    assert "sketched" not in table["recipient_click"].caveats
    exact = Tally(sketch_above=people)
    exact.extend(clicks)
    assert (exact.counts().persons, exact.counts().distinct_error) == (people, 0.0)
    assert "sketched" not in indicators.from_counts(exact.counts())["person_click"].caveats


def test_sketches_without_their_package_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketches", None)
    tally = Tally(sketch_above=0)
    tally.add(click(source_id="s"))
    with pytest.raises(MissingExtra, match="sketches"):
        tally.counts()
    assert Tally(sketch_above=0).counts().persons == 0


def test_bad_options_are_refused() -> None:
    with pytest.raises(InvalidOption, match="zone"):
        Tally().counts(zone="Nowhere")
    with pytest.raises(InvalidOption):
        Tally().counts(audience="nobody")
    with pytest.raises(InvalidValue):
        Tally(sketch_above=-1)


def test_indicators_take_facts_days_and_peers() -> None:
    launched = {"contact_at": NOON - timedelta(days=2), "typology": "news", "to_deliver": 4}
    mine, other = Delivery(id="1", **launched), Delivery(id="2", **launched)
    strangers = [
        Delivery(id="3", **launched | {"typology": "offers"}),
        Delivery(id="4", **launched | {"contact_at": NOON - timedelta(days=184)}),
        Delivery(id="5", **launched, is_proof=True),
        Delivery(id="6", typology="news"),
        Delivery(id="7", **launched, channel="sms"),
    ]
    messages = [Message(id="7", delivery_id=d, status="sent") for d in "1234567"]
    events = [click(delivery_id=d) for d in "1234567"]
    table = indicators.from_events(
        mine,
        iter(messages),
        [],
        iter(events),
        facts=[Service(id="news"), Exclusion(delivery_id="2", id="x"), Exclusion(delivery_id="1", id="x")],
        peers=[other, *strangers],
        now=NOON,
        zone="Europe/Paris",
    )
    assert table.peers is not None
    assert list(table.peers.deliveries) == ["1", "2"]
    assert list(table.counts.services) == ["news"]
    assert list(table.counts.deliveries) == ["1"]
    assert table.counts.deliveries["1"].reject == 1
    assert table.counts.zone == "Europe/Paris"
    with pytest.raises(InvalidOption, match="now"):
        indicators.from_events(mine, [], [], [], peers=[other])
    with pytest.raises(InvalidValue, match="Exclusion"):
        indicators.from_events(mine, [], [], [], facts=[mine])  # type: ignore[list-item]  # the point of the test
