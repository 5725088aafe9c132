"""A consumer's program: what users write must satisfy a strict type checker, with nothing silenced.

It is not run; mypy and pyright read it. Everything in it goes through public names alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

from msgtrack import (
    Delivery,
    Keyring,
    LinkRules,
    Message,
    MsgtrackError,
    Policy,
    Rule,
    TrackedLink,
    Tracker,
    collect,
    open_store,
)
from msgtrack.batch import tally_logs
from msgtrack.clients import ClientReader
from msgtrack.decide import Decision, decide
from msgtrack.events import Click, Event, Open
from msgtrack.hits import Hit, Rejected
from msgtrack.io import AccessLogFile, SegmentFolder, SegmentWriter
from msgtrack.links import (
    CompiledMessage,
    LinkCheck,
    LinkDecision,
    MemoryRegistry,
    RenderedMessage,
    SentLink,
    check_links,
)
from msgtrack.logs import parse
from msgtrack.metrics import Table, Value, catalogue, indicators
from msgtrack.model import PeoplePolicy, Resolution
from msgtrack.protocols import Batch, Query, Source, Store, WorkflowRun
from msgtrack.redirect import AppLinks, Failure, Outcome, PageTexts, RedirectHandler, Request, TrustedProxies
from msgtrack.reports import Report, delivery_report
from msgtrack.tally import Counts
from msgtrack.visits import complete_visits
from msgtrack.web.asgi import TrackingApp
from msgtrack.webtags import WebTag, WebTags, tag_code

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_tracker() -> Tracker:
    keys = Keyring.from_secrets(
        "a secret of at least 32 characters", verify_only=("an older one that is also long enough",)
    )
    return Tracker(
        base_url="https://t.example.com",
        keyring=keys,
        registry=MemoryRegistry(),
        link_style="registered",
        realm="garden",
    )


def send(tracker: Tracker) -> CompiledMessage:
    rules = LinkRules(rules=(Rule(host="shop.example", label="Shop", mode="always", type="click"),), track_opens=False)
    compiled = tracker.compile(
        html="<a href='https://shop.example/'>x</a>", text=None, delivery_id=1, rules=rules, expires_at=NOON
    )
    for link in compiled.links:
        assert_type(link, TrackedLink)
    for decision in compiled.decisions:
        assert_type(decision, LinkDecision)
    out = compiled.render(
        message_id="7", values={"name": "Ann"}, policy=Policy(opens="none", clicks="aggregate"), seed=True
    )
    assert_type(out, RenderedMessage)
    if out.html is not None:
        assert_type(compiled.restore(out.html), str)
    assert_type(tracker.resolve("https://t.example.com/x/y"), Resolution)
    return compiled


def serve(tracker: Tracker) -> TrackingApp:
    handler = RedirectHandler(
        tracker, deliveries={"1": Delivery(id=1)}, people=PeoplePolicy(key="hash"), fallback_url="https://shop.example/"
    )
    outcome = handler.handle(Request(method="GET", url="/x/y", headers=[("user-agent", "x")], received_at=NOON))
    assert_type(outcome, Outcome)
    if outcome.hit is not None:
        assert_type(decide(outcome.hit, tracker), Decision)
    return TrackingApp(handler, record=SegmentWriter("hits").write)


def serve_more(tracker: Tracker, registry: MemoryRegistry, store: Store) -> tuple[Failure, ...]:
    tags = WebTags(tags=[WebTag(identifier="home", type="transaction")], mode="permanent-last")
    handler = RedirectHandler(
        tracker,
        people=PeoplePolicy(gpc="aggregate", client_ip="truncated"),
        check=lambda said: said.destination != "https://gone.example/",
        block_unsigned=True,
        tags=tags,
        texts=[PageTexts(language="fr", ask_title="Se désabonner")],
        language=lambda said: said.delivery_id,
        proxies=TrustedProxies(networks=["10.0.0.0/8"], header="forwarded"),
        health=lambda: "",
        app_links=AppLinks(apple=["ABCDE12345.example.shop"], android={"example.shop": ["AB"]}),
    )
    assert_type(tag_code("https://t.example.com/", WebTag(identifier="home"), {"amount": "5"}), str)
    assert_type(complete_visits(store, since=NOON), int)
    for check in check_links([SentLink(url="/x/y", delivery_id=1), "/z"], tracker=tracker, at=NOON):
        assert_type(check, LinkCheck)
    registry.retarget("00000000", "https://shop.example/", at=NOON, by="ann")
    collect({}, store, tracker=tracker, now=NOON, tags=tags, clients=ClientReader())
    with ProcessPoolExecutor() as pool:
        found = tally_logs({"web": Path("access.log"), "cdn": ["a.gz", "b.gz"]}, tracker=tracker, executor=pool)
    assert_type(found.rejects, tuple[Rejected, ...])
    assert_type(found.tally.counts(), Counts)
    return handler.handle(Request(method="GET", url="/", received_at=NOON)).failures


class MySource:
    def read(self, position: str | None) -> Iterator[Batch]:
        yield Batch(records=[Hit(method="GET", url="/", received_at=NOON)], position="1")


def gather(tracker: Tracker) -> WorkflowRun:
    sources: dict[str, Source] = {
        "a": SegmentFolder("hits"),
        "b": AccessLogFile("access.log", format="combined"),
        "c": MySource(),
    }
    with open_store("sqlite:///x.db") as store:
        store.put([Delivery(id="1"), Message(id=7, delivery_id=1, status="sent", format="text")])
        for event in store.scan(Query(delivery_ids="1", kinds=(Open, "click"), audience="human")):
            assert_type(event, Event)
        return collect(sources, store, tracker=tracker, now=NOON)


def read(lines: list[str], tracker: Tracker) -> list[Click]:
    clicks: list[Click] = []
    for record in parse(lines, format="combined", tracker=tracker):
        if isinstance(record, Click):
            clicks.append(record)
        elif isinstance(record, Rejected):
            assert_type(record.line, int)
    return clicks


def report(store: Store) -> str:
    table = indicators(store, delivery_id="spring", audience=["human", "proxy"], since=NOON, zone="Europe/Paris")
    assert_type(table, Table)
    value = table["raw_reactivity"]
    assert_type(value, Value)
    for name, row in table.series("url_clicks", by="label").items():
        assert_type((name, row), tuple[str, Value])
    assert_type(catalogue["url_clicks"].formula, str)
    plain = indicators.from_events(Delivery(id="1"), [], [], [Open(occurred_at=NOON, delivery_id="1", message_id="7")])
    assert_type(plain, Table)
    made = delivery_report(store, delivery_id=1, zone="UTC", now=NOON)
    assert_type(made, Report)
    try:
        return made.html()
    except MsgtrackError as error:
        return f"{error.code}: {error.hint}"
