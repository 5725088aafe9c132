"""The redirect, as a pure function: a request in, a response and a hit out. Servers are thin edges around it.

A reader is never stranded: a good link with a damaged identity still redirects, an expired one leads to the
delivery's substitution page, and an opt-out link shows its page whatever became of it. Destinations come from a
signature or from the registry, never from the request. The clauses: ``docs/spec/redirect.md``.
"""

from __future__ import annotations

from msgtrack.model import PeoplePolicy
from msgtrack.redirect.exchange import Failure, Headers, Outcome, Request, Response
from msgtrack.redirect.handler import RedirectHandler
from msgtrack.redirect.pages import PIXEL
from msgtrack.redirect.proxies import TrustedProxies, truncated_address
from msgtrack.redirect.service import AppLinks
from msgtrack.redirect.texts import PageTexts
from msgtrack.redirect.visitors import random_source_id

__all__ = [
    "PIXEL",
    "AppLinks",
    "Failure",
    "Headers",
    "Outcome",
    "PageTexts",
    "PeoplePolicy",
    "RedirectHandler",
    "Request",
    "Response",
    "TrustedProxies",
    "random_source_id",
    "truncated_address",
]
