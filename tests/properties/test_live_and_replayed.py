"""What was answered live and what its written hit means later are the same, whatever was asked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Policy, Tracker
from msgtrack.decide import decide
from msgtrack.hits import Hit
from msgtrack.links import MemoryRegistry
from msgtrack.records import from_json, to_json
from msgtrack.redirect import PeoplePolicy, RedirectHandler, Request
from msgtrack.webtags import WebMode, WebTag, WebTags

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
REGISTRY = MemoryRegistry()
CONSENTS = ("identified", "pseudonymous", "aggregate", "none")


def urls_of(tracker: Tracker) -> list[str]:
    found = [
        "/r/1?tagid=home",
        "/r/1?tagid=paid&amount=5&jobid=ff",
        "/r/1?tagid=new%7Ct",
        "/r/1?tagid=new",
        "/nothing/here",
    ]
    for place, expires_at in enumerate((None, datetime(2026, 1, 1, tzinfo=UTC))):
        compiled = tracker.compile(
            html='<a href="https://a.example/">x</a>', delivery_id=26 + place, expires_at=expires_at
        )
        REGISTRY.publish(compiled)
        for consent in CONSENTS:
            policy = Policy(opens=consent, clicks=consent)  # type: ignore[arg-type]
            ids: dict[str, Any] = {"delivery_id": 26 + place, "message_id": 7, "policy": policy}
            found += re.findall(r'(?:href|src)="([^"]+)"', compiled.render(message_id=7, policy=policy).html or "")
            found += [tracker.opt_out_url(**ids), tracker.mirror_url(**ids), tracker.preferences_url(**ids)]
    return [url.replace("&amp;", "&") for url in found]


TRACKERS = [
    Tracker("https://t.example.com", KEYS, registry=REGISTRY),
    Tracker("https://t.example.com", KEYS, registry=REGISTRY, link_style="registered", url_format="campaign"),
]
URLS = [urls_of(tracker) for tracker in TRACKERS]
TOKEN = TRACKERS[0].session_token(next(said for url in URLS[0] if (said := TRACKERS[0].resolve(url)).destination))

requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT"]),
        "damage": st.sampled_from(["", "", "", "x", ")", "?a=b", "0"]),
        "body": st.sampled_from([b"", b"List-Unsubscribe=One-Click", b"a=b"]),
        "headers": st.lists(
            st.sampled_from(
                [
                    ("sec-gpc", "1"), ("purpose", "prefetch"), ("user-agent", "Browser/1"), ("cookie", "uuid230=known-person"),
                    ("cookie", f"nlid={TOKEN}"), ("cookie", f"nllast={TOKEN}; uuid230=known-person"), ("cookie", "nlid=" + "x" * 30),
                ]
            ),
            max_size=4,
        ),
    }
)  # fmt: skip
people = st.builds(
    PeoplePolicy,
    key=st.sampled_from(["cookie", "hash", "none"]),
    gpc=st.sampled_from(["no-key", "aggregate", "ignore"]),
    client_ip=st.sampled_from(["none", "truncated"]),
)


@given(
    st.sampled_from(range(2)),
    st.sampled_from(range(100)),
    requests,
    people,
    st.sampled_from(list(WebMode)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_hit_read_again_means_what_it_meant(
    site: int,
    place: int,
    asked: dict[str, Any],
    policy: PeoplePolicy,
    mode: WebMode,
    tracks: bool,
    checks: bool,
    blocks: bool,
) -> None:
    """R2, R10, R21, R31, R33, R41."""
    tags = WebTags(
        tags=[WebTag(identifier="home"), WebTag(identifier="paid", type="transaction")],
        mode=mode,
        track_visitors=tracks,
    )  # type: ignore[arg-type]
    tracker = TRACKERS[site]
    handler = RedirectHandler(
        tracker,
        people=policy,
        tags=tags,
        new_source_id=lambda: "fresh-person-1",
        mirror=lambda _: "<p>" if tracks else None,
        preferences=lambda _: "https://a.example/wishes",
        check=lambda _: checks,
        block_unsigned=blocks,
    )
    url = URLS[site][place % len(URLS[site])] + asked["damage"]
    outcome = handler.handle(
        Request(
            method=asked["method"],
            url=url,
            headers=asked["headers"],
            body=asked["body"],
            client_ip="192.0.2.77",
            received_at=AT,
        )
    )
    assert outcome.failures == ()
    hit = outcome.hit
    assert hit is not None
    assert "192.0.2.77" not in to_json(hit)
    read = from_json(to_json(hit), Hit)
    assert read == hit
    again = decide(read, tracker, people=policy, tags=tags)
    assert again.reason.value == outcome.reason
    cookies = [value for name, value in outcome.response.headers if name == "set-cookie"]
    if hit.source_id is not None or cookies or hit.client_ip:
        assert again.may_key
        assert not hit.privacy
    if again.event is None:
        assert (hit.source_id, hit.client_ip, cookies) == (None, "", [])
    else:
        assert outcome.response.status < 400
        assert again.event.source_id in (None, hit.source_id)
