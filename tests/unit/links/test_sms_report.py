"""Tracked texts as short messages: what their links take, and what a sender is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Rule, Tracker
from msgtrack.errors import InvalidValue
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.links.sms import SMS_FINDINGS, SmsReport, sms_length, sms_report

KEYS = Keyring.from_secrets("a secret that is long enough to sign with")
BASE = "https://t.example.com"
REGISTRY = MemoryRegistry()
TRACKERS = {
    "registered": Tracker(BASE, KEYS, REGISTRY, link_style="registered"),
    "stateless": Tracker(BASE, KEYS),
    "concealed": Tracker(BASE, KEYS, REGISTRY, link_style="registered", conceal_ids=True),
    "campaign": Tracker(BASE, KEYS, REGISTRY, link_style="registered", url_format="campaign"),
}
TRACKER = TRACKERS["registered"]
LONG = "https://shop.example/collections/spring/lamps?colour=red&size=large&from=sms&utm_campaign=spring-sale-2026"


def _compiled(text: str, tracker: Tracker = TRACKER, **options: Any) -> CompiledMessage:
    compiled = tracker.compile(text=text, delivery_id=options.pop("delivery_id", 57), **options)
    REGISTRY.publish(compiled)
    return compiled


def _codes(report: SmsReport) -> list[str]:
    return [finding.code for finding in report.findings]


@given(delivery_id=st.integers(0, 2**24 - 1), message_id=st.integers(0, 2**40 - 1), place=st.integers(0, 3))
def test_a_registered_link_keeps_to_its_length_whatever_the_destination(
    delivery_id: int, message_id: int, place: int
) -> None:
    text = " ".join((LONG + "/" + "x" * 500, LONG, "https://a.example", "https://b.example/?q=é")[place:])
    compiled = _compiled(text, delivery_id=delivery_id)
    report = sms_report(TRACKER, compiled, message_id=message_id)
    assert len(report.links) == 4 - place
    assert all(link.units == len(link.tracked_url) <= 64 for link in report.links)


@given(message_id=st.one_of(st.text(min_size=1, max_size=16), st.integers(0, 2**63 - 1)), url=st.text(max_size=40))
@example(message_id=1, url="{A}")
@pytest.mark.parametrize("name", ["registered", "stateless", "concealed"])
def test_every_character_of_a_tracked_url_is_in_the_alphabet(name: str, message_id: str | int, url: str) -> None:
    tracker = TRACKERS[name]
    compiled = _compiled(f"Sale: https://shop.example/{url} .", tracker)
    try:
        report = sms_report(tracker, compiled, message_id=message_id)
    except InvalidValue:
        return
    # What looks like a template's placeholder is left alone.
    assert [link.link_id for link in report.links] == [link.id for link in compiled.links]
    for link in report.links:
        assert sms_length(link.tracked_url).encoding == "gsm-7"
        # None is of the extension table, which would take two.
        assert link.units == len(link.tracked_url)


@pytest.mark.parametrize("name", TRACKERS)
def test_the_links_of_a_text_are_found_in_order(name: str) -> None:
    tracker = TRACKERS[name]
    text = (
        f"Sale: {LONG}. Not here (https://other.example/x), but [https://shop.example/b], <https://shop.example/c\n/d> and"
        " https://shop.example/e!"
    )
    rules = LinkRules(rules=(Rule(host="other.example", mode="not-tracked"),))
    compiled = _compiled(text, tracker, rules=rules)
    report = sms_report(tracker, compiled, message_id=1001)
    assert report.text == compiled.render(message_id=1001).text
    assert report.length == sms_length(report.text)
    assert [(link.link_id, link.url) for link in report.links] == [(link.id, link.url) for link in compiled.links]
    assert len(report.links) == 4
    assert all(link.tracked_url in report.text for link in report.links)


def test_links_of_another_delivery_are_none_of_this_one() -> None:
    other = _compiled("https://shop.example/", delivery_id=58).render(message_id=1).text
    report = sms_report(TRACKER, _compiled(f"{other} https://shop.example/"), message_id=1)
    assert [link.link_id for link in report.links] == ["2"]


@pytest.mark.parametrize("policy", [Policy(), Policy(clicks="pseudonymous"), Policy(opens="none", clicks="none")])
def test_whatever_the_policy_links_are_known(policy: Policy) -> None:
    report = sms_report(TRACKER, _compiled(f"Sale {LONG}"), message_id=1, policy=policy)
    assert [(link.link_id, link.url) for link in report.links] == [("2", LONG)]


def test_a_budget_is_kept_or_said_to_be_passed() -> None:
    compiled = _compiled(f"Sale: {LONG} off: https://shop.example/off")
    units = sms_report(TRACKER, compiled, message_id=1).length.units
    assert _codes(sms_report(TRACKER, compiled, message_id=1, budget=units)) == []
    (finding,) = sms_report(TRACKER, compiled, message_id=1, budget=units - 1).findings
    assert finding.code == "over-budget"
    assert "1 over" in finding.message
    assert "link 2 ('https://shop.example/collections" in finding.message
    assert "link 3 ('https://shop.example/off')" in finding.message
    assert len(finding.message) < 500


def test_without_a_budget_it_is_one_segment() -> None:
    link = sms_report(TRACKER, _compiled(LONG), message_id=1).length.units
    for filler, room in (("a", 160), ("я", 70)):
        fitting = _compiled(f"{filler * (room - link - 1)} {LONG}")
        assert "over-budget" not in _codes(sms_report(TRACKER, fitting, message_id=1))
        passing = _compiled(f"{filler * (room - link)} {LONG}")
        assert "over-budget" in _codes(sms_report(TRACKER, passing, message_id=1))


def test_the_longest_links_are_named_first() -> None:
    tracker = TRACKERS["stateless"]
    report = sms_report(tracker, _compiled(f"https://shop.example/ {LONG}", tracker), message_id=1)
    (finding,) = report.findings
    assert finding.message.index("link 3") < finding.message.index("link 2")


def test_a_link_over_its_own_budget() -> None:
    tracker = TRACKERS["stateless"]
    report = sms_report(
        tracker, _compiled(f"https://a.example {LONG}", tracker), message_id=1, budget=1000, link_budget=150
    )
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("over-link-budget", "warning")
    assert "link 3" in finding.message


def test_characters_that_cost_the_encoding_are_named() -> None:
    report = sms_report(TRACKER, _compiled("“Sale” – now’s the time’ https://shop.example/"), message_id=1, budget=500)
    (finding,) = report.findings
    assert finding.code == "ucs-2"
    assert "right single quotation mark), 2 times, from offset 12" in finding.message
    many = sms_report(TRACKER, _compiled("абвгдежз https://shop.example/"), message_id=1, budget=500)
    assert many.findings[0].message.endswith("and 3 other characters")


def test_a_text_without_links_and_one_that_is_too_long() -> None:
    assert _codes(sms_report(TRACKER, _compiled("Good morning"), message_id=1)) == ["no-links"]
    report = sms_report(TRACKER, _compiled("a" * (255 * 153) + " https://shop.example/"), message_id=1)
    assert _codes(report) == ["too-long", "over-budget"]
    assert "256 segments" in report.findings[0].message


def test_every_finding_is_of_the_list_with_its_severity() -> None:
    texts = ["Good morning", "’", f"{LONG} " * 3, "a" * 50_000]
    found = [
        finding
        for text in texts
        for finding in sms_report(TRACKER, _compiled(text), message_id=1, budget=10, link_budget=10).findings
    ]
    assert {finding.code for finding in found} == SMS_FINDINGS.keys()
    assert all(SMS_FINDINGS[finding.code][0] == finding.severity for finding in found)


def test_what_has_no_text_or_no_sense_is_refused() -> None:
    page = TRACKER.compile(html='<a href="https://shop.example/">Shop</a>', delivery_id=57)
    REGISTRY.publish(page)
    with pytest.raises(InvalidValue, match="text part"):
        sms_report(TRACKER, page, message_id=1)
    for budget in (-1, "160", True):
        with pytest.raises(InvalidValue):
            sms_report(TRACKER, _compiled("a"), message_id=1, budget=budget)  # type: ignore[arg-type]
