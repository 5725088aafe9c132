"""Links: tracked URLs made and read. Compile a message once, render it for many, resolve what comes back."""

from __future__ import annotations

from msgtrack.links.compiled import (
    CompiledMessage,
    Edit,
    Finding,
    LinkDecision,
    LinkReason,
    Placeholder,
    RenderedMessage,
)
from msgtrack.links.formats import CompactFormat, ParsedUrl, UrlFormat
from msgtrack.links.keyring import Keyring
from msgtrack.links.registry import LinkRegistry, MemoryRegistry
from msgtrack.links.rules import LinkRules, Rule
from msgtrack.links.tracker import Tracker

__all__ = [
    "CompactFormat",
    "CompiledMessage",
    "Edit",
    "Finding",
    "Keyring",
    "LinkDecision",
    "LinkReason",
    "LinkRegistry",
    "LinkRules",
    "MemoryRegistry",
    "ParsedUrl",
    "Placeholder",
    "RenderedMessage",
    "Rule",
    "Tracker",
    "UrlFormat",
]
