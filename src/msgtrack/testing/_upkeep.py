"""Strategies for what stores say of themselves and leave behind: capabilities, audit entries, frozen counts, counts."""

from __future__ import annotations

from attrs import fields
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from msgtrack.counts import Counts
from msgtrack.model import Audience
from msgtrack.protocols import AuditEntry, Capabilities, FrozenCounts, Ingested
from msgtrack.tally import fold
from msgtrack.testing._basics import ids, maybe, moments, texts
from msgtrack.testing._worlds import worlds
from msgtrack.upkeep import NONE, OUTSIDE, Retention

__all__ = ["audits", "capabilities", "counts", "frozen_counts", "ingested", "retentions"]

_ZONES = st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu"])


def audits(*, id: SearchStrategy[str] | None = None) -> SearchStrategy[AuditEntry]:  # noqa: A002  # the field's name
    """Audit entries."""
    return st.builds(
        AuditEntry,
        id=ids() if id is None else id,
        action=st.sampled_from(["purge", "erase"]),
        started_at=maybe(moments()),
        status=st.sampled_from(["started", "finished"]),
        subject=texts(max_size=20),
        secret=texts(max_size=20),
        detail=texts(),
        done=st.dictionaries(texts(max_size=20), st.integers(0, 2**40), max_size=3),
    )


def frozen_counts(
    *, delivery_id: SearchStrategy[str] | None = None, body: SearchStrategy[str] | None = None
) -> SearchStrategy[FrozenCounts]:
    """Frozen counts as records. The body is any text unless one is given, so stores must keep it and cannot count by it."""
    return st.builds(
        FrozenCounts,
        delivery_id=ids() if delivery_id is None else delivery_id,
        audience=st.sampled_from(["all", NONE, OUTSIDE, *(audience.value for audience in Audience)]),
        zone=_ZONES,
        frozen_at=maybe(moments()),
        first_at=maybe(moments()),
        last_at=maybe(moments()),
        body=texts() if body is None else body,
    )


def counts() -> SearchStrategy[Counts]:
    """Counts, of small worlds."""
    return st.builds(
        lambda world, zone: fold(world.deliveries, world.messages, world.links, world.events, world.facts).counts(
            zone=zone
        ),
        worlds(),
        _ZONES,
    )


def capabilities() -> SearchStrategy[Capabilities]:
    """Capabilities, in every combination."""
    return st.builds(Capabilities, **{attribute.name: st.booleans() for attribute in fields(Capabilities)})


def retentions() -> SearchStrategy[Retention]:
    """How long data is kept, up to ten years."""
    days = maybe(st.integers(0, 3660))
    return st.builds(Retention, **{attribute.name: days for attribute in fields(Retention)})


def ingested() -> SearchStrategy[Ingested]:
    """What an ingest says that it did."""
    number = st.integers(0, 2**40)
    return st.builds(Ingested, added=number, known=number)
