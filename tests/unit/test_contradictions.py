"""Where the reference contradicts itself on links, redirect, logs and stores: one test per reading (reference 7.9, same numbers)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from msgtrack import Delivery, Keyring, LinkRules, Message, Rule, TrackedLink, Tracker, collect, open_store
from msgtrack.errors import CompileError
from msgtrack.events import Click, MirrorPageView, Open
from msgtrack.hits import Hit
from msgtrack.io.segments import SegmentFolder, SegmentWriter
from msgtrack.links import LinkMemory
from msgtrack.links.instructions import expand
from msgtrack.metrics import indicators
from msgtrack.model import TrackingMode
from msgtrack.protocols import Query
from msgtrack.redirect import PIXEL, RedirectHandler, Request

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
TRACKER = Tracker(
    base_url="https://t.example.com", keyring=Keyring.from_secrets("a secret that is long enough to sign with")
)
SHOP = "https://shop.example/"


def modes_of(mode: str) -> list[TrackingMode | None]:
    compiled = TRACKER.compile(
        html=f'<a href="{SHOP}">x</a>', delivery_id="1", rules=LinkRules(rules=[Rule(mode=mode)])
    )
    return [decision.mode for decision in compiled.decisions]


def test_c25_there_are_six_modes_and_those_of_the_web_interface_are_names_of_four_of_them() -> None:
    console = ("Enabled", "Not tracked", "Always enabled", "Never tracked", "Opt-out", "Mirror page")
    assert [mode for name in console for mode in modes_of(name)] == list(TrackingMode)
    web = {"Tracked": "enabled", "Opt out": "opt-out", "Mirror page": "mirror-page", "Never": "never"}
    assert {name: modes_of(name) for name in web} == {name: [TrackingMode(mode)] for name, mode in web.items()}
    # Never is remembered, by whatever name.
    for name in ("never", "Never", "Never tracked"):
        rules = LinkRules(rules=[Rule(mode=name)])
        compiled = TRACKER.compile(html=f'<a href="{SHOP}">x</a>', delivery_id="1", rules=rules)
        assert dict(LinkMemory().updated(compiled).modes) == {SHOP: TrackingMode.NEVER}


def test_c26_instructions_are_a_language_of_their_own_and_no_javascript() -> None:
    loaders = {"objects": {"delivery": {"@label": "Spring"}, "list": [1, 2]}}
    for quote in "'\"":
        written = f"<%@ value object={quote}delivery{quote} xpath={quote}@label{quote} %>"
        assert expand(written, loaders, part="html").text == "Spring"
    assert expand("<%@ foreach object='list' item='i' %>x<%@ end %>", loaders, part="html").text == "xx"
    scripts = ("<%@ var x = 1; %>", "<%@ value object='delivery' xpath='@label'; %>", "<%@ if (true) { %>x<%@ } %>")
    slips = ("<%@ foreach object='list' item='i' %>x<%@ end @%>", "<% value object='delivery' xpath='@label' %>")
    for written in (*scripts, *slips):
        with pytest.raises(CompileError):
            expand(written, loaders, part="html")


def ask(cookie: str = "") -> tuple[list[str], str | None]:
    """The cookies set by a click, and the person that its hit names."""
    html = TRACKER.compile(html=f'<a href="{SHOP}">x</a>', delivery_id="1").render(message_id="7").html or ""
    url = html.split('"')[1]
    handler = RedirectHandler(TRACKER, new_source_id=lambda: "fresh")
    headers = [("cookie", cookie)] if cookie else []
    outcome = handler.handle(Request(method="GET", url=url, headers=headers, client_ip="192.0.2.1", received_at=AT))
    assert outcome.hit is not None
    return [value for name, value in outcome.response.headers if name == "set-cookie"], outcome.hit.source_id


def test_c27_the_person_is_in_the_cookie_uuid230_and_no_other_is_set_or_read() -> None:
    """Message and delivery travel in the signed URL, so there is no need of the session cookie and that of the last delivery."""
    (cookie,), person = ask()
    assert cookie.startswith("uuid230=fresh;")
    assert person == "fresh"
    assert ask("uuid230=known-person-1") == ([], "known-person-1")
    for name in ("nlid", "id", "uuid", "UUID", "nllastdelid", "AMCV_"):
        cookies, person = ask(f"{name}=known-person-1")
        assert (len(cookies), person) == (1, "fresh"), name


def test_c28_the_open_image_is_one_pixel_wide_and_high_and_says_so() -> None:
    html = TRACKER.compile(html="<body>x</body>", delivery_id="1").render(message_id="7").html or ""
    (image,) = re.findall(r"<img [^>]*>", html)
    assert ('width="1"' in image, 'height="1"' in image) == (True, True)
    assert int.from_bytes(PIXEL[6:8], "little") == int.from_bytes(PIXEL[8:10], "little") == 1
    assert (PIXEL[:3], len(PIXEL)) == (b"GIF", 43)


def test_c29_how_many_log_lines_are_taken_at_once_is_said_by_who_reads_them(tmp_path: Path) -> None:
    """There is no server that hands out logs and has a limit of its own."""
    writer = SegmentWriter(tmp_path)
    for n in range(2_500):
        writer.write(Hit(method="GET", url=f"/{n}", received_at=AT))
    writer.close()

    def sizes(folder: SegmentFolder) -> list[int]:
        return [len(batch.records) for batch in folder.read(None) if batch.records]

    assert sizes(SegmentFolder(tmp_path, batch_lines=1_000)) == [1_000, 1_000, 500]
    assert sizes(SegmentFolder(tmp_path)) == [2_500]
    for chosen in (30, 1_000):
        with open_store("memory:") as store:
            run = collect({"web": SegmentFolder(tmp_path, batch_lines=chosen)}, store, tracker=TRACKER, now=AT)
            assert (run.status, len(run.rejects)) == ("finished", 0)


@pytest.mark.parametrize("address", [lambda _: "memory:", lambda folder: f"sqlite:///{folder}/x.db"])
def test_c30_nothing_goes_by_itself_however_old(address: Callable[[Path], str], tmp_path: Path) -> None:
    """Neither six months nor 360 days: purging has to be asked for, and what it took away has been counted before."""
    long_ago = AT - timedelta(days=3 * 365)
    with open_store(address(tmp_path)) as store:
        store.put([Delivery(id="1"), Message(id="7", delivery_id="1", status="sent", event_at=long_ago)])
        store.ingest([Open(occurred_at=long_ago, delivery_id="1", message_id="7")])
        collect({"web": []}, store, tracker=TRACKER, now=AT)
        assert indicators(store, "1", now=AT)["total_recipient_open"].value == 1
        assert len(list(store.scan())) == 1
        store.purge(AT - timedelta(days=360))
        assert not list(store.scan())
        assert indicators(store, "1", now=AT)["total_recipient_open"].value == 1


def test_c33_what_a_recipient_did_is_every_row_and_not_the_clicks_alone() -> None:
    with open_store("memory:") as store:
        store.put([Delivery(id="1"), TrackedLink(delivery_id="1", id="2", url=SHOP)])
        store.put([Message(id=n, delivery_id="1", recipient_id=f"r{n}") for n in "78"])
        reactions = [Open(occurred_at=AT, delivery_id="1", message_id=n) for n in "78"]
        followed = [
            kind(occurred_at=AT, delivery_id="1", message_id="7", link_id="2") for kind in (Click, MirrorPageView)
        ]
        store.ingest([*reactions, *followed])
        found = [event.kind for event in store.scan(Query(recipient_id="r7"))]
        assert sorted(found) == sorted([Open.kind, Click.kind, MirrorPageView.kind])
