"""The demonstration from end to end: compile, send, serve, play, collect, report, compare."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from datetime import datetime, timedelta
from html import unescape
from importlib.resources import files
from pathlib import Path
from random import Random

from attrs import define

from msgtrack import Delivery, Keyring, LinkRules, Message, Rule, Tracker, collect, open_store
from msgtrack.cli._common import make_folder, progress, read_html, write_text
from msgtrack.cli.demo.audience import Played, play
from msgtrack.cli.demo.campaign import CAMPAIGN_SECONDS, Recipient, plan_recipients, plan_visits
from msgtrack.cli.demo.compare import Comparison, compare
from msgtrack.cli.demo.mailing import PostOffice, free_port, send_all
from msgtrack.cli.demo.server import ServerProcess
from msgtrack.cli.demo.truth import count_truth
from msgtrack.cli.keys import write_secret
from msgtrack.errors import UnreadableInput
from msgtrack.io import SegmentFolder
from msgtrack.links import CompiledMessage
from msgtrack.metrics import indicators
from msgtrack.model import FailureReason, LinkType, MessageStatus, Part
from msgtrack.protocols import WorkflowRun
from msgtrack.reports import delivery_report
from msgtrack.web.asgi import utc_now

__all__ = ["Outcome", "travel"]

# How long the audience plays: long enough for readers to act one after the other without hurry, so the curves keep their shape.
_MIN_PLAY_SECONDS = 3.0
_VISITS_PER_SECOND = 45
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})</title", re.IGNORECASE)
_RULES = LinkRules(
    rules=(
        Rule(regex=r"(?i)unsub|opt-?out|abmeld|desinscri|d%C3%A9sabonn", mode="opt-out"),
        Rule(regex=r"(?i)mirror|web-?version|view-?(?:in-?)?browser|view-?online", mode="mirror-page"),
    )
)
_KINDS = {LinkType.OPT_OUT: "opt-out", LinkType.MIRROR_PAGE: "mirror-page"}


@define
class Outcome:
    """What came of the demonstration."""

    comparison: Comparison
    played: Played
    run: WorkflowRun
    report_text: str
    report_json: str
    html_path: Path
    store_url: str
    delivery_id: str
    seed: int
    seconds: float

    @property
    def agrees(self) -> bool:
        """Whether every number agreed, every answer was right and no line was lost."""
        return not self.comparison.differences and not self.played.wrong and not self.run.rejected

    def summary(self) -> list[str]:
        """What happened, in a few lines."""
        run, comparison = self.run, self.comparison
        skipped = ", ".join(f"{count} {reason}" for reason, count in run.skipped.items())
        lines = [
            f"{self.played.requests} requests answered, {run.hits} hits collected, {run.added} events kept ({skipped or 'no other hits'})",
            f"store   {self.store_url}, delivery {self.delivery_id}",
            f"report  {self.html_path} (and .json, .csv beside it)",
            f"seed    {self.seed}, took {self.seconds:.1f} s",
        ]
        if self.agrees:
            lines.append(
                f"beyond  {len(comparison.beyond)} indicators of other reports, which the ground truth says nothing of"
            )
            return [*lines, f"All {comparison.compared} numbers agree with the ground truth."]
        lines += [f"wrong answer: {line}" for line in self.played.wrong[:20]]
        lines += [f"does not agree: {line}" for line in comparison.differences]
        return [*lines, "The demonstration FAILED: see above."]

    def show(self) -> None:
        """Print report and summary."""
        print(self.report_text)
        print("\n".join(self.summary()))

    def as_json(self) -> str:
        """Outcome and report as one JSON document."""
        return json.dumps(
            {
                "agrees": self.agrees,
                "compared": self.comparison.compared,
                "beyond": self.comparison.beyond,
                "differences": self.comparison.differences,
                "wrong_answers": self.played.wrong,
                "requests": self.played.requests,
                "hits": self.run.hits,
                "events": self.run.events,
                "store": self.store_url,
                "delivery_id": self.delivery_id,
                "html": str(self.html_path),
                "seed": self.seed,
                "seconds": round(self.seconds, 2),
                "report": json.loads(self.report_json),
            },
            indent=2,
        )


def travel(*, html: str | None, recipients: int, store_url: str | None, seed: int, folder: str, quiet: bool) -> Outcome:
    """Make the whole journey.

    Raises:
        MsgtrackError: a file, a port or the store is not as it should be.
    """
    began = time.monotonic()
    random = Random(seed)  # noqa: S311  # a repeatable audience, nothing secret
    source, text = _newsletter(html)
    home = make_folder(folder)
    now = utc_now()
    delivery_id = f"demo-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    delivery_home = home / delivery_id
    store_url = store_url or f"sqlite:///{home / 'tracking.db'}"
    with open_store(store_url) as store:
        make_folder(delivery_home)
        secret = secrets.token_urlsafe(32)
        keys = write_secret(str(delivery_home / "demo.keys"), secret)
        port = free_port()
        tracker = Tracker(base_url=f"http://127.0.0.1:{port}", keyring=Keyring.from_secrets(secret))
        compiled = tracker.compile(html=source, text=text, delivery_id=delivery_id, rules=_RULES)
        everybody = plan_recipients(recipients, random)
        refused = {recipient.address for recipient in everybody if recipient.is_refused}
        office = PostOffice(tracker.base_url, refused)
        with office, progress("Sending over SMTP", recipients, quiet=quiet) as step:
            arrived = send_all(compiled, everybody, office, _title(source), step)
        start = (now - timedelta(seconds=CAMPAIGN_SECONDS)).replace(second=0, microsecond=0)
        store.put([_delivery(delivery_id, source, everybody, start), *compiled.links])
        store.put(_messages(delivery_id, everybody, arrived, start))
        kinds, labels, urls = _links(compiled)
        visits = plan_visits(arrived, kinds["html"], kinds["text"], random)
        rate = CAMPAIGN_SECONDS / max(_MIN_PLAY_SECONDS, len(visits) / _VISITS_PER_SECOND)
        segments = delivery_home / "hits"
        server = ServerProcess(
            port=port, keys=keys, segments=segments, base_url=tracker.base_url, clock_start=start, clock_rate=rate
        )
        with server, progress(f"Readers ({rate / 3600:.1f} h each s)", len(visits), quiet=quiet) as step:
            played = play(
                visits,
                office.inboxes,
                urls,
                foreign_message=_foreign_message(tracker),
                campaign_per_second=rate,
                random=random,
                step=step,
            )
        with progress("Collecting hits", played.requests, quiet=quiet) as step:
            run = collect({delivery_id: SegmentFolder(segments)}, store, tracker=tracker, now=utc_now, progress=step)
        truth = count_truth(everybody, played.deeds, kinds, labels)
        comparison = compare(truth, indicators(store, delivery_id=delivery_id))
        report = delivery_report(store, delivery_id=delivery_id, now=utc_now())
        html_path = delivery_home / "report.html"
        write_text(str(html_path), report.html(), "report")
        write_text(str(delivery_home / "report.json"), report.json(), "report")
        write_text(str(delivery_home / "report.csv"), report.csv(), "report")
        columns = shutil.get_terminal_size((100, 24)).columns
        return Outcome(
            comparison=comparison,
            played=played,
            run=run,
            report_text=report.text(width=max(60, min(columns, 140))),
            report_json=report.json(),
            html_path=html_path,
            store_url=store_url,
            delivery_id=delivery_id,
            seed=seed,
            seconds=time.monotonic() - began,
        )


def _newsletter(html: str | None) -> tuple[str, str]:
    if html is None:
        folder = files("msgtrack.cli.demo")
        return (
            folder.joinpath("newsletter.html").read_text(encoding="utf-8"),
            folder.joinpath("newsletter.txt").read_text(encoding="utf-8"),
        )
    source = read_html(html).text
    if not source.strip():
        raise UnreadableInput(f"the HTML file {html} is empty")
    # A text part for those who read no HTML: what the message is called, and where its links lead.
    probe = Tracker(base_url="https://probe.invalid", keyring=Keyring.from_secrets(secrets.token_bytes(32)))
    urls = dict.fromkeys(link.url for link in probe.compile(html=source, delivery_id="probe").links)
    text = "\n".join([_title(source), "", *(f"<{url}>" for url in urls if url.isascii() and ">" not in url), ""])
    return source, text


def _title(source: str) -> str:
    found = _TITLE.search(source)
    words = " ".join(unescape(found[1]).split()) if found else ""
    return "".join(character for character in words if character.isprintable()) or "A newsletter"


def _delivery(delivery_id: str, source: str, everybody: list[Recipient], start: datetime) -> Delivery:
    real = sum(not recipient.is_seed for recipient in everybody)
    return Delivery(id=delivery_id, label=_title(source), to_deliver=real, contact_at=start)


def _messages(delivery_id: str, everybody: list[Recipient], arrived: list[Recipient], start: datetime) -> list[Message]:
    there = {recipient.message_id for recipient in arrived}
    messages = []
    for recipient in everybody:
        reason = FailureReason.NOT_DEFINED
        if recipient.message_id not in there:
            reason = FailureReason.UNKNOWN_USER
        elif recipient.complains:
            reason = FailureReason.DENYLISTED
        failed = reason is not FailureReason.NOT_DEFINED
        messages.append(
            Message(
                id=recipient.message_id,
                delivery_id=delivery_id,
                recipient_id=f"r{recipient.message_id}",
                address=recipient.address,
                status=MessageStatus.FAILED if failed else MessageStatus.SENT,
                failure_reason=reason,
                format=recipient.format,
                is_seed=recipient.is_seed,
                event_at=start,
            )
        )
    return messages


def _links(compiled: CompiledMessage) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
    kinds: dict[str, list[str]] = {"html": [], "text": []}
    labels: dict[str, list[str]] = {"html": [], "text": []}
    urls: dict[str, list[str]] = {"html": [], "text": []}
    for link in compiled.links:
        part = "html" if link.part is Part.HTML else "text"
        kinds[part].append(_KINDS.get(link.type, "click"))
        labels[part].append(link.label)
        urls[part].append(link.url)
    return kinds, labels, urls


def _foreign_message(tracker: Tracker) -> str:
    other = tracker.compile(html="<body></body>", delivery_id="another-delivery").render(message_id="1").html or ""
    return other.partition(tracker.base_url + "1/")[2].partition('"')[0]
