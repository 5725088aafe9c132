"""Template tags: how placeholders and instructions begin in the template languages that mail is written in."""

from __future__ import annotations

import re

__all__ = ["holds_template_tag"]

_TAG = re.compile(
    r"\{\{|\{%|\{#|\{\$"  # Jinja, Django, Twig, Liquid, Handlebars, Mustache; Smarty
    r"|\$\{|#\{"  # FreeMarker, Velocity, Thymeleaf, JavaScript; Ruby, Pug
    r"|<%|<\?|<!--"  # Adobe Campaign, ERB, ASP, EJS, SendGrid; PHP; server-side includes
    r"|\*\|"  # Mailchimp, Mandrill
    r"|\[\[|\[%"  # Thymeleaf and many mailers; Template Toolkit
    r"|\{[A-Za-z_][\w.=| -]*\}"  # {email}: Mautic, MailerLite
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
    return _TAG.search(text) is not None
