"""Short channels: what a tracked text costs as a short message, link by link, before anybody sends it.

Compile such a text with a tracker of registered links; there is no open image in a text, and opens are not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from attrs import frozen

from msgtrack._borders import optional_count
from msgtrack.errors import InvalidValue
from msgtrack.links.compiled import CompiledMessage
from msgtrack.links.gsm7 import MAX_SEGMENTS, SmsCharacter, SmsLength, sms_length
from msgtrack.links.signing import PLAIN_POLICY
from msgtrack.links.text import scan_text
from msgtrack.model import Policy, Resolution

__all__ = [
    "SMS_FINDINGS",
    "SmsCharacter",
    "SmsFinding",
    "SmsLength",
    "SmsLink",
    "SmsReport",
    "sms_length",
    "sms_report",
]

SMS_FINDINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "no-links": ("info", "No link of the text is tracked."),
        "over-budget": (
            "warning",
            "The text takes more units than its budget; the links are named, the longest first.",
        ),
        "over-link-budget": ("warning", "A tracked URL takes more units than the budget of a link."),
        "too-long": ("warning", "The text takes more segments than there can be (255). It cannot be sent."),
        "ucs-2": (
            "warning",
            "Characters outside of the GSM alphabet make the text UCS-2, of which far less fits into a segment.",
        ),
    }
)
"""Every code of a finding with its severity and what it means."""

_MOST_SHOWN = 5


class ReadsUrls(Protocol):
    """Who reads tracked URLs: a tracker."""

    def resolve(self, url: str) -> Resolution:
        """What a tracked URL says."""
        ...


@frozen(kw_only=True)
class SmsLink:
    """A tracked link as the message holds it: ``units`` are those of ``tracked_url``; ``url`` is where it leads, None
    where the tracker could not tell.
    """

    link_id: str
    url: str | None
    tracked_url: str
    units: int


@frozen(kw_only=True)
class SmsFinding:
    """Something to look at before sending; ``code`` is one of :data:`SMS_FINDINGS`."""

    code: str
    severity: str
    message: str


@frozen(kw_only=True)
class SmsReport:
    """A rendered text measured: its length as a short message, its tracked links in order, and what is wrong with it."""

    text: str
    length: SmsLength
    links: tuple[SmsLink, ...]
    findings: tuple[SmsFinding, ...]


def sms_report(
    tracker: ReadsUrls,
    compiled: CompiledMessage,
    *,
    message_id: str | int,
    values: Mapping[str, object] | None = None,
    policy: Policy = PLAIN_POLICY,
    budget: int | None = None,
    link_budget: int | None = None,
) -> SmsReport:
    """What one message of a compiled text takes as a short message.

    The length of a tracked URL depends on the message's id alone, so the longest id that your messages have, and the
    longest values, give the longest message.

    Args:
        tracker: who compiled it, and reads its URLs.
        compiled: a compiled message with a text part; an HTML part is not looked at.
        message_id: a message's id, best the longest there is.
        values: what the placeholders stand for, best the longest there are.
        policy: how far the recipient may be followed.
        budget: units that the text may take; None is one segment (160, or 70 as UCS-2).
        link_budget: units that each tracked URL may take; None is any number.

    Raises:
        InvalidValue: there is no text part; a budget is no count.
        RenderError: the message cannot be rendered, as by ``compiled.render``.
    """
    budget, link_budget = optional_count(budget), optional_count(link_budget)
    rendered = compiled.render(message_id=message_id, values=values, policy=policy).text
    if rendered is None:
        raise InvalidValue("a short message is made of a text part, and this one has none", hint="compile(text=...)")
    length = sms_length(rendered)
    links = tuple(_links(tracker, compiled, rendered))
    findings = []
    if length.segments > MAX_SEGMENTS:
        findings.append(_finding("too-long", f"the text takes {length.segments:,} segments of {MAX_SEGMENTS} at most"))
    if length.not_in_gsm7:
        findings.append(_finding("ucs-2", _to_blame(length)))
    if length.units > (allowed := length.units_of_one_segment if budget is None else budget):
        findings.append(_finding("over-budget", _too_much(length, allowed, links)))
    findings += [
        _finding("over-link-budget", f"{_shown(link)}, over {link_budget}")
        for link in links
        if link_budget is not None and link.units > link_budget
    ]
    if not links:
        findings.append(_finding("no-links", "no link of the text is tracked"))
    return SmsReport(text=rendered, length=length, links=links, findings=tuple(findings))


def _links(tracker: ReadsUrls, compiled: CompiledMessage, rendered: str) -> list[SmsLink]:
    found = []
    for site in scan_text(rendered):
        said = tracker.resolve(site.url)
        if said.link_id is not None and said.delivery_id == compiled.delivery_id:
            # Alone, a URL is not what decides over the encoding of the text, and it has no letter that could.
            found.append(
                SmsLink(
                    link_id=said.link_id,
                    url=said.destination,
                    tracked_url=site.url,
                    units=sms_length(site.url).units,
                )
            )
    return found


def _finding(code: str, message: str) -> SmsFinding:
    return SmsFinding(code=code, severity=SMS_FINDINGS[code][0], message=message)


def _to_blame(length: SmsLength) -> str:
    times = Counter(each.character for each in length.not_in_gsm7)
    first = {each.character: each for each in reversed(length.not_in_gsm7)}
    shown = [
        f"{first[character]}{f', {count} times' if count > 1 else ''}, from offset {first[character].offset}"
        for character, count in times.most_common(_MOST_SHOWN)
    ]
    more = "" if len(times) <= _MOST_SHOWN else f"; and {len(times) - _MOST_SHOWN} other characters"
    return f"not in the GSM alphabet: {'; '.join(shown)}{more}"


def _too_much(length: SmsLength, allowed: int, links: tuple[SmsLink, ...]) -> str:
    longest = sorted(links, key=lambda link: -link.units)[:_MOST_SHOWN]
    segments = "one segment" if length.segments == 1 else f"{length.segments} segments"
    said = (
        f"the text takes {length.units} units ({length.encoding}, {segments}), {length.units - allowed} over {allowed}"
    )
    if not longest:
        return said
    return f"{said}; its links take {sum(link.units for link in links)}: {'; '.join(map(_shown, longest))}"


def _shown(link: SmsLink) -> str:
    return f"link {link.link_id} ({(link.url or 'unknown')!r:.60}) takes {link.units}"
