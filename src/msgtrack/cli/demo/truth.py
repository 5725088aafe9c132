"""The demonstration's ground truth: every indicator, counted by hand from what the audience did.

It asks the library nothing: the formulas are those of the published reference, written out once more as plain loops
over plain lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from attrs import define, field

from msgtrack.cli.demo.audience import Deed
from msgtrack.cli.demo.campaign import Recipient

__all__ = ["Truth", "count_truth"]

Number = int | float | Decimal | None


@define
class Truth:
    """The numbers as they must come out: scalars by key, and series by key and grouping."""

    scalars: dict[str, Number] = field(factory=dict)
    series: dict[tuple[str, str], dict[str, Number]] = field(factory=dict)


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None


def _scaled(opens: int, to_deliver: int, text: int) -> int | None:
    html = to_deliver - text
    return (2 * opens * to_deliver + html) // (2 * html) if html else None


def count_truth(
    recipients: list[Recipient], deeds: list[Deed], kinds: dict[str, list[str]], labels: dict[str, list[str]]
) -> Truth:
    """Count everything.

    Args:
        recipients: all of them, those that were refused too.
        deeds: what the audience did.
        kinds: of the links of ``html`` and ``text``, in order: ``click``, ``opt-out`` or ``mirror-page``.
        labels: their labels.
    """
    real = [recipient for recipient in recipients if not recipient.is_seed]
    deeds = [deed for deed in deeds if deed.recipient is None or not deed.recipient.is_seed]
    scalars: dict[str, Number] = {}

    def kind(deed: Deed) -> str:
        return "open" if deed.what == "open" else kinds[deed.part][deed.link]

    def messages(of: Iterable[Deed]) -> int:
        return len({deed.recipient.message_id for deed in of if deed.recipient is not None})

    opens = [deed for deed in deeds if kind(deed) == "open"]
    clicks = [deed for deed in deeds if kind(deed) == "click"]
    opt_outs = [deed for deed in deeds if kind(deed) == "opt-out"]
    mirrors = [deed for deed in deeds if kind(deed) == "mirror-page"]

    to_deliver = len(real)
    text = len([recipient for recipient in real if recipient.format == "text"])
    success = len([recipient for recipient in real if not recipient.is_refused and not recipient.complains])
    complaints = len([recipient for recipient in real if recipient.complains and not recipient.is_refused])
    recipient_open = messages(deeds)
    recipient_click = messages(clicks)
    # Whoever comes by a link with a damaged identity is given no key: he may have refused it.
    person_click = len({deed.browser for deed in clicks if deed.recipient is not None})
    estimated_open = _scaled(recipient_open, to_deliver, text)
    estimated_total = _scaled(len(opens), to_deliver, text)

    scalars["to_deliver"] = to_deliver
    scalars["success"] = scalars["sends"] = success
    scalars["complaints"] = complaints
    scalars["recipient_open"] = recipient_open
    scalars["total_recipient_open"] = len(opens)
    scalars["estimated_recipient_open"] = estimated_open
    scalars["estimated_total_recipient_open"] = estimated_total
    scalars["recipient_click"] = recipient_click
    scalars["person_click"] = person_click
    scalars["total_recipient_click"] = len(clicks)
    scalars["opt_out"] = len(opt_outs)
    scalars["mirror_page"] = len(mirrors)
    scalars["forward_estimate"] = person_click - recipient_click
    scalars["raw_reactivity"] = _share(recipient_click, recipient_open)
    scalars["estimated_reactivity"] = scalars["reactivity"] = _share(recipient_click, estimated_open)
    scalars["distinct_open_rate"] = _share(estimated_open, success)
    scalars["total_open_rate"] = _share(estimated_total, success)
    scalars["opt_out_rate"] = _share(len(opt_outs), success)
    scalars["mirror_page_rate"] = _share(len(mirrors), success)
    scalars["forward_rate"] = _share(person_click - recipient_click, success)
    scalars["person_click_rate"] = scalars["distinct_clicks"] = _share(person_click, success)
    scalars["total_click_rate"] = scalars["cumulated_clicks"] = _share(len(clicks), success)
    scalars["recipient_click_rate"] = _share(recipient_click, success)
    scalars["domain_complaint_rate"] = _share(complaints, success)
    scalars["domain_open_rate"] = _share(recipient_open, success)
    scalars["domain_click_rate"] = _share(recipient_click, success)
    for key in ("total_web_page", "transaction", "article"):
        scalars[key] = 0
    scalars["amount"] = Decimal(0)
    scalars["average_transaction_amount"] = scalars["average_article_per_transaction"] = None
    scalars["average_amount_per_message"] = Decimal(0) if to_deliver else None
    for network in ("email", "facebook", "twitter", "delicious", "digg", "google", "linkedin"):
        scalars[f"share_{network}"] = 0
    scalars["tracking_statistics_opens"] = len(opens)
    scalars["tracking_statistics_clicks"] = len(clicks)
    scalars["tracking_statistics_transactions"] = 0
    followed = [deed for deed in deeds if kind(deed) != "open"]
    scalars["url_clicks"] = len(followed)
    scalars["url_clicks_percent"] = 1.0 if followed else None

    truth = Truth(scalars)
    truth.series["url_clicks", "label"] = dict(_tally(labels[deed.part][deed.link].strip() for deed in followed))
    domains = sorted({recipient.domain for recipient in real})
    _by_domain(truth, domains, real, deeds, kind, messages)
    return truth


def _tally(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _by_domain(
    truth: Truth,
    domains: list[str],
    real: list[Recipient],
    deeds: list[Deed],
    kind: Callable[[Deed], str],
    messages: Callable[[Iterable[Deed]], int],
) -> None:
    for domain in domains:
        here = [deed for deed in deeds if deed.recipient is not None and deed.recipient.domain == domain]
        mine = [recipient for recipient in real if recipient.domain == domain]
        sends = len([recipient for recipient in mine if not recipient.is_refused and not recipient.complains])
        complaints = len([recipient for recipient in mine if recipient.complains and not recipient.is_refused])
        opened = messages(here)
        clicked = messages(deed for deed in here if kind(deed) == "click")
        row: dict[str, Number] = {
            "sends": sends,
            "domain_complaint_rate": _share(complaints, sends),
            "domain_open_rate": _share(opened, sends),
            "domain_click_rate": _share(clicked, sends),
            "raw_reactivity": _share(clicked, opened),
        }
        for key, value in row.items():
            truth.series.setdefault((key, "domain"), {})[domain] = value
