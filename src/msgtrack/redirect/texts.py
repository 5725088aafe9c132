"""What the pages of the redirect say, in as many languages as the application gives; and which of them a reader gets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import field, frozen

from msgtrack._borders import closed, items, one_of, shown
from msgtrack._borders import text as as_text
from msgtrack.errors import InvalidOption, InvalidValue

__all__ = ["PageTexts", "languages_of", "texts_for"]

_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_RANGE = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}|\*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")
_MAX_HEADER = 512


def _language(value: object) -> str:
    tag = as_text(value)
    if not _TAG.fullmatch(tag):
        raise InvalidOption(f"language={shown(tag)} is no language tag, such as en or pt-BR")
    return tag


def _direction(value: object) -> str:
    return one_of("direction", ("ltr", "rtl"))(value)


@closed
@frozen(kw_only=True)
class PageTexts:
    """The texts of our own pages in one language; plain text, escaped where it is shown. Left out, they are English.

    ``ask``: the page that asks whether to unsubscribe, with its button. ``done``: the answer to a wish. ``lost``: the
    answer to a wish of nobody we know. ``nowhere``: an address that leads nowhere (404). ``expired``: a link that is over
    (410). ``blocked``: a link that must not be followed (403). ``later``: something cannot be looked up just now.
    ``method``: an address that can only be looked at (405).
    """

    language: str = field(default="en", converter=_language)
    direction: str = field(default="ltr", converter=_direction)
    ask_title: str = field(default="Unsubscribe", converter=as_text)
    ask_text: str = field(default="Do you want to stop receiving these messages?", converter=as_text)
    ask_button: str = field(default="Unsubscribe", converter=as_text)
    done_title: str = field(default="You have unsubscribed", converter=as_text)
    done_text: str = field(
        default="Your wish is recorded. A message that is on its way already may still reach you.", converter=as_text
    )
    lost_title: str = field(default="This link was damaged", converter=as_text)
    lost_text: str = field(
        default="So we cannot tell who you are, and your wish could not be recorded. Please use the unsubscribe link of "
        "another message, or reply to one.",
        converter=as_text,
    )
    nowhere_title: str = field(default="Page not found", converter=as_text)
    nowhere_text: str = field(
        default="This address leads nowhere. It may have been damaged on its way to you.", converter=as_text
    )
    expired_title: str = field(default="This link has expired", converter=as_text)
    expired_text: str = field(default="The page it led to is no longer offered.", converter=as_text)
    blocked_title: str = field(default="This link was switched off", converter=as_text)
    blocked_text: str = field(default="The page it led to must not be visited any more.", converter=as_text)
    later_title: str = field(default="Not available just now", converter=as_text)
    later_text: str = field(default="Please try this address again in a few minutes.", converter=as_text)
    method_title: str = field(default="Not possible", converter=as_text)
    method_text: str = field(default="This address can only be looked at.", converter=as_text)


def languages_of(texts: PageTexts | Iterable[PageTexts]) -> dict[str, PageTexts]:
    """Texts by language in lower case, the one for everybody else first.

    Raises:
        InvalidValue: there are none, one is no PageTexts, or two are of one language.
    """
    given = (texts,) if isinstance(texts, PageTexts) else items(texts)
    found: dict[str, PageTexts] = {}
    for one in given:
        if not isinstance(one, PageTexts):
            raise InvalidValue(f"texts must be PageTexts, not {shown(one)}")
        if found.setdefault(one.language.lower(), one) is not one:
            raise InvalidValue(f"texts holds the language {one.language!r} twice")
    if not found:
        raise InvalidValue("texts must hold one language at least")
    return found


def texts_for(languages: dict[str, PageTexts], wanted: str | None, accepted: str) -> PageTexts:
    """The texts for a reader: in the language of the message, else in that which the browser likes best, else the first.

    ``fr-CA`` is answered in ``fr`` where there is no better one, as RFC 4647 (section 3.4) has it.
    """
    default = next(iter(languages.values()))
    if len(languages) == 1:
        return default
    found = None if wanted is None else _looked_up(languages, wanted)
    if found is not None:
        return found
    liked = []
    for place, part in enumerate(accepted[:_MAX_HEADER].split(",")):
        match = _RANGE.fullmatch(part.strip())
        weight = float(match[2] or 1) if match else 0.0
        if match and weight:
            liked.append((-weight, place, match[1]))
    for _, _, tag in sorted(liked):
        if tag == "*":
            return default
        found = _looked_up(languages, tag)
        if found is not None:
            return found
    return default


def _looked_up(languages: dict[str, PageTexts], tag: str) -> PageTexts | None:
    tag = tag.lower()
    while tag:
        if tag in languages:
            return languages[tag]
        tag = tag.rpartition("-")[0]
    return None
