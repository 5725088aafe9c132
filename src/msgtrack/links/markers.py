"""What an author writes on a link for whoever tracks it: label, type, category, and every vendor's "do not track".

Our own attributes go before the mail does. Those of a vendor are understood wherever they come from, so that a template
written for one provider keeps its meaning here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from msgtrack import vocabulary
from msgtrack.errors import InvalidOption
from msgtrack.links.html import Attribute, LinkSite
from msgtrack.links.tags import SPACE

__all__ = [
    "CLASS_MARKERS",
    "EMITTED",
    "OPT_OUT_MARKERS",
    "Markup",
    "OptOutMarker",
    "emitted",
    "markup_of",
    "read_markup",
]

_OFF = frozenset(("off", "false", "no", "0"))
_TRUE = frozenset(("", "true", "yes", "on", "1"))


@frozen(kw_only=True)
class OptOutMarker:
    """An attribute by which a vendor is told not to track a link.

    ``values`` are those that mean "do not track", in lower case; None means any value, because presence alone counts.
    ``written`` is the attribute as that vendor's documentation has it.
    """

    vendor: str
    name: str
    values: frozenset[str] | None
    written: str


OPT_OUT_MARKERS = tuple(
    OptOutMarker(vendor=vendor, name=name, values=values, written=written)
    for vendor, name, values, written in (
        ("msgtrack", "data-msgtrack", _OFF, 'data-msgtrack="off"'),
        ("sendgrid", "clicktracking", _OFF, 'clicktracking="off"'),
        ("postmark", "data-pm-no-track", None, "data-pm-no-track"),
        ("ses", "ses:no-track", None, "ses:no-track"),
        ("sparkpost", "data-msys-clicktrack", _OFF, 'data-msys-clicktrack="0"'),
        ("mailgun", "disable-tracking", _TRUE, 'disable-tracking="true"'),
        ("mandrill", "mc:disable-tracking", None, "mc:disable-tracking"),
        ("mautic", "data-mautic-disable-tracking", _TRUE, 'data-mautic-disable-tracking="true"'),
        ("mautic", "mautic:disable-tracking", None, "mautic:disable-tracking"),
        ("onesignal", "data-disable-tracking", _TRUE, 'data-disable-tracking="true"'),
        ("ahoy", "data-skip-click", None, 'data-skip-click="true"'),
        ("campaign-monitor", "cm_dontconvertlink", None, "cm_dontconvertlink"),
        ("mailbuild", "mb_dontconvertlink", None, "mb_dontconvertlink"),
        ("messagegears", "autotrack", _OFF, 'autotrack="false"'),
        ("keap", "nottracked", _TRUE, 'nottracked="true"'),
        ("any", "notrack", None, "notrack"),
        ("any", "data-notrack", None, "data-notrack"),
        ("any", "data-no-track", None, "data-no-track"),
    )
)
"""Every opt-out attribute that is understood, one row each; "any" stands for spellings that several mailers share."""

CLASS_MARKERS = {"untracked": "customer.io", "mktNoTrack": "marketo", "inf-track-no": "keap"}
"""Class names that mean "do not track", with their vendors. They are understood and stay: a class may carry style."""

_NOT_A_PROVIDER = ("msgtrack", "any")
EMITTED = {
    marker.vendor: marker.written for marker in reversed(OPT_OUT_MARKERS) if marker.vendor not in _NOT_A_PROVIDER
}
"""By provider, the marker that is written for it; of several, the first of the table."""

_BEFORE_EQUALS_SIGN = re.compile(rf"[{SPACE}]*+=")
_MARKERS = {marker.name: marker for marker in OPT_OUT_MARKERS}
_OWN = {
    "_label": "label",
    "data-label": "label",
    "data-msgtrack-label": "label",
    "_category": "category",
    "data-category": "category",
    "data-msgtrack-category": "category",
    "_type": "type",
    "data-type": "type",
    "data-msgtrack-type": "type",
    "_urltype": "type",
    "data-urltype": "type",
    "data-msgtrack-urltype": "type",
}
# Names that others use as well. They are ours only when they say something: a label, or a type that exists.
_SHARED = frozenset(("data-label", "data-category", "data-type"))


@frozen(kw_only=True)
class Markup:
    """What the attributes of a link say about tracking it.

    ``label``, ``type`` and ``category`` are as written, trimmed, and empty where nothing was; ``type`` is a name
    ("mirrorPage") or a number ("11") that may not exist. ``off`` asks not to track the link. ``marker_spans`` are the
    attributes to remove.
    """

    label: str = ""
    type: str = ""
    category: str = ""
    off: bool = False
    marker_spans: tuple[Attribute, ...] = ()


_NO_MARKUP = Markup()


def markup_of(site: LinkSite) -> Markup:
    """What the tag of a link says about tracking it; quick for tags that say nothing.

    >>> from msgtrack.links.html import scan_html
    >>> markup_of(scan_html('<a href="https://shop.example/" _label="Shop">x</a>').sites[0]).label
    'Shop'
    """
    tag = site.tag.lower()
    # Every name above holds one of these.
    if (
        "track" in tag
        or "label" in tag
        or "type" in tag
        or "category" in tag
        or "skip-click" in tag
        or "dontconvertlink" in tag
    ):
        return read_markup(site.attributes)
    return _NO_MARKUP


def read_markup(attributes: Iterable[Attribute]) -> Markup:
    """What attributes say about tracking their link, in source order; of repeated ones the first counts, and all go."""
    said = {"label": "", "type": "", "category": ""}
    meanings: dict[str, bool] = {}
    off = False
    spans: list[Attribute] = []
    for attribute in attributes:
        name = attribute.name
        if name not in meanings:
            off = off or _says_off(attribute)
            meanings[name] = _is_marker(attribute)
            if meanings[name] and name in _OWN:
                said[_OWN[name]] = said[_OWN[name]] or " ".join(attribute.value.split())
        if meanings[name]:
            spans.append(attribute)
    return Markup(**said, off=off, marker_spans=tuple(spans))


def emitted(provider: str, html: str, pos: int) -> str:
    """The marker of a provider, as it goes in right behind a tag's name, which ends at ``pos``.

    It comes first, so it counts whatever else the tag holds.
    """
    written = EMITTED[provider]
    # A stray equals sign behind it would make it an attribute with another's value.
    return f' {written}=""' if "=" not in written and _BEFORE_EQUALS_SIGN.match(html, pos) else f" {written}"


def _says_off(attribute: Attribute) -> bool:
    if attribute.name == "class":
        return not CLASS_MARKERS.keys().isdisjoint(attribute.value.split())
    marker = _MARKERS.get(attribute.name)
    return marker is not None and (marker.values is None or attribute.value.strip().lower() in marker.values)


def _is_marker(attribute: Attribute) -> bool:
    name = attribute.name
    if name in _SHARED:
        return bool(attribute.value.strip()) and (name != "data-type" or _is_type(attribute.value))
    return name in _OWN or name == "data-msgtrack" or (name in _MARKERS and _says_off(attribute))


def _is_type(value: str) -> bool:
    try:
        vocabulary.link_type(value.strip())
    except InvalidOption:
        return False
    return True
