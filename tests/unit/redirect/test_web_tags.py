"""Web tags: what a tag's URL says, whose visits are kept under each mode, and that nobody is named without a signature."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker, collect, open_store
from msgtrack.bulk import collect_logs
from msgtrack.decide import Decision, decide
from msgtrack.errors import HookError, InvalidOption, InvalidValue, NotSupported
from msgtrack.events import Click, PageVisit, Transaction
from msgtrack.hits import Hit
from msgtrack.io import SegmentFolder, SegmentWriter
from msgtrack.links import MemoryRegistry
from msgtrack.model import LinkType, Resolution, ResolutionOutcome
from msgtrack.protocols import Query
from msgtrack.records import from_json, to_json
from msgtrack.redirect import PIXEL, Outcome, PeoplePolicy, RedirectHandler, Request
from msgtrack.visits import complete_visits, completed
from msgtrack.webtags import MAX_TAG_BYTES, TagRequest, WebMode, WebTag, WebTags, tag_code

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
REGISTRY = MemoryRegistry()
CAMPAIGN = Tracker(
    "https://t.example.com", KEYS, registry=REGISTRY, link_style="registered", url_format="campaign", conceal_ids=False
)
HOME = WebTag(identifier="home")
PAID = WebTag(identifier="paid", type="transaction")  # type: ignore[arg-type]
TAGS = WebTags(tags=[HOME, PAID])  # type: ignore[arg-type]
MODES = list(WebMode)


def with_mode(mode: str | WebMode, **options: Any) -> WebTags:
    return attrs.evolve(TAGS, mode=mode, **options)  # type: ignore[arg-type]


def handler(tags: WebTags = TAGS, tracker: Tracker = TRACKER, **options: Any) -> RedirectHandler:
    return RedirectHandler(tracker, tags=tags, new_source_id=lambda: "fresh-person-1", **options)


def click_url(message_id: str = "7", tracker: Tracker = TRACKER, policy: Policy | None = None, **options: Any) -> str:
    delivery_id = options.pop("delivery_id", "230")
    compiled = tracker.compile(html='<a href="https://shop.example/x">x</a>', delivery_id=delivery_id, **options)
    if tracker.registry is not None:
        tracker.registry.publish(compiled)
    html = compiled.render(message_id=message_id, policy=policy or Policy()).html or ""
    return re.findall(r'href="([^"]+)"', html)[0].replace("&amp;", "&")


def ask(
    here: RedirectHandler, url: str, cookies: str = "", at: datetime = AT, method: str = "GET", **headers: str
) -> Outcome:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return here.handle(Request(method=method, url=url, headers=[*named, ("cookie", cookies)], received_at=at))


def cookies_of(outcome: Outcome) -> dict[str, str]:
    set_ = [value for name, value in outcome.response.headers if name == "set-cookie"]
    return dict(value.partition(";")[0].split("=", 1) for value in set_)


def jar(outcome: Outcome, *left_out: str) -> str:
    """What a browser sends back; without session cookies once it was closed."""
    return "; ".join(f"{name}={value}" for name, value in cookies_of(outcome).items() if name not in left_out)


def meant(outcome: Outcome, tags: WebTags = TAGS, tracker: Tracker = TRACKER) -> Decision:
    assert outcome.hit is not None
    # As it is written to a segment and read again.
    return decide(from_json(to_json(outcome.hit), Hit), tracker, tags=tags)


@pytest.mark.parametrize("tracker", [TRACKER, CAMPAIGN, Tracker("https://t.example.com/base", KEYS, conceal_ids=True)])
def test_a_visit_in_the_session_of_a_click(tracker: Tracker) -> None:
    """R2, R35, R38, R41."""
    here = handler(tracker=tracker)
    clicked = ask(here, click_url(tracker=tracker))
    assert set(cookies_of(clicked)) == {"uuid230", "nlid"}
    (session,) = [value for _, value in clicked.response.headers if value.startswith("nlid=")]
    assert session.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert "Max-Age" not in session
    outcome = ask(here, "/r/4711?tagid=home", jar(clicked), AT + timedelta(minutes=5), user_agent="Browser/1")
    assert (outcome.response.status, outcome.response.body, outcome.reason) == (200, PIXEL, "web")
    assert dict(outcome.response.headers)["cache-control"] == "no-store"
    event = meant(outcome, tracker=tracker).event
    assert type(event) is PageVisit
    assert (event.delivery_id, event.message_id, event.link_id) == ("230", "7", "tag:home")
    assert event.source_id == "fresh-person-1"
    assert event.client is not None
    assert event.occurred_at == AT + timedelta(minutes=5)


def test_what_was_bought() -> None:
    """R35, R36."""
    here = handler()
    session = jar(ask(here, click_url()))
    outcome = ask(here, "/r/4711?tagid=paid&amount=12.50&article=3", session)
    event = meant(outcome).event
    assert type(event) is Transaction
    assert (event.amount, event.article, event.message_id) == (Decimal("12.50"), 3, "7")
    bare = meant(ask(here, "/r/4711?tagid=paid&amount=much&article=-1", session)).event
    assert type(bare) is Transaction
    assert (bare.amount, bare.article) == (None, None)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tagid=home", {"identifier": "home"}),
        ("x=1&tagid=home&jobid=e6", {"identifier": "home", "delivery_id": "230"}),
        ("tagid=cmd_page%7Ct", {"identifier": "cmd_page", "type": LinkType.TRANSACTION}),
        ("tagid=a|W|fld", {"identifier": "a", "type": LinkType.WEB, "folder": "fld"}),
        ("tagid=a%7Cx", {"identifier": "a"}),
        ("tagid=a&rcpid=email%3Da%40b.example", {"identifier": "a", "recipient": ("email", "a@b.example")}),
        ("tagid=a&rcpid=x", {"identifier": "a", "recipient": ("x", "")}),
        ("tagid=a&rcpid=", {"identifier": "a"}),
        ("tagid=a&jobid=xyz", {"identifier": "a"}),
        ("tagid=a&jobid=11111111111111111", {"identifier": "a"}),
        ("tagid=a&amount=1e9&article=1.5", {"identifier": "a"}),
        ("tagid=a&amount=NaN", {"identifier": "a"}),
        ("tagid=a&amount=-3&article=0", {"identifier": "a", "amount": Decimal(-3), "article": 0}),
        ("tagid=a&tagid=b", {"identifier": "a"}),
        ("tagid=", {}),
        ("tagid=%00", {}),
        ("tagid=" + "x" * (MAX_TAG_BYTES + 1), {}),
        ("tagid=a" + "&b" * 100, {}),
    ],
)
def test_what_the_url_of_a_tag_says(query: str, said: dict[str, Any]) -> None:
    """R36, R41."""
    assert TAGS.read(f"/r/0.123?{query}") == TagRequest(**said)
    assert TAGS.read(f"https://t.example.com/base/r/x?{query}#top") == TagRequest(**said)


@pytest.mark.parametrize(
    "url",
    [
        "/r/?id=h1,e6,2&s=x&tagid=home",
        "/x/1?tagid=home",
        "/r/a/b?tagid=home",
        "/r/1",
        "tagid=",
        "/r/1?xtagid=a",
        "/r/1#?tagid=a",
    ],
)
def test_what_is_no_tag(url: str) -> None:
    """R35."""
    assert TAGS.read(url) is None


def test_ids_of_deliveries_may_stand_as_they_are() -> None:
    """R36."""
    plain = attrs.evolve(TAGS, hex_job_ids=False)
    for jobid, expected in (("spring", "spring"), ("e6", "e6"), ("x" * 65, None), ("%00", None), ("", None)):
        asked = plain.read(f"/r/1?tagid=home&jobid={jobid}")
        assert asked is not None
        assert asked.delivery_id == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("who", "named"),
    [
        # Of whom the visit is under session, permanent-forced, permanent-last, anonymous-forced, anonymous-last.
        ("session", ["230/7"] * 5),
        ("session, other job", ["230/7"] * 5),
        ("earlier", ["-", "230/7", "230/7", "230/7", "230/7"]),
        ("earlier, same job", ["-", "230/7", "230/7", "230/7", "230/7"]),
        ("earlier, other job", ["-", "255/", "230/7", "255/", "230/7"]),
        ("stranger", ["-", "-", "-", "/", "/"]),
        ("stranger, other job", ["-", "-", "-", "255/", "/"]),
    ],
)
def test_whose_visits_each_mode_keeps(mode: WebMode, who: str, named: list[str]) -> None:
    """R37, R38, R41."""
    tags = with_mode(mode)
    here = handler(tags)
    clicked = ask(here, click_url())
    assert ("nllast" in cookies_of(clicked)) is (mode is not WebMode.SESSION)
    sent = {"session": jar(clicked), "earlier": jar(clicked, "nlid"), "stranger": "uuid230=known-person"}[
        who.split(",", maxsplit=1)[0]
    ]
    job = "&jobid=e6" if "same job" in who else "&jobid=ff" if "other job" in who else ""
    outcome = ask(here, f"/r/1?tagid=home{job}", sent)
    assert outcome.response.body == PIXEL
    decision = meant(outcome, tags)
    assert decision.reason.value == outcome.reason
    expected = named[MODES.index(mode)]
    if expected == "-":
        assert (outcome.reason, decision.event) == ("visitor", None)
        assert outcome.hit is not None
        assert outcome.hit.source_id is None
        return
    event = decision.event
    assert type(event) is PageVisit
    assert f"{event.delivery_id or ''}/{event.message_id or ''}" == expected
    assert event.source_id == ("known-person" if "stranger" in who else "fresh-person-1")
    assert (event.client is None) or "stranger" not in who


def test_the_reference_example_of_a_purchase_the_day_after() -> None:
    """R37, R38: the session is closed, and the purchase belongs to the delivery of the day before."""
    tags = with_mode("permanent-last")
    here = handler(tags)
    clicked = ask(here, click_url())
    bought = ask(here, "/r/1?tagid=paid&amount=20", jar(clicked, "nlid"), AT + timedelta(days=1))
    event = meant(bought, tags).event
    assert type(event) is Transaction
    assert (event.delivery_id, event.message_id, event.amount) == ("230", "7", Decimal(20))
    under_session = ask(handler(), "/r/1?tagid=paid&amount=20", jar(clicked, "nlid"), AT + timedelta(days=1))
    assert under_session.reason == "visitor"


def _forged() -> list[str]:
    """Tokens that nobody signed for a session."""
    url = click_url()
    message = url.rsplit("/", 1)[1]
    token = cookies_of(ask(handler(), url))["nlid"]
    stranger = Tracker("https://t.example.com", Keyring.from_secrets("another secret, that nobody here has heard of"))
    realm = Tracker("https://t.example.com", KEYS, realm="north")
    said = TRACKER.resolve(url)
    hosted = TRACKER.opt_out_url(delivery_id="230", message_id="7").rsplit("/", 1)[1]
    changed = [
        token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :] for place in range(len(token))
    ]
    others = [
        message,
        hosted,
        stranger.session_token(said),
        realm.session_token(said),
        token[:-1],
        token + "0",
        token[1:],
    ]
    return [*changed, *others, token.upper(), f'"{token}"', "x" * 2_000, "ü" * 30]


def test_nobody_is_named_without_a_signature() -> None:
    """R35, R38."""
    tags = with_mode("permanent-last")
    here = handler(tags)
    for token in _forged():
        for name in ("nlid", "nllast"):
            outcome = ask(here, "/r/1?tagid=home&jobid=e6", f"{name}={token}")
            assert (outcome.reason, outcome.response.body) == ("visitor", PIXEL), token
            assert outcome.hit is not None
            assert (outcome.hit.session, outcome.hit.earlier) == ("", "")
        assert TRACKER.resolve(f"/1/{token}").message_id is None or token in click_url()


def test_a_token_is_of_no_use_in_a_url() -> None:
    """R38, R50."""
    token = cookies_of(ask(handler(), click_url()))["nlid"]
    for part in ("1", "u", "m", "p", click_url().split("/")[-2]):
        said = TRACKER.resolve(f"https://t.example.com/{part}/{token}")
        assert said.message_id is None


@pytest.mark.parametrize(
    ("policy", "people"),
    [
        (Policy(clicks="none"), PeoplePolicy()),
        (Policy(clicks="aggregate"), PeoplePolicy()),
        (Policy(clicks="pseudonymous"), PeoplePolicy()),
        (Policy(), PeoplePolicy(key="none")),
        (Policy(), PeoplePolicy(key="hash")),
    ],
)
def test_no_session_where_nobody_may_be_followed(policy: Policy, people: PeoplePolicy) -> None:
    """R10, R34, R38."""
    here = handler(with_mode("anonymous-last"), people=people)
    assert cookies_of(ask(here, click_url(policy=policy))) == {}
    assert cookies_of(ask(here, click_url().rpartition("/")[0])) == {}
    assert TRACKER.session_token(TRACKER.resolve(click_url(policy=Policy(clicks="none")))) == ""


def test_no_session_without_tags_and_of_nothing_but_clicks() -> None:
    """R10, R16, R38."""
    assert set(cookies_of(ask(RedirectHandler(TRACKER), click_url()))) == {"uuid230"}
    here = handler(mirror=lambda _: "<p>")
    ids: dict[str, Any] = {"delivery_id": "230", "message_id": "7"}
    assert cookies_of(ask(here, TRACKER.opt_out_url(**ids))) == {}
    assert set(cookies_of(ask(here, TRACKER.mirror_url(**ids)))) == {"uuid230"}
    blocked = handler(check=lambda _: False)
    assert "nlid" not in cookies_of(ask(blocked, click_url()))
    assert "nlid" not in cookies_of(ask(handler(), click_url(), sec_gpc="1"))


def test_who_wishes_not_to_be_followed_is_nobody_to_a_tag() -> None:
    """R31, R37."""
    tags = with_mode("anonymous-last")
    here = handler(tags)
    sent = jar(ask(here, click_url()))
    outcome = ask(here, "/r/1?tagid=home", sent, sec_gpc="1")
    assert outcome.hit is not None
    assert (outcome.hit.session, outcome.hit.source_id) == ("", None)
    event = meant(outcome, tags).event
    assert event is not None
    assert (event.message_id, event.source_id, event.delivery_id) == (None, None, None)


def identify(asked: TagRequest) -> Resolution | None:
    known = {("email", "ann@example.com"): "1001", ("email", "bob@example.com"): "1002"}
    message_id = known.get(asked.recipient or ("", ""))
    if message_id is None:
        return None
    policy = Policy(clicks="none" if message_id == "1002" else "identified")
    return Resolution(outcome="valid", delivery_id=asked.delivery_id or "9", message_id=message_id, policy=policy)  # type: ignore[arg-type]


def test_the_page_may_say_who_its_reader_is() -> None:
    """R36."""
    tags = attrs.evolve(TAGS, identify=identify)
    here = handler(tags)
    sent = jar(ask(here, click_url()))
    for rcpid, expected in (
        ("email%3Dann%40example.com", ("web", "255", "1001")),
        ("email%3Dbob%40example.com", ("not-followed", None, None)),
        ("email%3Dnobody%40example.com", ("visitor", None, None)),
        ("", ("web", "230", "7")),
    ):
        outcome = ask(here, f"/r/1?tagid=home&jobid=ff&rcpid={rcpid}", sent)
        event = meant(outcome, tags).event
        said = (None, None) if event is None else (event.delivery_id, event.message_id)
        assert (outcome.reason, *said) == expected
    # Nobody to ask: what is left is the session, as it is for tags of old that all say somebody.
    unasked = ask(handler(), "/r/1?tagid=home&jobid=ff&rcpid=email%3Dann%40example.com", sent)
    event = meant(unasked).event
    assert event is not None
    assert (unasked.reason, event.delivery_id, event.message_id) == ("web", "230", "7")
    assert ask(handler(), "/r/1?tagid=home&rcpid=email%3Dann%40example.com").reason == "visitor"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("outcome", ResolutionOutcome)
@pytest.mark.parametrize("ids", [{}, {"delivery_id": "9"}, {"message_id": "7", "delivery_id": "9"}, {"pseudonym": "p"}])
def test_an_answer_that_names_nobody_is_none(mode: WebMode, outcome: ResolutionOutcome, ids: dict[str, str]) -> None:
    """R37."""
    hit = Hit(method="GET", url="/r/1?tagid=home&rcpid=a%3Db", received_at=AT, source_id="somebody-1")
    answer = Resolution(outcome=outcome, **ids)  # type: ignore[arg-type]
    said = decide(hit, TRACKER, tags=with_mode(mode, identify=lambda _: answer))
    if ids and outcome in ("valid", "anonymous"):
        assert said.reason == "web"
        assert said.event is not None
        assert said.event.delivery_id == ids.get("delivery_id")
        assert said.event.message_id == (ids.get("message_id") if outcome == "valid" else None)
    else:
        assert said == decide(hit, TRACKER, tags=with_mode(mode, identify=lambda _: None))
        assert (said.reason, said.event is None) == (("web", False) if mode.is_anonymous else ("visitor", True))


@pytest.mark.parametrize(("gpc", "message_id"), [("no-key", "1001"), ("aggregate", None)])
def test_the_wish_of_a_browser_and_the_word_of_a_page(gpc: str, message_id: str | None) -> None:
    """R31, R36."""
    tags = attrs.evolve(TAGS, identify=identify)
    here = handler(tags, people=PeoplePolicy(gpc=gpc))
    sent = jar(ask(handler(), click_url()))
    outcome = ask(here, "/r/1?tagid=home&jobid=ff&rcpid=email%3Dann%40example.com", sent, sec_gpc="1")
    event = meant(outcome, tags).event
    assert event is not None
    assert (event.delivery_id, event.message_id, event.source_id) == ("255", message_id, None)
    # A hit from elsewhere that holds both the wish and a token: the token is not heard.
    token = cookies_of(ask(handler(), click_url()))["nlid"]
    odd = Hit(method="GET", url="/r/1?tagid=home", received_at=AT, privacy=gpc, session=token)
    assert decide(odd, TRACKER, tags=TAGS).reason == "visitor"
    assert decide(attrs.evolve(odd, privacy=""), TRACKER, tags=TAGS).reason == "web"


def test_an_identify_that_fails_still_shows_the_image() -> None:
    """R24, R25."""

    def broken(asked: TagRequest) -> Resolution | None:
        raise LookupError(asked.recipient)

    outcome = ask(handler(attrs.evolve(TAGS, identify=broken)), "/r/1?tagid=home&rcpid=a%3Db")
    assert (outcome.reason, [str(one) for one in outcome.failures]) == ("unavailable", ["resolver: LookupError"])
    assert (outcome.response.status, outcome.response.body) == (200, PIXEL)
    later = meant(outcome, attrs.evolve(TAGS, identify=lambda _: TRACKER.resolve(click_url()))).event
    assert later is not None
    assert later.message_id == "7"


def test_an_identify_that_gives_nonsense_is_named() -> None:
    """R24, R37."""
    for bad in (True, "7", {"message_id": "7"}):
        tags = attrs.evolve(TAGS, identify=lambda _, bad=bad: bad)
        outcome = ask(handler(tags), "/r/1?tagid=home&rcpid=a%3Db")
        assert (outcome.reason, [str(one) for one in outcome.failures]) == ("unavailable", ["resolver: HookError"])
        with pytest.raises(HookError, match=f"identify.* not {type(bad).__name__}"):
            meant(outcome, tags)


@pytest.mark.parametrize("collecting", [collect, collect_logs])
def test_an_identify_that_fails_loses_no_visit(tmp_path: Path, collecting: Any) -> None:
    """R37."""
    is_broken = True

    def flaky(asked: TagRequest) -> Resolution | None:
        if is_broken and asked.recipient == ("no", "2"):
            raise LookupError(asked.recipient)
        return Resolution(outcome="valid", delivery_id="9", message_id=asked.recipient[1])  # type: ignore[arg-type, index]

    tags = attrs.evolve(TAGS, identify=flaky)
    url = click_url()
    with SegmentWriter(tmp_path / "pages") as writer:
        for number in range(4):
            writer.write(Hit(method="GET", url=f"/r/{number}?tagid=home&rcpid=no%3D{number}", received_at=AT))
        writer.write(Hit(method="GET", url="/r/4?tagid=home&rcpid=no%3D0", received_at=AT))
        writer.write(Hit(method="GET", url=url, received_at=AT))
    clicks = [Hit(method="GET", url=url, received_at=AT + timedelta(minutes=1))]
    sources = {"pages": SegmentFolder(tmp_path / "pages"), "clicks": clicks}
    store = open_store("memory:")
    with pytest.raises(HookError, match="identify, of the web tags, raised LookupError"):
        decide(Hit(method="GET", url="/r/2?tagid=home&rcpid=no%3D2", received_at=AT), TRACKER, tags=tags)
    for _ in range(2):
        run = collecting(sources, store, tracker=TRACKER, tags=tags, now=AT)
        assert (run.status, "pages: identify" in run.error, "LookupError" in run.error) == ("failed", True, True)
        assert [type(event) for event in store.scan()] == [Click]
    is_broken = False
    run = collecting(sources, store, tracker=TRACKER, tags=tags, now=AT)
    assert (run.status, run.added) == ("finished", 6)
    pages = list(store.scan(Query(kinds=(PageVisit,))))
    assert sorted(event.message_id or "" for event in pages) == ["0", "0", "1", "2", "3"]


def test_tags_made_on_the_fly() -> None:
    """R39."""
    here = handler()
    sent = jar(ask(here, click_url()))
    kinds: dict[str, Any] = {
        "new%7Cw": PageVisit, "new%7Ct%7Cfolder": Transaction, "new": None, "new%7C": None, "home%7Ct": PageVisit, "paid%7Cw": Transaction,
    }  # fmt: skip
    for tagid, kind in kinds.items():
        outcome = ask(here, f"/r/1?tagid={tagid}", sent)
        event = meant(outcome).event
        assert (type(event) if event else None) is kind, tagid
        assert (outcome.response.status, outcome.response.body) == (200 if kind else 404, PIXEL)
        assert outcome.reason == ("web" if kind else "unknown")
    closed = attrs.evolve(TAGS, on_the_fly=False)
    assert ask(handler(closed), "/r/1?tagid=new%7Cw", sent).reason == "unknown"


def test_tags_are_learnt() -> None:
    """R39."""
    learnt = TAGS.learnt("/r/1?tagid=new%7Ct%7Cfolder")
    assert learnt.tags["new"] == WebTag(identifier="new", type="transaction", folder="folder")  # type: ignore[arg-type]
    assert learnt.learnt("/r/1?tagid=new%7Cw") is learnt
    for url in ("/r/1?tagid=new", "/a/b", "/r/1?tagid=%00%7Cw", "/r/1?tagid=home%7Ct"):
        assert TAGS.learnt(url) is TAGS
    sent = jar(ask(handler(), click_url()))
    assert ask(handler(learnt), "/r/1?tagid=new", sent).reason == "web"


def test_a_tag_that_is_over() -> None:
    """R39."""
    over = WebTags(tags=[WebTag(identifier="home", expires_at=AT)])  # type: ignore[arg-type]
    here = handler(over)
    sent = jar(ask(here, click_url()))
    for at, reason in ((AT, "expired"), (AT - timedelta(seconds=1), "web")):
        outcome = ask(here, "/r/1?tagid=home", sent, at)
        assert (outcome.reason, outcome.response.body) == (reason, PIXEL)


def test_no_reader_no_visit() -> None:
    """R8, R9, R35."""
    here = handler()
    sent = jar(ask(here, click_url()))
    assert ask(here, "/r/1?tagid=home", sent, purpose="prefetch").reason == "prefetch"
    head = ask(here, "/r/1?tagid=home", sent, method="HEAD")
    assert (head.reason, head.response.body, head.response.status) == ("head", b"", 200)
    posted = ask(here, "/r/1?tagid=home", sent, method="POST")
    assert (posted.reason, posted.response.status) == ("method", 405)
    refused = Hit(method="GET", url="/r/1?tagid=home", received_at=AT, status=503)
    assert decide(refused, TRACKER, tags=TAGS).reason == "refused"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tracks", [True, False])
def test_keys_for_people_whom_nobody_knows(mode: WebMode, tracks: bool) -> None:
    """R40."""
    outcome = ask(handler(with_mode(mode, track_visitors=tracks)), "/r/1?tagid=home")
    is_given = tracks and mode.is_anonymous
    assert cookies_of(outcome) == ({"uuid230": "fresh-person-1"} if is_given else {})
    assert outcome.hit is not None
    assert outcome.hit.source_id == ("fresh-person-1" if is_given else None)


@pytest.mark.parametrize("mode", MODES)
def test_a_session_alone_gives_no_key_but_where_everybody_gets_one(mode: WebMode) -> None:
    """R40."""
    token = cookies_of(ask(handler(), click_url()))["nlid"]
    for tracks in (True, False):
        outcome = ask(handler(with_mode(mode, track_visitors=tracks)), "/r/1?tagid=home", f"nlid={token}")
        assert outcome.reason == "web"
        assert bool(cookies_of(outcome)) is (tracks and mode.is_anonymous)


def test_no_address_is_kept_of_people_whom_nobody_knows() -> None:
    """R33, R40."""
    here = handler(with_mode("anonymous-last", track_visitors=True), people=PeoplePolicy(client_ip="truncated"))
    kept = []
    for cookies in ("", jar(ask(here, click_url()))):
        sent = [("cookie", cookies)]
        request = Request(method="GET", url="/r/1?tagid=home", headers=sent, client_ip="192.0.2.77", received_at=AT)
        outcome = here.handle(request)
        assert outcome.hit is not None
        kept.append(outcome.hit.client_ip)
    assert kept == ["", "192.0.2.0"]


def test_tags_at_the_place_of_health() -> None:
    """R35, R43."""
    assert ask(handler(), "/r/test?tagid=home").reason == "visitor"
    assert ask(RedirectHandler(TRACKER), "/r/test").reason == "health"
    assert ask(RedirectHandler(TRACKER), "/r/1?tagid=home").reason == "unknown"


def test_collected_visits_are_named_afterwards() -> None:
    """R2, R42."""
    tags = with_mode("anonymous-last", track_visitors=True)
    here = handler(tags)
    hits = []

    def browse(url: str, cookies: str, minutes: int) -> Outcome:
        outcome = ask(here, url, cookies, AT + timedelta(minutes=minutes))
        assert outcome.hit is not None
        hits.append(outcome.hit)
        return outcome

    first = browse("/r/1?tagid=home", "", 0)
    browse("/r/2?tagid=paid&amount=5", jar(first), 1)
    browse("/r/3?tagid=home", "uuid230=somebody-else", 2)
    browse(click_url(), jar(first), 3)
    store = open_store("memory:")
    collect({"web-1": hits}, store, tracker=TRACKER, now=AT, tags=tags)
    before = {event.id: event for event in store.scan()}
    assert sorted(event.kind for event in before.values() if event.message_id is None) == ["page-visit"] * 2 + [
        "transaction"
    ]
    assert complete_visits(store) == 2
    after = {event.id: event for event in store.scan()}
    assert after.keys() == before.keys()
    unnamed = [event for event in after.values() if event.message_id is None]
    assert [event.source_id for event in unnamed] == ["somebody-else"]
    bought = next(store.scan(Query(kinds=(Transaction,))))
    assert (bought.delivery_id, bought.message_id) == ("230", "7")
    assert store.counts(Query(delivery_ids="230")) is not None
    assert complete_visits(store) == 0
    with pytest.raises(NotSupported, match="revise"):
        complete_visits(object())  # type: ignore[arg-type]


def test_which_click_names_a_visit() -> None:
    """R42: the next one, else the last before; never one of another delivery than the tag said."""

    def visit(minute: int, **more: Any) -> PageVisit:
        return PageVisit(occurred_at=AT + timedelta(minutes=minute), source_id="b", link_id="tag:home", **more)

    def click(minute: int, message: str, delivery: str = "1", **more: Any) -> Click:
        return Click(
            occurred_at=AT + timedelta(minutes=minute), delivery_id=delivery, message_id=message, source_id="b", **more
        )

    clicks = [click(20, "late", is_seed=True), click(10, "early"), Click(occurred_at=AT, source_id="b")]
    for minute, expected in ((0, "early"), (10, "early"), (11, "late"), (20, "late"), (30, "late")):
        (named,) = completed([visit(minute)], clicks)
        assert (named.message_id, named.delivery_id, named.id) == (expected, "1", visit(minute).id)
        assert named.is_seed is (expected == "late")
    assert [one.message_id for one in completed([visit(0, delivery_id="1")], clicks)] == ["early"]
    assert list(completed([visit(0, delivery_id="2")], clicks)) == []
    assert list(completed([visit(0, message_id="x")], clicks)) == []
    assert list(completed([attrs.evolve(visit(0), source_id=None)], clicks)) == []


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(MODES))
def test_any_tag_gets_the_image(query: str, cookie: str, mode: WebMode) -> None:
    """R1, R35, R50."""
    for url in (f"/r/1?tagid={query}", f"/r/1?tagid=home&{query}", f"/r/{query}?tagid=home%7Cw"):
        outcome = ask(handler(with_mode(mode)), url, cookie)
        assert outcome.response.status in (200, 404)
        assert "location" not in dict(outcome.response.headers)
        assert outcome.failures == ()
        meant(outcome, with_mode(mode))


class Sources(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]


@given(st.text(min_size=1, max_size=15), st.sampled_from(["web", "transaction"]), st.text(max_size=15))
def test_the_code_for_a_page_says_what_was_meant(identifier: str, kind: str, value: str) -> None:
    """R36, R39."""
    try:
        tag = WebTag(identifier=identifier, type=kind)  # type: ignore[arg-type]
    except InvalidValue:
        return
    value = value.encode("utf-8", "replace").decode()
    code = tag_code("https://t.example.com/base/", tag, {"rcpid": f"k={value}"})
    page = Sources(code)
    assert page.tags == ["script", "noscript", "img"]
    (source,) = page.sources
    asked = TAGS.read(source)
    assert asked is not None
    assert (asked.identifier, asked.type, asked.recipient) == (identifier, tag.type, ("k", value))
    assert quote(identifier, safe="") in code.split("</script>")[0]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**14), max_value=10**14)
    | st.integers(0, 10**14)
    | st.floats(0.001, 1e14).map(lambda number: round(number, 4)),
    st.integers(0, 10**14),
)
def test_numbers_are_read_as_they_were_given(amount: Decimal | float, article: int) -> None:
    """R36."""
    for number in (article, float(article)):
        asked = TAGS.read(
            Sources(tag_code("https://t.example.com/", PAID, {"amount": amount, "article": number})).sources[0]
        )
        assert asked is not None
        assert (asked.amount, asked.article) == (Decimal(str(amount)), article)


def test_code_for_a_page_is_made_of_what_is_fit() -> None:
    """R36."""
    assert "&amp;amount=12.5&amp;article=3" in tag_code(
        "https://t.example.com", PAID, [("amount", 12.5), ("article", 3)]
    )
    for base in (
        "javascript:alert(1)",
        "//t.example.com/",
        "t.example.com",
        "",
        "https://",
        "https://t.example.com/?a",
        None,
        5,
        "https://t.example.com/#",
        'https://t.example.com/"',
        "https://[::1",
        "https://t.example.com/ a",
        b"https://a",
    ):
        with pytest.raises(InvalidValue, match="base_url"):
            tag_code(base, HOME)  # type: ignore[arg-type]
    for tag in ("home", None, 5, WebTag):
        with pytest.raises(InvalidValue, match="must be a WebTag"):
            tag_code("https://t.example.com", tag)  # type: ignore[arg-type]
    for bad in (
        None,
        5,
        "amount",
        b"a",
        [5],
        ["ab"],
        [("a",)],
        {5: "a"},
        {"": "a"},
        {"a": None},
        {"a": True},
        {"a": b"x"},
        {"a": [1]},
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": Decimal("sNaN")},
        {"a": 10**5_000},
        {"a": "\ud800"},
        {"\ud800": "a"},
    ):
        with pytest.raises(InvalidValue):
            tag_code("https://t.example.com", HOME, bad)  # type: ignore[arg-type]


def test_tags_are_checked() -> None:
    """R1, R39."""
    for url in (None, 5, b"/r/1?tagid=home", ["tagid="]):
        with pytest.raises(InvalidValue, match="must be text"):
            TAGS.read(url)  # type: ignore[arg-type]
    for bad in ("", " a", "a|b", "x" * (MAX_TAG_BYTES + 1), "a\n"):
        with pytest.raises(InvalidValue, match="identifier"):
            WebTag(identifier=bad)
    with pytest.raises(InvalidOption, match="web or transaction"):
        WebTag(identifier="a", type="click")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="WebTags"):
        WebTags(tags=["home"])  # type: ignore[arg-type, list-item]
    with pytest.raises(InvalidValue, match="identify"):
        WebTags(identify="x")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="WebTags"):
        collect({}, open_store("memory:"), tracker=TRACKER, now=AT, tags=())  # type: ignore[arg-type]

    class Plain:
        resolve, person_salt = TRACKER.resolve, TRACKER.person_salt

    with pytest.raises(InvalidValue, match="session_token"):
        RedirectHandler(Plain(), tags=TAGS)
    # A resolver of one's own that knows no sessions still tells strangers.
    hit = Hit(method="GET", url="/r/1?tagid=home", received_at=AT, session="x" * 30)
    assert decide(hit, Plain(), tags=TAGS).reason == "visitor"
