"""Strategies for the facts beside messages and events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from msgtrack.facts import (
    FACT_KEYS,
    AddressState,
    AddressStatus,
    Exclusion,
    Fact,
    Service,
    SharedView,
    StepView,
    Subscription,
    SubscriptionAction,
    SubscriptionChange,
    Visitor,
    WebApplication,
)
from msgtrack.model import FailureReason
from msgtrack.testing._basics import ids, maybe, members, moments, texts

__all__ = ["facts"]


def facts(
    *kinds: type[Fact],
    id: SearchStrategy[str] | None = None,  # noqa: A002  # the field's name
    delivery_id: SearchStrategy[str] | None = None,
    recipient_id: SearchStrategy[str] | None = None,
    at: SearchStrategy[datetime] | None = None,
    text: SearchStrategy[str] | None = None,
) -> SearchStrategy[Fact]:
    """Facts of the given classes, of all classes when none is given.

    ``id`` is for every id that is neither of a delivery nor of a recipient, ``at`` for every moment, ``text`` for every text.
    """
    name = ids() if id is None else id
    delivery = ids() if delivery_id is None else delivery_id
    recipient = ids() if recipient_id is None else recipient_id
    moment = moments() if at is None else at
    word = texts(max_size=20) if text is None else text
    made: dict[type[Fact], dict[str, SearchStrategy[Any]]] = {
        Exclusion: {
            "delivery_id": delivery,
            "id": name,
            "recipient_id": maybe(recipient),
            "address": word,
            "failure_reason": members(FailureReason),
            "rule": word,
            "is_seed": st.booleans(),
        },
        Service: {"id": name, "label": word, "channel": st.just("email") | word},
        Subscription: {
            "service_id": name,
            "recipient_id": recipient,
            "created_at": moment,
            "ended_at": maybe(moment),
        },
        SubscriptionChange: {
            "service_id": name,
            "id": name,
            "action": members(SubscriptionAction),
            "changed_at": moment,
            "recipient_id": maybe(recipient),
            "origin": word,
        },
        Visitor: {
            "delivery_id": delivery,
            "id": name,
            "recipient_id": maybe(recipient),
            "network": word,
            "origin": word,
            "created_at": maybe(moment),
        },
        SharedView: {
            "delivery_id": delivery,
            "id": name,
            "network": word,
            "occurred_at": moment,
            "visitor_id": maybe(name),
        },
        AddressState: {
            "address": name,
            "channel": st.just("email") | name,
            "status": members(AddressStatus),
            "failure_reason": members(FailureReason),
            "error_count": st.integers(0, 9),
            "first_error_at": maybe(moment),
            "last_error_at": maybe(moment),
            "last_modified_at": maybe(moment),
            "delivery_id": maybe(delivery),
        },
        WebApplication: {
            "id": name,
            "label": word,
            "steps": st.lists(word, max_size=3, unique=True).map(tuple),
        },
        StepView: {"application_id": name, "step": name, "source_id": name, "occurred_at": moment},
    }
    return st.one_of([st.builds(kind, **made[kind]) for kind in kinds or FACT_KEYS])
