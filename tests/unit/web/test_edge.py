"""What all frontends share."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import Hit
from msgtrack.redirect import Headers, RedirectHandler, Request
from msgtrack.web import asgi, wsgi
from msgtrack.web._edge import TOO_MUCH, Edge

AT = datetime(2026, 3, 1, tzinfo=UTC)
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/">x</a>', delivery_id="spring").render(message_id=1)
PATH = (PAGE.html or "").split('"')[1].removeprefix("https://t.example.com")
REQUEST = Request(method="GET", url=PATH, client_ip="198.51.100.7", received_at=AT)


def by_answer(edge: Edge) -> int:
    return edge.answer(REQUEST)[0].status


def by_shortcut(edge: Edge) -> int:
    # The first one like it is answered at length.
    RedirectHandler.handle(edge._handle.__self__, REQUEST)  # type: ignore[attr-defined]
    found = edge.short("GET", PATH, Headers(), AT)
    assert found is not None
    return found[0].response.status


WAYS = pytest.mark.parametrize("way", [by_answer, by_shortcut])


def test_what_failed_behind_the_handler_is_logged_without_token_or_address(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(*_: object) -> bool:
        raise RuntimeError("198.51.100.7 asked for a token")

    edge = Edge(RedirectHandler(TRACKER, check=breaks, fallback_url="https://safe.example/"))
    with caplog.at_level(logging.ERROR, logger="msgtrack.web"):
        response, _ = edge.answer(REQUEST)
    assert response.status < 400
    assert caplog.messages == ["a reader was answered without the help of check: RuntimeError"]


@WAYS
@pytest.mark.parametrize("kind", [RuntimeError, OSError, BlockingIOError, RecursionError])
def test_what_record_and_observe_raise_is_logged_and_the_answer_leaves(
    way: Callable[[Edge], int], kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """R24."""
    told: list[object] = []

    def breaks(*given: object) -> None:
        told.append(given[0])
        raise kind(f"198.51.100.7 asked for {PATH}: {given}")

    edge = Edge(RedirectHandler(TRACKER), record=breaks, observe=breaks)
    with caplog.at_level(logging.DEBUG):
        assert way(edge) == 302
    assert [type(it) for it in told] == [Hit, str]
    assert caplog.messages == [
        f"a reader was answered, and the hit is lost because of record: {kind.__name__}",
        f"an answer was not counted because of observe: {kind.__name__}",
    ]
    # Whoever formats records anew finds no error in them, nor its traceback.
    assert not any(record.exc_info or PATH in repr(vars(record)) for record in caplog.records)


def test_an_observer_that_raises_costs_no_refused_answer(caplog: pytest.LogCaptureFixture) -> None:
    """R24."""

    def breaks(*_: object) -> None:
        raise RuntimeError("full")

    assert Edge(RedirectHandler(TRACKER), observe=breaks).refuse(TOO_MUCH) is TOO_MUCH
    assert caplog.messages == ["an answer was not counted because of observe: RuntimeError"]


@WAYS
def test_what_ends_the_process_is_not_kept_from_it(way: Callable[[Edge], int]) -> None:
    """R24: only exceptions are."""

    def ends(_: Hit) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        way(Edge(RedirectHandler(TRACKER), record=ends))


async def asynchronous(*_: object) -> None: ...


class Asynchronous:
    async def __call__(self, *_: object) -> None: ...


async def generating(*_: object) -> Any:
    yield


APPS = pytest.mark.parametrize("app", [asgi.TrackingApp, wsgi.TrackingApp])


@APPS
@pytest.mark.parametrize("name", ["record", "observe", "clock"])
@pytest.mark.parametrize(
    "value",
    [5, "record", object(), asynchronous, Asynchronous(), functools.partial(asynchronous, 1), generating],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_function_that_would_do_nothing_is_refused(app: Any, name: str, value: object) -> None:
    """R24."""
    with pytest.raises(InvalidOption, match=f"^{name} must be a"):
        app(RedirectHandler(TRACKER), **{name: value})


@APPS
@pytest.mark.parametrize("handler", [None, TRACKER, RedirectHandler, "handler"], ids=lambda value: type(value).__name__)
def test_a_handler_that_handles_nothing_is_refused(app: Any, handler: object) -> None:
    with pytest.raises(InvalidValue, match=r"^handler must be a RedirectHandler"):
        app(handler)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "10", None, True])
def test_a_body_needs_time(seconds: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^body_seconds must be a number above zero"):
        asgi.TrackingApp(RedirectHandler(TRACKER), body_seconds=seconds)
    with pytest.raises(InvalidOption, match=r"^on_shutdown must be a"):
        asgi.TrackingApp(RedirectHandler(TRACKER), on_shutdown=seconds if seconds is not None else 5)
