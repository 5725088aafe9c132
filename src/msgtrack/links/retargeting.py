"""Leading a registered link elsewhere after its message was sent, and the entry of the audit trail that tells of it.

The link stays what it was: its key, its URL in reports, its statistics. Only ``target_url`` changes.
"""

from __future__ import annotations

import json
from datetime import datetime

from attrs import evolve

from msgtrack._borders import shown, utc
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidValue
from msgtrack.events import event_id
from msgtrack.links.decisions import LinkReason
from msgtrack.links.destinations import destination
from msgtrack.links.syntaxes import SYNTAXES, TagKind, by_name
from msgtrack.model import TrackedLink
from msgtrack.upkeep import AuditEntry

__all__ = ["retargeted"]


def retargeted(
    link: TrackedLink | None, key: str, url: str, *, at: datetime, by: str = ""
) -> tuple[TrackedLink, AuditEntry]:
    """A link that leads to ``url`` from now on (empty: to its own again), and the entry that says so.

    The entry has the action ``retarget``; its ``detail`` is a JSON object with ``key``, ``delivery_id``, ``link_id``, ``from``,
    ``to`` and ``by``, who wanted it.

    Raises:
        InvalidValue: there is no such link, or ``url`` is no http(s) URL without placeholders.
    """
    if link is None:
        raise InvalidValue(f"no link of the key {shown(key)} was published here")
    if not isinstance(url, str) or (
        url and (destination(url, base="") != (url, LinkReason.TRACKED) or _is_template(url))
    ):
        raise InvalidValue(f"a link can lead to an http(s) URL without placeholders, not to {shown(url)}")
    moment = utc(at)
    said = {
        "key": key,
        "delivery_id": link.delivery_id,
        "link_id": link.id,
        "from": link.target_url or link.url,
        "to": url or link.url,
        "by": as_text(by),
    }
    detail = json.dumps(said, sort_keys=True)
    entry = AuditEntry(
        id=event_id(moment, "retarget", moment.isoformat(), detail),
        action="retarget",
        started_at=moment,
        status="finished",
        detail=detail,
        done={"links": 1},
    )
    return evolve(link, target_url=url), entry


def _is_template(url: str) -> bool:
    """Whether a URL has a placeholder of any language that we know: nobody would fill it in any more."""
    # What only begins like one is none: "{%22" is an escape.
    return "<%" in url or any(tag.kind is not TagKind.BROKEN for name in SYNTAXES for tag in by_name(name).tags(url))
