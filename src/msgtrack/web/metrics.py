"""What a redirect server did, counted for Prometheus: answers by outcome, the time they took, hits that were lost,
removed or are in doubt.

Needs the extra ``prometheus``. No label holds anything that a client sent: no URL, no token, no address.
"""

from __future__ import annotations

from msgtrack.errors import MissingExtra

try:
    from prometheus_client import CollectorRegistry, Counter, Histogram
except ImportError as error:
    raise MissingExtra(
        f"msgtrack.web.metrics needs the package {error.name!r}, which is not installed",
        hint="pip install 'msgtrack[prometheus]'",
    ) from error

__all__ = ["RequestMetrics"]

_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class RequestMetrics:
    """Counts in a registry of prometheus_client; may be used from any number of threads.

    - ``msgtrack_answers_total{outcome}``: answers by the handler's reason; ``too-large`` and ``too-slow`` for bodies that were refused.
    - ``msgtrack_answer_seconds``: histogram of the time from a whole request to its answer, its hit being recorded.
    - ``msgtrack_hits_lost_total``: hits that were answered and could not be kept, as far as :meth:`lost` is told.
    - ``msgtrack_hits_removed_total``: hits that stood in a segment which was removed or cut while it was written, see :meth:`removed`.
    - ``msgtrack_hits_in_doubt_total``: hits that were written to a disk which could not be synced, see :meth:`in_doubt`.

    Args:
        registry: where the metrics are registered; ``prometheus_client.REGISTRY`` is the one of the whole process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter("msgtrack_answers", "Answers by outcome.", ["outcome"], registry=registry)
        self._seconds = Histogram(
            "msgtrack_answer_seconds",
            "Seconds to make an answer and record its hit.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._lost = Counter("msgtrack_hits_lost", "Hits answered that could not be kept.", registry=registry)
        self._removed = Counter(
            "msgtrack_hits_removed", "Hits written to a segment that was removed or cut.", registry=registry
        )
        self._in_doubt = Counter(
            "msgtrack_hits_in_doubt", "Hits written to a disk that could not be synced.", registry=registry
        )
        self._by_outcome: dict[str, Counter] = {}

    def observe(self, reason: str, seconds: float) -> None:
        """Count one answer; what ``observe`` of every frontend takes."""
        answers = self._by_outcome.get(reason)
        if answers is None:
            answers = self._by_outcome[reason] = self._answers.labels(reason)
        answers.inc()
        self._seconds.observe(seconds)

    def lost(self, hits: int = 1) -> None:
        """Count hits that could not be kept."""
        self._lost.inc(hits)

    def removed(self, hits: int = 1) -> None:
        """Count hits whose segment was removed or cut; what a collector had read of them is not lost."""
        self._removed.inc(hits)

    def in_doubt(self, hits: int = 1) -> None:
        """Count hits of which the disk said that it could not keep them."""
        self._in_doubt.inc(hits)
