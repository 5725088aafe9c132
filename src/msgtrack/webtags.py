"""Web tags: addresses of images that pages elsewhere load, so that a visit or a purchase is known (reference 4.6).

A tag URL is ``<base>r/<anything>?tagid=…``; what stands in its path only keeps caches from answering. Its parameters are
claims of whoever loads it. A message is named by a session that we signed, or by an ``identify`` of the application's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote

from attrs import evolve, field, fields, frozen

from msgtrack import vocabulary
from msgtrack._borders import closed, enum_of, flag, items, optional_amount, optional_count, optional_utc, shown
from msgtrack._borders import text as as_text
from msgtrack._options import base_of
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.model import LinkType, Resolution

__all__ = ["MAX_TAG_BYTES", "TagRequest", "WebMode", "WebTag", "WebTags", "tag_code"]

MAX_TAG_BYTES = 60
"""The longest identifier of a tag, in UTF-8: with ``tag:`` before it, it is the link id of its events."""

_MAX_URL = 16_384
_MAX_PARAMETERS = 64
_PLACE = re.compile(r"(?:\A|/)r/[^/?#]*\?([^#]*)")
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_COUNT = re.compile(r"[0-9]{1,15}")
_LETTERS = {"w": LinkType.WEB, "t": LinkType.TRANSACTION}


class WebMode(StrEnum):
    """Which visits are kept, and of what delivery they are (reference 4.6).

    ``SESSION``: visits in the session that began with a click in a message. ``PERMANENT_…``: also later ones of the
    same browser. ``ANONYMOUS_…``: also those of browsers that followed no message. A later visit is of the delivery
    that its tag names (``…_FORCED``) or of the one followed last (``…_LAST``).
    """

    SESSION = "session"
    PERMANENT_FORCED = "permanent-forced"
    PERMANENT_LAST = "permanent-last"
    ANONYMOUS_FORCED = "anonymous-forced"
    ANONYMOUS_LAST = "anonymous-last"

    @property
    def is_anonymous(self) -> bool:
        """Whether visits of people whom nobody knows are kept."""
        return self in (WebMode.ANONYMOUS_FORCED, WebMode.ANONYMOUS_LAST)

    @property
    def is_forced(self) -> bool:
        """Whether the tag says the delivery of a later visit."""
        return self in (WebMode.PERMANENT_FORCED, WebMode.ANONYMOUS_FORCED)


_mode = enum_of(WebMode)


def _web_mode(value: object) -> WebMode:
    return _mode(value)


def _is_identifier(text: str) -> bool:
    if not text.isprintable() or "|" in text or text != text.strip():
        return False
    return 0 < len(text.encode("utf-8", "surrogatepass")) <= MAX_TAG_BYTES


def _identifier(value: object) -> str:
    identifier = as_text(value)
    if not _is_identifier(identifier):
        raise InvalidValue(
            f"the identifier of a tag has 1 to {MAX_TAG_BYTES} bytes of printable text without '|': {shown(identifier)}"
        )
    return identifier


def _tag_type(value: object) -> LinkType:
    kind = vocabulary.link_type(value)
    if kind not in (LinkType.WEB, LinkType.TRANSACTION):
        raise InvalidOption(f"a tag is of the type web or transaction, not {kind.name.lower()}")
    return kind


@closed
@frozen(kw_only=True)
class WebTag:
    """A tag: ``web`` (a page was seen) or ``transaction`` (something was bought).

    ``source_url`` and ``folder`` are for people only. From ``expires_at`` on its visits are not kept.
    """

    identifier: str = field(converter=_identifier)
    type: LinkType = field(default=LinkType.WEB, converter=_tag_type)
    label: str = field(default="", converter=as_text)
    source_url: str = field(default="", converter=as_text)
    folder: str = field(default="", converter=as_text)
    expires_at: datetime | None = field(default=None, converter=optional_utc)

    @property
    def link_id(self) -> str:
        """The link id of its events, which no tracked link of a message has."""
        return f"tag:{self.identifier}"


@closed
@frozen(kw_only=True)
class TagRequest:
    """What the URL of a tag says; nothing of it is signed.

    ``type`` and ``folder`` are there when the tag is to be made on the fly. ``delivery_id`` is the parameter ``jobid``,
    ``recipient`` the two halves of ``rcpid``. What cannot be read is None.
    """

    identifier: str = field(default="", converter=as_text)
    type: LinkType | None = None
    folder: str = field(default="", converter=as_text)
    delivery_id: str | None = None
    recipient: tuple[str, str] | None = None
    amount: Decimal | None = field(default=None, converter=optional_amount)
    article: int | None = field(default=None, converter=optional_count)


def _by_identifier(value: Any) -> Mapping[str, WebTag]:
    tags = tuple(value.values()) if isinstance(value, Mapping) else items(value)
    for tag in tags:
        if not isinstance(tag, WebTag):
            raise InvalidValue(f"tags must be WebTags, not {shown(tag)}")
    return MappingProxyType({tag.identifier: tag for tag in tags})


def _optional_function(value: Any) -> Any:
    if value is not None and not callable(value):
        raise InvalidValue(f"identify must be a function of a TagRequest, not {shown(value)}")
    return value


@closed
@frozen(kw_only=True)
class WebTags:
    """The tags there are, and which visits are kept.

    Args:
        tags: those that are known, by their identifiers.
        mode: whose visits are kept.
        on_the_fly: whether a tag that nobody knows counts when its URL says its type.
        track_visitors: whether browsers that followed no message get a person key; in an anonymous mode only.
        hex_job_ids: whether ``jobid`` is a delivery's number in hex, as in the reference, or its id as it is.
        identify: who the recipient of ``rcpid`` is: a function from :class:`TagRequest` to a
            :class:`~msgtrack.model.Resolution` with outcome, delivery, message and policy, or None. One that is neither
            ``valid`` nor ``anonymous``, or names nothing, is as None. Where a URL has ``rcpid``, no session is looked at;
            without this function ``rcpid`` says nothing, and the session is.
    """

    tags: Mapping[str, WebTag] = field(default=(), converter=_by_identifier)
    mode: WebMode = field(default=WebMode.SESSION, converter=_web_mode)
    on_the_fly: bool = field(default=True, converter=flag)
    track_visitors: bool = field(default=False, converter=flag)
    hex_job_ids: bool = field(default=True, converter=flag)
    identify: Callable[[TagRequest], Resolution | None] | None = field(default=None, converter=_optional_function)

    def __reduce__(self) -> tuple[Callable[[], WebTags], tuple[()]]:
        # A mapping that nobody can change does not travel; what it was made of does.
        said = {each.name: getattr(self, each.name) for each in fields(WebTags)}
        return partial(WebTags, **said | {"tags": tuple(self.tags.values())}), ()

    def read(self, url: str) -> TagRequest | None:
        """What a URL says as that of a tag; None when it is none. Any text may be asked for.

        Raises:
            InvalidValue: it is no text.
        """
        if not isinstance(url, str):
            raise InvalidValue(f"the URL of a tag must be text, not {shown(url)}")
        if "tagid=" not in url:
            return None
        place = _PLACE.search(url[:_MAX_URL])
        if place is None or place[1].startswith("id="):
            return None
        try:
            pairs = parse_qsl(place[1], keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            return TagRequest()
        said = dict(reversed(pairs))
        if "tagid" not in said:
            return None
        identifier, letter, folder = (*said["tagid"].split("|", 2), "", "")[:3]
        name, sign, key = said.get("rcpid", "").partition("=")
        return TagRequest(
            identifier=identifier if _is_identifier(identifier) else "",
            type=_LETTERS.get(letter.lower()),
            folder=folder if folder.isprintable() else "",
            delivery_id=self._delivery(said.get("jobid", "")),
            recipient=(name, key) if sign or name else None,
            amount=Decimal(said["amount"]) if _AMOUNT.fullmatch(said.get("amount", "")) else None,
            article=int(said["article"]) if _COUNT.fullmatch(said.get("article", "")) else None,
        )

    def tag_of(self, asked: TagRequest) -> WebTag | None:
        """The tag of a request: one that is known, else one made on the fly, else None."""
        known = self.tags.get(asked.identifier)
        if known is not None or not self.on_the_fly or asked.type is None or not asked.identifier:
            return known
        return WebTag(identifier=asked.identifier, type=asked.type, folder=asked.folder)

    def learnt(self, url: str) -> WebTags:
        """These tags and the one that a URL makes on the fly, for the caller to keep; unchanged when it makes none."""
        asked = self.read(url)
        tag = None if asked is None else self.tag_of(asked)
        if tag is None or tag.identifier in self.tags:
            return self
        return evolve(self, tags={**self.tags, tag.identifier: tag})

    def _delivery(self, said: str) -> str | None:
        if self.hex_job_ids:
            return str(int(said, 16)) if _HEX.fullmatch(said) else None
        is_id = said.isprintable() and 0 < len(said.encode("utf-8", "surrogatepass")) <= 64
        return said if is_id else None


def tag_code(
    base_url: str,
    tag: WebTag,
    parameters: Mapping[str, str | float | Decimal] | Iterable[tuple[str, str | float | Decimal]] = (),
) -> str:
    """HTML for the tagged page: a script that loads the tag past every cache, and an image where no scripts run.

    Args:
        base_url: that of the tracker.
        tag: the tag.
        parameters: more of them, such as ``amount``, as a mapping or as pairs; their values are fixed text or numbers.

    >>> print(tag_code("https://t.example.com/", WebTag(identifier="home")).splitlines()[-1])
    <noscript><img src="https://t.example.com/r/0?tagid=home%7Cw" width="1" height="1" alt=""></noscript>

    Raises:
        InvalidOption: the base URL is unfit for a tracker.
        InvalidValue: the tag is no WebTag, or a parameter is neither text nor a number.
    """
    base = base_of(base_url) + "r/"
    if not isinstance(tag, WebTag):
        raise InvalidValue(f"a tag must be a WebTag, not {shown(tag)}", hint="WebTag(identifier=...)")
    letter = "t" if tag.type is LinkType.TRANSACTION else "w"
    pairs = [("tagid", f"{tag.identifier}|{letter}"), *_pairs(parameters)]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    # Text of a script: what could end it, or is no line of it, is written as an escape.
    start, rest = (json.dumps(text).replace("<", "\\u003c") for text in (base, "?" + query))
    image = html.escape(f"{base}0?{query}")
    return (
        f"<script>new Image().src={start}+Math.random().toString(36).slice(2)+{rest}</script>\n"
        f'<noscript><img src="{image}" width="1" height="1" alt=""></noscript>'
    )


def _pairs(parameters: object) -> list[tuple[str, str]]:
    given: Any = parameters.items() if isinstance(parameters, Mapping) else parameters
    found = []
    for pair in items(given):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidValue(f"parameters must be a mapping, or pairs of name and value, not {shown(pair)}")
        name, value = pair
        if not isinstance(name, str) or not name:
            raise InvalidValue(f"the name of a parameter must be text, not {shown(name)}")
        found.append((_encodable(name), _encodable(_written(name, value))))
    return found


def _written(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InvalidValue(f"the parameter {shown(name)} must be text or a number, not {shown(value)}")
    amount = optional_amount(value)
    # As a float a whole number has a decimal, which a number of items must not have.
    return f"{amount:f}".removesuffix(".0") if isinstance(value, float) else f"{amount:f}"


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(f"a parameter must be text that UTF-8 can write: {shown(text)}") from None
    return text
