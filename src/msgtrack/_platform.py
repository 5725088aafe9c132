"""The closing pass of a tally, where it concerns no single delivery: programs, services and web applications."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypedDict

from msgtrack._borders import microseconds
from msgtrack._entries import EventEntry
from msgtrack.counts import ServiceCounts, StepCounts, Visits
from msgtrack.facts import (
    Fact,
    Service,
    StepView,
    Subscription,
    SubscriptionAction,
    SubscriptionChange,
    WebApplication,
)

__all__ = ["Agent", "AgentFields", "Traffic", "agent_fields", "applications_of", "services_of"]

Agent = tuple[str, str, str, str, str, int]
"""Browser, version, system, version, device, mobile (-1 when unknown)."""


class Traffic:
    """What one delivery, or all together, show of programs: distinct visitors and pages by day and program."""

    __slots__ = ("pages", "visitors")

    def __init__(self) -> None:
        self.visitors: defaultdict[tuple[str, Agent], set[object]] = defaultdict(set)
        self.pages: Counter[tuple[str, Agent]] = Counter()

    def enter(self, day: str, entries: Sequence[EventEntry], agents: Mapping[Agent, int]) -> None:
        """Take clicks of one day in, with how often each program is among them."""
        for agent, times in agents.items():
            self.pages[day, agent] += times
        of_agent = {agent: self.visitors[day, agent] for agent in agents}
        for entry in entries:
            if entry[5]:
                of_agent[entry[7]].add(entry[5])
            elif entry[3]:
                of_agent[entry[7]].add((entry[2], entry[3]))

    def absorb(self, other: Traffic) -> None:
        """Take in all of another, which stays as it is."""
        self.pages.update(other.pages)
        for row, visitors in other.visitors.items():
            self.visitors[row] |= visitors

    def rows(self) -> Iterator[Visits]:
        """The user-agent statistics, by day and program."""
        for row in sorted(self.pages):
            day, agent = row
            yield Visits(
                day=day, **agent_fields(agent), visitors=len(self.visitors.get(row, ())), pages=self.pages[row]
            )


class AgentFields(TypedDict):
    """The fields of a program, as counts have them."""

    browser: str
    browser_version: str
    os: str
    os_version: str
    device: str
    is_mobile: bool | None


def agent_fields(agent: Agent) -> AgentFields:
    """The fields of a program by name."""
    browser, browser_version, os, os_version, device, mobile = agent
    return AgentFields(
        browser=browser,
        browser_version=browser_version,
        os=os,
        os_version=os_version,
        device=device,
        is_mobile=None if mobile < 0 else bool(mobile),
    )


def services_of(facts: Iterable[Fact]) -> dict[str, ServiceCounts]:
    """The numbers of services; one that nobody registered is there once a subscription or a change names it."""
    services: dict[str, Service] = {}
    created: defaultdict[str, list[int]] = defaultdict(list)
    ended: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    joined: defaultdict[str, list[int]] = defaultdict(list)
    left: defaultdict[str, list[int]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Service):
            services[fact.id] = fact
        elif isinstance(fact, Subscription):
            begun = microseconds(fact.created_at)
            if fact.ended_at is None:
                created[fact.service_id].append(begun)
            else:
                # Whether it is over depends on the moment that a report looks at.
                ended[fact.service_id].append((begun, microseconds(fact.ended_at)))
        elif isinstance(fact, SubscriptionChange):
            side = joined if fact.action is SubscriptionAction.SUBSCRIBE else left
            side[fact.service_id].append(microseconds(fact.changed_at))
    return {
        name: ServiceCounts(
            label=services[name].label if name in services else "",
            channel=services[name].channel if name in services else "email",
            created=created[name],
            ended=ended[name],
            joined=joined[name],
            left=left[name],
        )
        for name in sorted({*services, *created, *ended, *joined, *left})
    }


def applications_of(facts: Iterable[Fact]) -> dict[str, StepCounts]:
    """The numbers of web applications; the steps of one that nobody registered have no order, so none is first."""
    applications: dict[str, WebApplication] = {}
    seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for fact in facts:
        if isinstance(fact, WebApplication):
            applications[fact.id] = fact
        elif isinstance(fact, StepView):
            seen[fact.application_id][fact.source_id].add(fact.step)
    found = {}
    for name in sorted({*applications, *seen}):
        application = applications.get(name)
        steps = application.steps if application else ()
        people = seen[name].values()
        found[name] = StepCounts(
            label=application.label if application else "",
            steps=steps,
            persons=Counter(step for shown in people for step in shown),
            every=sum(bool(steps) and shown.issuperset(steps) for shown in people),
            only_first=sum(bool(steps) and shown.intersection(steps) == {steps[0]} for shown in people),
        )
    return found
