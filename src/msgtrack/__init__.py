"""msgtrack: message-tracking primitives.

Rewrite a message's links into signed tracked URLs, decide what a hit on one means, read logs into typed events, and
compute published indicators over any store.
"""

from __future__ import annotations

from msgtrack.errors import MsgtrackError
from msgtrack.links import Keyring, LinkRules, Rule, Tracker
from msgtrack.model import Delivery, Message, Policy, TrackedLink
from msgtrack.storage import open_store
from msgtrack.workflow import collect

__all__ = [
    "Delivery",
    "Keyring",
    "LinkRules",
    "Message",
    "MsgtrackError",
    "Policy",
    "Rule",
    "TrackedLink",
    "Tracker",
    "collect",
    "open_store",
]
