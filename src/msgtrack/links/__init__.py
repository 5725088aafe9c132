"""Links: tracked URLs made and read. Compile a message once, render it for many, resolve what comes back.

``ManifestRegistry`` and ``StoreRegistry``, the registries in a folder and in a store, are defined in ``msgtrack.io`` and loaded
when first asked for.
"""

from __future__ import annotations

from typing import Any

from msgtrack import plugins
from msgtrack.links.auditing import AUDIT_PROBLEMS, Problem, audit
from msgtrack.links.campaign import CampaignFormat
from msgtrack.links.checking import CHECK_PROBLEMS, LinkCheck, SentLink, check_links
from msgtrack.links.compiled import CompiledMessage, RenderedMessage
from msgtrack.links.decisions import Edit, Finding, LinkDecision, LinkReason, Placeholder
from msgtrack.links.findings import FINDINGS
from msgtrack.links.formats import CompactFormat, ParsedUrl, UrlFormat
from msgtrack.links.instructions import INSTRUCTION_ERRORS
from msgtrack.links.keyring import Keyring
from msgtrack.links.mail import MAIL_FINDINGS, CompiledMail, MailBody, MailFinding
from msgtrack.links.memory import LinkMemory
from msgtrack.links.registry import LinkRegistry, MemoryRegistry
from msgtrack.links.rules import LinkRules, Rule
from msgtrack.links.syntaxes import LINK_PROBLEMS, SYNTAXES, Syntax, Tag, TagKind
from msgtrack.links.tracker import Tracker
from msgtrack.links.verp import MailAddresses, MessageIds

__all__ = [
    "AUDIT_PROBLEMS",
    "CHECK_PROBLEMS",
    "FINDINGS",
    "INSTRUCTION_ERRORS",
    "LINK_PROBLEMS",
    "MAIL_FINDINGS",
    "SYNTAXES",
    "CampaignFormat",
    "CompactFormat",
    "CompiledMail",
    "CompiledMessage",
    "Edit",
    "Finding",
    "Keyring",
    "LinkCheck",
    "LinkDecision",
    "LinkMemory",
    "LinkReason",
    "LinkRegistry",
    "LinkRules",
    "MailAddresses",
    "MailBody",
    "MailFinding",
    "ManifestRegistry",
    "MemoryRegistry",
    "MessageIds",
    "ParsedUrl",
    "Placeholder",
    "Problem",
    "RenderedMessage",
    "Rule",
    "SentLink",
    "StoreRegistry",
    "Syntax",
    "Tag",
    "TagKind",
    "Tracker",
    "UrlFormat",
    "audit",
    "check_links",
]

_FROM_ABOVE = {
    "ManifestRegistry": plugins.Builtin("msgtrack.io.manifests:ManifestRegistry"),
    "StoreRegistry": plugins.Builtin("msgtrack.io.store_registry:StoreRegistry"),
}


def __getattr__(name: str) -> Any:
    """Names that lie on a higher floor, where files may be opened."""
    if name in _FROM_ABOVE:
        return plugins.load(name, _FROM_ABOVE, "msgtrack.registries")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
