"""Template tags: how placeholders and instructions look in the template languages that mail is written in.

Tags are masked before a document is scanned: their quotes and angle brackets are the template language's and say nothing
about markup. The mask has the length of the document, so offsets in one are offsets in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["holds_template_tag", "masked"]

_SMARTY = r"/?(?:if|else|elseif|foreach|section|include|assign|capture)\b"
_TAG = re.compile(
    r"\{\{|\{%|\{#|\{\$"  # Jinja, Django, Twig, Liquid, Handlebars, Mustache; Smarty
    r"|\$\{|#\{"  # FreeMarker, Velocity, Thymeleaf, JavaScript; Ruby, Pug
    r"|<%|<\?|<!--"  # Adobe Campaign, ERB, ASP, EJS, SendGrid; PHP; server-side includes
    r"|</?[#@][A-Za-z]"  # FreeMarker's instructions and macros
    r"|\*\|"  # Mailchimp, Mandrill
    r"|\[\[|\[%"  # Thymeleaf and many mailers; Template Toolkit
    r"|\{[A-Za-z_][\w.=| -]*\}"  # {email}: Mautic, MailerLite
    rf"|\{{{_SMARTY}"  # Smarty's instructions
    r"|%%[A-Za-z_]"  # %%EMAIL%%: Salesforce, ActiveCampaign
    # %EMAIL%: Mailgun, ActiveCampaign. Not the second half of %C3%A9t%C3%A9.
    r"|%[A-Za-z_][\w.:-]*%(?![0-9A-Fa-f]{2})"
)


def holds_template_tag(text: str) -> bool:
    """Whether a link, as written or with its entities resolved, holds the beginning of a template tag.

    Such a link is not yet an address: tracking it would send readers to the tag instead of to what it stands for.

    >>> holds_template_tag("https://shop.example/?c={{ coupon }}"), holds_template_tag("https://shop.example/100%25")
    (True, False)
    """
    # Of these marks every tag has one, and few links have any.
    if "{" in text or "%" in text or "<" in text or "[" in text or "*" in text:
        return _TAG.search(text) is not None
    return False


_LONGEST = 2_000
# Smarty's tags are told from the braces of a style sheet by the word or the dollar sign.
_OPENING = rf"[{{<*$\#\[](?=[{{%\#\[@$|]|/[\#@]|\?(?:php|[=\s])|{_SMARTY})"


def _pair(first: str, second: str, closer: str, *barred: str) -> str:
    """An expression for a tag from one mark to the next; neither a second opener nor the end of a comment is inside.

    That a tag reaches no further than the next opener of its kind keeps the search linear: however many openers have
    no end, each character is looked at once for each kind.
    """
    stops = "|".join((first + second, "-->", "<!--", r"</[sS](?:cript|tyle|CRIPT|TYLE)", *barred))
    return rf"(?<={first}){second}(?:(?!{closer}|{stops}).){{0,{_LONGEST}}}{closer}"


_KINDS = "|".join(
    (
        _pair(r"\{", r"\{", r"\}\}\}?"),
        _pair(r"\{", "%", r"%\}"),
        _pair(r"\{", r"\#", r"\#\}"),
        _pair("<", "%", "%>"),
        # Not <?xml …>, which Office writes without the second question mark.
        _pair("<", r"\?(?=php|[=\s])", r"\?>", r"<\?"),
        _pair(r"\*", r"\|", r"\|\*", r"[\r\n]"),
        _pair(r"[$\#]", r"\{", r"\}", r"\{"),
        # Nor the end of <![CDATA[ and what follows it.
        _pair(r"\[", r"(?<!CDATA\[)\[", r"\]\]", "[<>]"),
        _pair(r"\[", "%", r"%\]"),
        _pair(r"\{", rf"(?:\$|{_SMARTY})", r"\}", r"\{"),
        # FreeMarker's ends with the first ">" that stands in no quotes and no brackets.
        r"""(?<=<)/?[\#@][A-Za-z](?:[^<>"'()]|"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\)){0,200}>""",
    )
)
_MASKED = re.compile(rf"{_OPENING}(?:{_KINDS})", re.DOTALL)
# By the mark that stands behind the angle bracket, which is the rarer of the two.
_ANGLES = (
    ("%", re.compile("%(?<=<%)")),
    ("?", re.compile(r"\?(?<=<\?)")),
    ("#", re.compile("#(?:(?<=<#)|(?<=</#))")),
    ("@", re.compile("@(?:(?<=<@)|(?<=</@))")),
)
_BRACES = re.compile(rf"\{{(?:[{{%\#$]|(?<=[$\#]\{{)|{_SMARTY})")
_BRACKETS = re.compile(r"\[[\[%]")
_TAG_NAME_BEFORE = re.compile(r"<[a-zA-Z][^\s/>\"'=]{0,30}\Z")
_PARTING = frozenset(" \t\n\f\r\"'>")


def masked(html: str, spans: Iterable[tuple[int, int]] = ()) -> str:
    """The document with every template tag in it written over, in the same length.

    What stands between attributes becomes white space, and what is part of a name or of an unquoted value letters, so
    that the markup around keeps its meaning whatever the tags hold. A tag that never ends is left as it is.

    >>> masked('<a href="<%= f("x") %>" {% if a > b %}id=x{% endif %}>')
    '<a href="             "               id=xxxxxxxxxxxx>'
    """
    if spans:
        html = _written_over(html, spans)
    return _written_over(html, (tag.span() for tag in _MASKED.finditer(html))) if _may_hold_tags(html) else html


def _written_over(html: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces.append(html[done:start])
        pieces.append(_filler(pieces, end - start))
        done = end
    pieces.append(html[done:])
    return "".join(pieces)


def _may_hold_tags(html: str) -> bool:
    # Single characters are looked for much quicker than pairs, and most mails have few of these.
    return (
        ("{" in html and _BRACES.search(html) is not None)
        or ("[" in html and _BRACKETS.search(html) is not None)
        or ("|" in html and "*|" in html)
        or any(mark in html and pattern.search(html) is not None for mark, pattern in _ANGLES)
    )


def _filler(before: list[str], length: int) -> str:
    # Between two tags that touch, the last piece is empty, and what stands for the tag before decides.
    text = next((piece for piece in reversed(before[-2:]) if piece), "")
    if not text or text[-1] in _PARTING or _TAG_NAME_BEFORE.search(text, max(0, len(text) - 40)):
        return " " * length
    return "x" * length
