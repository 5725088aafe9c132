"""What hits mean, told by a resolver of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack.decide import Reason, decide, meaning_of, person_key
from msgtrack.events import Click, MirrorPageView, Open, OptOutClick, PageVisit, Transaction, Unknown
from msgtrack.hits import Hit
from msgtrack.model import Consent, HostedPage, LinkType, PeoplePolicy, Policy, Resolution, ResolutionOutcome

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
HIT = Hit(method="GET", url="/a/b", received_at=AT, user_agent="Mail/1", source_id="browser-1", request_id="r1")
VALID = Resolution(
    outcome="valid",
    destination="https://a/",
    delivery_id="1",
    message_id="7",
    link_id="2",
    link_type="click",
    pseudonym="~p",
)


@attrs.frozen
class Fixed:
    resolution: Resolution

    def resolve(self, url: str, *, at: datetime | None = None) -> Resolution:
        return self.resolution

    def person_salt(self, day: str) -> bytes:
        return day.encode()


@pytest.mark.parametrize(
    ("link_type", "kind", "reason"),
    [
        (LinkType.CLICK, Click, Reason.CLICK),
        (LinkType.OFFER_CLICK, Click, Reason.CLICK),
        (LinkType.OTHER, Unknown, Reason.OTHER),
        (LinkType.OPEN, Open, Reason.OPEN),
        (LinkType.OPT_OUT, OptOutClick, Reason.OPT_OUT),
        (LinkType.MIRROR_PAGE, MirrorPageView, Reason.MIRROR_PAGE),
        (LinkType.WEB, PageVisit, Reason.WEB),
        (LinkType.TRANSACTION, Transaction, Reason.WEB),
    ],
)
def test_the_link_type_gives_the_event(link_type: LinkType, kind: type, reason: Reason) -> None:
    decision = decide(HIT, Fixed(attrs.evolve(VALID, link_type=link_type)), source="web-1")
    event = decision.event
    assert decision.reason is reason
    assert type(event) is kind
    assert event is not None
    assert (event.delivery_id, event.message_id, event.occurred_at, event.source) == ("1", "7", AT, "web-1")
    assert event.link_id == ("1" if kind is Open else "2")
    assert event.client is not None
    assert event.client.user_agent == "Mail/1"


@pytest.mark.parametrize(
    ("hit", "outcome", "reason"),
    [
        ({}, "unknown", Reason.UNKNOWN),
        ({}, "expired", Reason.EXPIRED),
        ({"method": "HEAD"}, "valid", Reason.HEAD),
        ({"method": "POST"}, "valid", Reason.METHOD),
        ({"method": "get"}, "valid", Reason.METHOD),
        ({"purpose": "prefetch"}, "valid", Reason.PREFETCH),
        ({"status": 404}, "valid", Reason.REFUSED),
        ({"status": 503}, "anonymous", Reason.REFUSED),
        ({"method": "HEAD"}, "unknown", Reason.UNKNOWN),
    ],
)
def test_what_no_reader_did_is_no_event(hit: dict[str, object], outcome: str, reason: Reason) -> None:
    decision = decide(attrs.evolve(HIT, **hit), Fixed(attrs.evolve(VALID, outcome=ResolutionOutcome(outcome))))
    assert decision.reason is reason
    assert decision.event is None


@pytest.mark.parametrize("status", [200, 302, 304, 499])
def test_a_foreign_server_that_answered_well_is_believed(status: int) -> None:
    assert decide(attrs.evolve(HIT, status=status), Fixed(VALID)).event is not None


def test_a_good_link_with_a_bad_identity_names_nobody() -> None:
    anonymous = attrs.evolve(VALID, outcome="anonymous", message_id=None, pseudonym=None)
    decision = decide(HIT, Fixed(anonymous), people=PeoplePolicy(key="hash"))
    assert decision.consent is Consent.AGGREGATE
    assert decision.reason is Reason.ANONYMOUS_LINK
    assert decision.event is not None
    assert (decision.event.delivery_id, decision.event.message_id, decision.event.link_id) == ("1", None, "2")
    assert (decision.event.source_id, decision.event.client) == (None, None)


@pytest.mark.parametrize("flag", ["is_seed", "is_proof"])
def test_seeds_and_proofs_stay_marked(flag: str) -> None:
    for value in (True, False):
        event = decide(HIT, Fixed(attrs.evolve(VALID, **{flag: value}))).event
        assert event is not None
        assert getattr(event, flag) is value


@pytest.mark.parametrize("purpose", ["opens", "clicks"])
@pytest.mark.parametrize("consent", list(Consent))
def test_the_policy_of_each_purpose_is_kept(purpose: str, consent: Consent) -> None:
    policy = Policy(**{"opens": "none", "clicks": "none", purpose: consent})
    link_type = LinkType.OPEN if purpose == "opens" else LinkType.CLICK
    decision = decide(HIT, Fixed(attrs.evolve(VALID, policy=policy, link_type=link_type)))
    event = decision.event
    if consent is Consent.NONE:
        assert (decision.reason, event) == (Reason.NOT_FOLLOWED, None)
        return
    assert event is not None
    names = {Consent.IDENTIFIED: "7", Consent.PSEUDONYMOUS: "~p", Consent.AGGREGATE: None}
    assert event.message_id == names[consent]
    followed = consent is Consent.IDENTIFIED
    assert (event.source_id is not None, event.client is not None) == (followed, followed)


def test_hits_without_a_person_key_get_one_by_hash_only() -> None:
    bare = attrs.evolve(HIT, source_id=None, client_ip="192.0.2.1")
    for policy in (None, PeoplePolicy(key="cookie"), PeoplePolicy(key="none")):
        event = decide(bare, Fixed(VALID), people=policy).event
        assert event is not None
        assert event.source_id is None
    event = decide(bare, Fixed(VALID), people=PeoplePolicy(key="hash")).event
    assert event is not None
    assert event.source_id == person_key(bare, Fixed(VALID))


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_person_keys_tell_address_from_agent(address: str, agent: str, address2: str, agent2: str) -> None:
    one = attrs.evolve(HIT, client_ip=address, user_agent=agent)
    two = attrs.evolve(HIT, client_ip=address2, user_agent=agent2)
    same = (address, agent) == (address2, agent2) or not (address or agent or address2 or agent2)
    assert (person_key(one, Fixed(VALID)) == person_key(two, Fixed(VALID))) == same
    tomorrow = attrs.evolve(one, received_at=datetime(2026, 11, 22, 10, tzinfo=UTC))
    if address or agent:
        assert person_key(tomorrow, Fixed(VALID)) != person_key(one, Fixed(VALID))


@given(
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.sampled_from(["", "prefetch"]),
    st.sampled_from(["", "no-key", "aggregate"]),
    st.sampled_from([None, 200, 404]),
    st.sampled_from(ResolutionOutcome),
    st.sampled_from(LinkType),
    st.none() | st.sampled_from(HostedPage),
    st.sampled_from(Consent),
)
def test_a_meaning_says_which_event_will_be_made(
    method: str,
    purpose: str,
    privacy: str,
    status: int | None,
    outcome: ResolutionOutcome,
    link_type: LinkType,
    hosted: HostedPage | None,
    consent: Consent,
) -> None:
    hit = attrs.evolve(HIT, method=method, purpose=purpose, privacy=privacy, status=status)
    policy = Policy(opens=consent, clicks=consent)
    said = attrs.evolve(VALID, outcome=outcome, link_type=link_type, hosted=hosted, policy=policy)
    meaning, decision = meaning_of(hit, Fixed(said)), decide(hit, Fixed(said))
    for name in ("reason", "resolution", "consent", "is_tag", "may_key"):
        assert getattr(meaning, name) == getattr(decision, name), name
    assert meaning.kind is (None if decision.event is None else type(decision.event))
    if decision.event is not None:
        assert decision.event.source_id == (HIT.source_id if meaning.may_key else None)
