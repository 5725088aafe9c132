"""The pages of our own server, clause by clause of docs/spec/redirect.md (R11 to R21)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Delivery, Keyring, Policy, Tracker
from msgtrack.decide import decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Event, MirrorPageView, OptOutClick, Unknown, Unsubscribed
from msgtrack.hits import Hit
from msgtrack.links import MemoryRegistry
from msgtrack.logs import parse
from msgtrack.model import Resolution
from msgtrack.redirect import Outcome, PeoplePolicy, RedirectHandler, Request, opting_out

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
TRACKER = Tracker("https://t.example.com", KEYS)
STRANGER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that nobody here has ever heard of"))
CAMPAIGN = Tracker(
    "https://t.example.com", KEYS, registry=MemoryRegistry(), link_style="registered", url_format="campaign"
)
IDS: dict[str, Any] = {"delivery_id": "26", "message_id": "7"}
OPT_OUT = TRACKER.opt_out_url(**IDS)
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"
NOBODY = Policy(opens="none", clicks="none")


def mirror(said: Resolution) -> str | None:
    return None if said.message_id == "404" else f"<h1>Copy for {said.message_id}</h1>"


def preferences(said: Resolution) -> str | None:
    return {
        "404": None,
        "html": "<form action='https://shop.example/'>",
        "script": "javascript:alert(1)",
    }.get(said.message_id or "", f"https://shop.example/wishes?m={said.message_id}")


HANDLER = RedirectHandler(TRACKER, mirror=mirror, preferences=preferences, new_source_id=lambda: "fresh-person-1")


def ask(
    url: str, method: str = "GET", body: bytes = b"", handler: RedirectHandler = HANDLER, **headers: str
) -> Outcome:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return handler.handle(
        Request(method=method, url=url, headers=named, body=body, client_ip="192.0.2.1", received_at=AT)
    )


def headers_of(outcome: Outcome) -> dict[str, str]:
    return dict(outcome.response.headers)


def meant(outcome: Outcome, tracker: Tracker = TRACKER) -> Event | None:
    """The event of the hit that was kept; and what was decided live is what is decided from the log."""
    assert outcome.hit is not None
    decision = decide(outcome.hit, tracker)
    assert decision.reason.value == outcome.reason
    return decision.event


class Page(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_asks_and_is_complete_in_itself() -> None:
    """R3, R11."""
    outcome = ask(OPT_OUT)
    page, sent = Page(outcome.response.body), headers_of(outcome)
    assert outcome.response.status == 200
    assert page.named("form") == [{"method": "post"}]
    assert {"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"} in page.named("input")
    assert len(page.named("button")) == 1
    assert not {"script", "img", "link", "iframe", "a", "base"} & {tag for tag, _ in page.tags}
    assert not re.search(rb"https?:|//|\bon[a-z]+=|url\(|@import", outcome.response.body)
    policy = sent["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert {"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert (sent["cache-control"], sent["referrer-policy"], sent["x-robots-tag"]) == (
        "no-store", "no-referrer", "noindex",
    )  # fmt: skip


def test_looking_at_the_page_changes_nothing() -> None:
    """R8, R12."""
    looked = ask(OPT_OUT, user_agent="Browser/1")
    event = meant(looked)
    assert looked.reason == "opt-out-page"
    assert type(event) is OptOutClick
    assert (event.delivery_id, event.message_id, event.link_id) == ("26", "7", None)
    head = ask(OPT_OUT, "HEAD")
    assert (head.response.status, head.response.body, head.reason, meant(head)) == (200, b"", "head", None)
    fetched = ask(OPT_OUT, sec_purpose="prefetch")
    assert (fetched.response.status, fetched.reason, meant(fetched)) == (200, "prefetch", None)
    assert fetched.response.body == looked.response.body
    refused = ask(TRACKER.opt_out_url(**IDS, policy=NOBODY))
    assert (refused.response, refused.reason, meant(refused)) == (looked.response, "not-followed", None)


FIRST_PART = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
LATER_PART = b"--b\r\ncontent-disposition: form-data; name=list-unsubscribe\r\nContent-Type: text/plain\r\n\r\none-click\r\n--b--"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    FIRST_PART + LATER_PART,
)
BODIES = [
    (FORM, ONE_CLICK),
    (FORM + "; charset=UTF-8", ONE_CLICK),
    ("", ONE_CLICK),
    (FORM, ONE_CLICK + b"\r\n"),
    (FORM, b"list-unsubscribe=one-click"),
    (FORM, b"List%2DUnsubscribe=One%2DClick&x=1"),
    (FORM, b"x=1&" + ONE_CLICK),
    *(("multipart/form-data; boundary=b", body) for body in MULTIPART),
    ('Multipart/Form-Data; boundary="b"', MULTIPART[0]),
    (FORM, b""),
    ("", b""),
    (FORM, b"\r\n"),
]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
@pytest.mark.parametrize("policy", [Policy(), Policy(clicks="aggregate"), Policy(clicks="pseudonymous"), NOBODY])
def test_a_post_is_the_wish_whatever_the_policy(content_type: str, body: bytes, policy: Policy) -> None:
    """R13, R14."""
    url = TRACKER.opt_out_url(**IDS, policy=policy, seed=True, kind="proof")
    outcome = ask(url, "POST", body, content_type=content_type, user_agent="Mail/1")
    event = meant(outcome)
    assert (outcome.response.status, outcome.reason) == (200, "opt-out")
    assert b"You have unsubscribed" in outcome.response.body
    assert not Page(outcome.response.body).named("form")
    assert type(event) is Unsubscribed
    assert (event.delivery_id, event.message_id, event.service_id, event.source_id) == ("26", "7", None, None)
    assert (event.is_seed, event.is_proof) == (True, True)
    assert (event.client is not None) == (policy == Policy())
    assert event.id == meant(ask(url, "POST", body, content_type=content_type, user_agent="Mail/1")).id  # type: ignore[union-attr]


def test_the_form_of_the_page_does_it() -> None:
    """R11, R14: what a browser sends when the button is pressed."""
    fields = Page(ask(OPT_OUT).response.body).named("input")
    body = "&".join(f"{field['name']}={field['value']}" for field in fields).encode()
    assert ask(OPT_OUT, "POST", body, content_type=FORM).reason == "opt-out"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"List-Unsubscribe=No"),
        (FORM, b"a=b"),
        (FORM, b"List-Unsubscribe"),
        (FORM, b"x" * 5_000 + b"&" + ONE_CLICK),
        (FORM, b"a&" * 100 + ONE_CLICK),
        ("application/json", b'{"List-Unsubscribe": "One-Click"}'),
        ("multipart/form-data; boundary=c", MULTIPART[0]),
        ("multipart/form-data", MULTIPART[0]),
        ("multipart/form-data; boundary=b", MULTIPART[0].replace(b"One", b"No")),
        (FORM, b"\xff\xfe\x00"),
    ],
)
def test_a_body_that_says_something_else_takes_nobody_out(content_type: str, body: bytes) -> None:
    """R14, R21: and the log says so too."""
    outcome = ask(OPT_OUT, "POST", body, content_type=content_type)
    assert (outcome.response.status, outcome.reason, meant(outcome)) == (400, "refused", None)
    assert Page(outcome.response.body).named("form")
    assert outcome.hit is not None
    assert outcome.hit.status == 400


@given(
    st.binary(max_size=300) | st.sampled_from(MULTIPART).flatmap(lambda body: st.binary(max_size=30).map(lambda end: body[:60] + end)),
    st.text(max_size=60) | st.text(max_size=30).map(lambda text: "multipart/" + text) | st.just("multipart/x; boundary=b"),
)  # fmt: skip
def test_any_body_gets_an_answer(body: bytes, content_type: str) -> None:
    """R1."""
    outcome = ask(OPT_OUT, "POST", body, content_type=content_type)
    assert outcome.reason in ("opt-out", "refused")
    assert (type(meant(outcome)) is Unsubscribed) == (outcome.response.status == 200)


@pytest.mark.parametrize("url", [STRANGER.opt_out_url(**IDS), "/u/nothing", "/u", OPT_OUT[:-1], OPT_OUT[:-1] + "~"])
def test_what_no_key_knows_is_asked_and_thanked_and_counts_for_nobody(url: str) -> None:
    """R11, R15."""
    looked = ask(url)
    assert (looked.response.status, looked.reason, meant(looked)) == (200, "unknown", None)
    assert looked.response.body == ask(OPT_OUT).response.body
    wished = ask(url, "POST", ONE_CLICK)
    assert (wished.response.status, wished.reason, meant(wished)) == (200, "unknown", None)
    assert b"damaged" in wished.response.body
    assert wished.hit is not None
    assert (wished.hit.method, wished.hit.url, wished.hit.status) == ("POST", url, None)


def test_a_wish_is_found_again_with_its_key() -> None:
    """R15: the hit of a wish that no key knew means something once the key is back."""
    hit = ask(STRANGER.opt_out_url(**IDS), "POST", ONE_CLICK).hit
    assert hit is not None
    assert type(decide(hit, STRANGER).event) is Unsubscribed


@pytest.mark.parametrize("people", [PeoplePolicy(), PeoplePolicy(key="hash"), PeoplePolicy(key="none")])
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", ONE_CLICK), ("POST", b""), ("HEAD", b"")])
def test_nobody_gets_a_key_on_the_way_out(people: PeoplePolicy, method: str, body: bytes) -> None:
    """R16: nor when the log is read by a policy that makes keys."""
    handler = RedirectHandler(TRACKER, people=people)
    outcome = ask(OPT_OUT, method, body, handler, cookie="uuid230=known-person", user_agent="Browser/1")
    assert "set-cookie" not in headers_of(outcome)
    assert outcome.hit is not None
    assert outcome.hit.source_id is None
    event = decide(attrs.evolve(outcome.hit, client_ip="192.0.2.1"), TRACKER, people=people).event
    assert event is None or event.source_id is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "post", "TRACE", "PATCH", ""])
def test_other_methods_are_refused(method: str) -> None:
    """R17, R9: and a POST acts on the opt-out alone."""
    outcome = ask(OPT_OUT, method, ONE_CLICK)
    assert (outcome.response.status, outcome.reason, meant(outcome)) == (405, "method", None)
    assert headers_of(outcome)["allow"] == "GET, HEAD, POST"


def test_a_post_acts_on_the_opt_out_alone() -> None:
    """R9."""
    html = '<a href="https://shop.example/bye" _type="optout">Bye</a>'
    out = TRACKER.compile(html=html, delivery_id="26").render(message_id="7").html or ""
    links = re.findall(r"https://t\.example\.com/[a-z0-9./-]+", out)
    for url in (*links, TRACKER.mirror_url(**IDS), TRACKER.preferences_url(**IDS)):
        outcome = ask(url, "POST", ONE_CLICK)
        assert (outcome.response.status, outcome.reason, meant(outcome)) == (405, "method", None)
        assert headers_of(outcome)["allow"] == "GET, HEAD"
    assert ask(links[0]).reason == "opt-out"
    assert type(meant(ask(links[0]))) is OptOutClick


def test_a_server_that_refused_the_post_makes_no_event() -> None:
    """R2: as any other hit that a foreign server answered with an error; one that it took is the wish."""
    hit = Hit(method="POST", url=OPT_OUT, received_at=AT)
    for status, reason in (
        (200, "opt-out"),
        (204, "opt-out"),
        (302, "opt-out"),
        (405, "refused"),
        (413, "refused"),
        (500, "refused"),
    ):
        decision = decide(attrs.evolve(hit, status=status), TRACKER)
        assert (decision.reason, decision.event is None) == (reason, reason == "refused")


@pytest.mark.parametrize("tracker", [TRACKER, CAMPAIGN], ids=["compact", "campaign"])
def test_an_access_log_says_the_same(tracker: Tracker) -> None:
    """R2, R21: the line that a web server in front would write of each request, read as a log."""
    handler = RedirectHandler(tracker, mirror=mirror, preferences=preferences, people=PeoplePolicy(key="none"))
    pages = (tracker.opt_out_url, tracker.mirror_url, tracker.preferences_url)
    urls = [make(**IDS, policy=policy) for make in pages for policy in (Policy(), NOBODY)]
    urls += [tracker.mirror_url(delivery_id="26", message_id="404"), tracker.opt_out_url(**IDS)[:-1]]
    requests = [
        (url, *said) for url in urls for said in (("GET", b""), ("HEAD", b""), ("POST", ONE_CLICK), ("POST", b"a=b"), ("PUT", b""))
    ]  # fmt: skip
    lines, live = [], []
    for url, method, body in requests:
        outcome = ask(url, method, body, handler, user_agent="Browser/1")
        path = url.removeprefix("https://t.example.com")
        asked = f'192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "{method} {path} HTTP/1.1"'
        lines.append(f'{asked} {outcome.response.status} 5 "-" "Browser/1"')
        live.append(meant(outcome, tracker))
    assert len([event for event in live if event is not None]) >= 5
    logged = [decide(record, tracker).event for record in parse(lines) if isinstance(record, Hit)]
    assert logged == live


@pytest.mark.parametrize("policy", [Policy(), NOBODY])
def test_the_mirror_page(policy: Policy) -> None:
    """R18, R10."""
    outcome = ask(TRACKER.mirror_url(**IDS, policy=policy))
    event, sent = meant(outcome), headers_of(outcome)
    assert (outcome.response.status, outcome.response.body) == (200, b"<h1>Copy for 7</h1>")
    assert sent["content-type"] == "text/html; charset=utf-8"
    assert sent["content-security-policy"].startswith("default-src 'none'; ")
    assert "script" not in sent["content-security-policy"]
    assert sent["cache-control"] == "no-store"
    if policy == Policy():
        assert outcome.reason == "mirror-page"
        assert type(event) is MirrorPageView
        assert (event.message_id, event.source_id) == ("7", "fresh-person-1")
        assert sent["set-cookie"].startswith("uuid230=fresh-person-1;")
    else:
        assert (outcome.reason, event, sent.get("set-cookie")) == ("not-followed", None, None)
    assert ask(TRACKER.mirror_url(**IDS), "HEAD").response.body == b""


def test_preferences() -> None:
    """R19."""
    outcome = ask(TRACKER.preferences_url(**IDS))
    assert (outcome.response.status, outcome.reason) == (302, "preferences")
    assert headers_of(outcome)["location"] == "https://shop.example/wishes?m=7"
    event = meant(outcome)
    assert type(event) is Unknown
    assert event.message_id == "7"
    page = ask(TRACKER.preferences_url(delivery_id="26", message_id="html"))
    assert (page.response.status, page.response.body) == (200, b"<form action='https://shop.example/'>")
    hidden = ask(TRACKER.preferences_url(**IDS, policy=NOBODY))
    assert (hidden.response.status, hidden.reason) == (302, "not-followed")
    hostile = ask(TRACKER.preferences_url(delivery_id="26", message_id="script"))
    assert (hostile.response.status, [str(one) for one in hostile.failures]) == (404, ["preferences: InvalidValue"])


def test_a_page_that_is_not_there() -> None:
    """R20, R21: none is made, none is offered, or no key knows whose it would be."""
    bare = RedirectHandler(TRACKER, deliveries={"26": Delivery(id="26", expired_url="https://late.example/")})
    for make in (TRACKER.mirror_url, TRACKER.preferences_url):
        for url, handler in ((make(delivery_id="26", message_id="404"), HANDLER), (make(**IDS), bare)):
            outcome = ask(url, handler=handler)
            assert (outcome.response.status, outcome.reason, meant(outcome)) == (404, "refused", None)
            assert "set-cookie" not in headers_of(outcome)
    for url in (STRANGER.mirror_url(**IDS), STRANGER.preferences_url(**IDS), "/m", "/p/x"):
        assert (ask(url).response.status, ask(url).reason) == (404, "unknown")


def test_hooks_that_are_none_or_give_nonsense_are_named() -> None:
    """R1, R24, R26."""
    for name in ("mirror", "preferences"):
        with pytest.raises(InvalidValue, match=name):
            RedirectHandler(TRACKER, **{name: "https://shop.example/"})
    for make in (TRACKER.mirror_url, TRACKER.preferences_url):
        bad = RedirectHandler(TRACKER, mirror=lambda _: 5, preferences=lambda _: b"x")
        outcome = ask(make(**IDS), handler=bad)
        assert (outcome.response.status, outcome.reason) == (404, "refused")
        assert [type(one.error) for one in outcome.failures] == [InvalidValue]

    def broken(said: Resolution) -> str:
        raise LookupError(said.message_id)

    outcome = ask(TRACKER.mirror_url(**IDS), handler=RedirectHandler(TRACKER, mirror=broken))
    assert (outcome.response.status, [str(one) for one in outcome.failures]) == (404, ["mirror: LookupError"])
    assert outcome.failures[0].error.args == ("7",)


def test_a_body_must_be_bytes() -> None:
    """R1, R14."""
    with pytest.raises(InvalidValue, match="body must be bytes, not str"):
        Request(method="POST", url="/", body="x", received_at=AT)  # type: ignore[arg-type]
    assert Request(method="POST", url="/", body=bytearray(b"x"), received_at=AT).body == b"x"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("multipart/form-data; boundary*0=b; boundary*=b", 'form-data; name="a"'),
        (f"multipart/form-data; boundary*{'9' * 5_000}=b", 'form-data; name="a"'),
        ("multipart/form-data; boundary=b", "form-data; name*0=a; name*=b"),
        ("multipart/form-data; boundary=b", "form-data; name*=x''%ff"),
    ],
)
def test_parameters_that_no_parser_survives_are_no_wish(content_type: str, disposition: str) -> None:
    """R14."""
    body = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nOne-Click\r\n--b--\r\n".encode()
    assert ask(OPT_OUT, "POST", body, content_type=content_type).response.status == 400


def test_a_long_content_type_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """R14."""
    read: list[bytes] = []

    class Watched(opting_out.BytesParser):
        def parsebytes(self, text: bytes, headersonly: bool = False) -> Any:
            read.append(text)
            return super().parsebytes(text, headersonly)

    monkeypatch.setattr(opting_out, "BytesParser", Watched)
    # The standard library takes the square of this length.
    kind = 'multipart/form-data; boundary="' + ";" * 4_000
    assert ask(OPT_OUT, "POST", ONE_CLICK, content_type=kind).response.status == 400
    assert len(read) == 1
    assert len(read[0]) < 1_000
