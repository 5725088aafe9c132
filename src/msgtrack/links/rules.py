"""Rules: which links of a message are tracked, and under which mode, label, category and type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from msgtrack import vocabulary
from msgtrack._borders import one_of
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links.decisions import LinkReason
from msgtrack.links.destinations import destination
from msgtrack.links.markers import EMITTED
from msgtrack.links.memory import LinkMemory
from msgtrack.links.templates import holds_template_tag
from msgtrack.links.utm import utm_parameters
from msgtrack.model import LinkType, Part, TrackingMode

__all__ = ["LinkRules", "Rule"]


def _pattern(value: Any) -> re.Pattern[str] | None:
    if value is None or isinstance(value, re.Pattern):
        return value
    try:
        return re.compile(value)
    except (re.error, TypeError) as error:
        raise InvalidOption(f"regex={value!r:.80} is no regular expression: {error}") from None


def _part(value: object) -> Part | None:
    return None if value is None else vocabulary.part(value)


def _mode(value: object) -> TrackingMode | None:
    return None if value is None else vocabulary.tracking_mode(value)


def _type(value: object) -> LinkType | None:
    kind = None if value is None else vocabulary.link_type(value)
    if kind is LinkType.OPEN:
        raise InvalidOption("type='open' is no type of a link: opens are counted by the image")
    return kind


def _markers(value: object) -> str:
    return one_of("markers", ("remove", "keep", *(f"emit:{provider}" for provider in EMITTED)))(value)


def _url_as_text(value: object) -> str:
    return one_of("url_as_text", ("warn", "skip"))(value)


def _unfit_links(value: object) -> str:
    return one_of("unfit_links", ("error", "skip"))(value)


def _utm(value: object) -> Mapping[str, str] | None:
    return None if value is None else utm_parameters(value)


def _memory(value: object) -> LinkMemory:
    if isinstance(value, LinkMemory):
        return value
    raise InvalidValue(f"memory must be a LinkMemory, not {type(value).__name__}", hint="LinkMemory(modes=...)")


def _trap(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"trap is the URL that the trap link leads to, not {value!r:.80}")
    if value and destination(value, base="")[1] is not LinkReason.TRACKED:
        raise InvalidOption(f"trap={value!r:.80} is no http or https URL")
    if holds_template_tag(value):
        raise InvalidOption(f"trap={value!r:.80} holds a template tag, which nothing would fill")
    return value


def _rules(value: Any) -> tuple[Rule, ...]:
    rules = tuple(value)
    for rule in rules:
        if not isinstance(rule, Rule):
            raise InvalidOption(f"rules holds {rule!r:.80}, which is no Rule")
    return rules


@frozen(kw_only=True)
class Rule:
    """What to do with the links that match; every given condition must hold, none given matches every link.

    Conditions: ``host`` (itself and its subdomains), ``glob`` and ``regex`` (over the whole destination; ``*`` and
    ``?`` in a glob), ``part``.
    Effects: ``mode``, ``label``, ``category``, ``type``, ``utm`` (parameters in place of the message's; an empty
    mapping is none); None leaves the matter to later rules, then to the link itself.

    Rules that name hosts before one that matches every link with ``mode="not-tracked"`` track those hosts alone.
    """

    host: str | None = None
    glob: str | None = None
    regex: re.Pattern[str] | None = field(default=None, converter=_pattern)
    part: Part | None = field(default=None, converter=_part)
    mode: TrackingMode | None = field(default=None, converter=_mode)
    label: str | None = None
    category: str | None = None
    type: LinkType | None = field(default=None, converter=_type)
    utm: Mapping[str, str] | None = field(default=None, converter=_utm)

    def matches(self, url: str, part: Part) -> bool:
        """Whether the rule speaks of this destination in this part."""
        if self.part is not None and part is not self.part:
            return False
        if self.host is not None:
            try:
                host = (urlsplit(url).hostname or "").rstrip(".")
            except ValueError:
                return False
            wanted = self.host.lower().rstrip(".")
            if host != wanted and not host.endswith("." + wanted):
                return False
        if self.glob is not None and not fnmatchcase(url, self.glob):
            return False
        return self.regex is None or self.regex.search(url) is not None


@frozen(kw_only=True)
class LinkRules:
    """The rules of one message.

    ``rules`` are asked in order; for each effect the first that has a word on it is heard. Markup on the link
    itself (``_label``, ``_type``, ``_category``, a vendor's opt-out marker) is heard after the rules, and ``memory``
    last: what this delivery says explicitly wins over what is remembered of a link.

    ``track_links`` and ``track_opens`` are the switches for the whole message and for opens alone.

    ``markers`` says what becomes of opt-out markers and of our own attributes. ``remove`` takes them out. ``keep``
    leaves them. ``emit:sendgrid`` (or another provider) takes them out and writes that provider's own on every link
    that is tracked or that its author opted out, so that a provider who tracks as well does not wrap it.

    ``url_as_text`` says what to do with a link whose visible text is itself a URL (mail clients may take the
    difference for fraud): ``warn`` or ``skip``; links of the mode ``always`` are not skipped.

    ``unfit_links`` says what to do with a personalised link that must not be tracked (``LINK_PROBLEMS``: a tag decides the
    host, say): ``error``, or ``skip`` with a finding.

    ``utm`` holds campaign parameters (``{"source": "news", "utm_campaign": "spring"}``) for the destinations of
    tracked links. A parameter that is there already stays as it is, and the fragment stays last. Opt-out and mirror
    page links are left as they are, because their URLs may be signed.

    ``trap`` is a URL: an invisible link to it is put at the end of the HTML part, of the type ``other`` and the
    category ``trap``. Readers never see it, so who follows it is a machine. Filters take hidden links amiss in mail
    from senders they do not know; empty is no trap.
    """

    rules: tuple[Rule, ...] = field(default=(), converter=_rules)
    track_links: bool = True
    track_opens: bool = True
    markers: str = field(default="remove", converter=_markers)
    url_as_text: str = field(default="warn", converter=_url_as_text)
    memory: LinkMemory = field(factory=LinkMemory, converter=_memory)
    unfit_links: str = field(default="error", converter=_unfit_links)
    utm: Mapping[str, str] = field(factory=dict, converter=utm_parameters)
    trap: str = field(default="", converter=_trap)

    def first(self, effect: str, url: str, part: Part) -> Any:
        """What the first matching rule with a word on ``effect`` says, or None."""
        for rule in self.rules:
            value = getattr(rule, effect)
            if value is not None and rule.matches(url, part):
                return value
        return None
