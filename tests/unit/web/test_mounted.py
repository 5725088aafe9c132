"""Frontends inside larger applications: under a prefix, beside other pages, and without their framework."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import sys
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pytest

from msgtrack import Keyring, Tracker
from msgtrack.errors import MissingExtra
from msgtrack.hits import Hit
from msgtrack.redirect import RedirectHandler
from msgtrack.web.wsgi import TrackingApp

AT = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
TRACKER = Tracker("https://shop.example/t", Keyring.from_secrets("a secret that is long enough to sign with"))
PAGE = TRACKER.compile(html='<a href="https://shop.example/lamps">x</a>', delivery_id="spring")
(CLICK,) = re.findall(r'href="https://shop\.example([^"]+)"', PAGE.render(message_id="7").html or "")
Ask = Callable[[str], tuple[int, str | None]]


def by_flask(hits: list[Hit]) -> Ask:
    flask = pytest.importorskip("flask")
    from msgtrack.web.flask import tracking_blueprint

    app = flask.Flask("shop")
    app.add_url_rule("/page", view_func=lambda: "page")
    app.register_blueprint(
        tracking_blueprint(RedirectHandler(TRACKER), record=hits.append, clock=lambda: AT), url_prefix="/t"
    )

    def ask(target: str) -> tuple[int, str | None]:
        answer = app.test_client().get(target)
        return answer.status_code, answer.headers.get("location")

    return ask


def by_starlette(hits: list[Hit]) -> Ask:
    pytest.importorskip("starlette")
    httpx = pytest.importorskip("httpx")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from msgtrack.web.starlette import tracking_mount

    mount = tracking_mount("/t", RedirectHandler(TRACKER), record=hits.append, clock=lambda: AT)
    shop = Starlette(routes=[Route("/page", lambda _: PlainTextResponse("page")), mount])

    async def get(target: str) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shop), base_url="https://shop.example") as client:
            return await client.get(target)

    def ask(target: str) -> tuple[int, str | None]:
        answer = asyncio.run(get(target))
        return answer.status_code, answer.headers.get("location")

    return ask


def by_django(hits: list[Hit]) -> Ask:
    pytest.importorskip("django")
    from django.conf import UserSettingsHolder, global_settings, settings

    holder = UserSettingsHolder(global_settings)
    holder.ALLOWED_HOSTS, holder.MIDDLEWARE = ["*"], ["django.middleware.csrf.CsrfViewMiddleware"]
    holder.SECRET_KEY = "a secret of Django's own"
    holder.ROOT_URLCONF = urls = types.ModuleType("urls")
    settings._wrapped = holder
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.urls import clear_url_caches, include, path

    from msgtrack.web.django import tracking_urls

    found = tracking_urls(RedirectHandler(TRACKER), record=hits.append, clock=lambda: AT)
    urls.urlpatterns = [path("page", lambda _: HttpResponse("page")), path("t/", include(found))]  # type: ignore[attr-defined]
    clear_url_caches()
    return lambda target: call(WSGIHandler(), target)


def call(app: Any, target: str, **environ: Any) -> tuple[int, str | None]:
    """What a WSGI application answers, without a server that tells the path as it was sent."""
    said: list[Any] = []
    given = {
        "REQUEST_METHOD": "GET", "PATH_INFO": target, "SERVER_NAME": "shop.example", "SERVER_PORT": "80",
        "wsgi.input": BytesIO(), "wsgi.url_scheme": "http", **environ,
    }  # fmt: skip
    b"".join(app(given, lambda status, headers: said.extend((status, headers))))
    headers = {name.lower(): value for name, value in said[1]}
    return int(said[0].split()[0]), headers.get("location")


class Breaking(list[Hit]):
    """Takes no hit, and says in its error what nobody should read."""

    def append(self, hit: Hit) -> None:
        raise RuntimeError(f"no room for {hit.url}")


@pytest.fixture(params=[by_flask, by_starlette, by_django], ids=lambda made: made.__name__)
def mounted(request: pytest.FixtureRequest) -> Any:
    hits: list[Hit] = Breaking() if "breaking" in request.fixturenames else []
    conf = sys.modules.get("django.conf")
    before = conf.settings._wrapped if conf is not None else None
    yield request.param(hits), hits
    if request.param is by_django:
        sys.modules["django.conf"].settings._wrapped = before if conf is not None else sys.modules["django.conf"].empty


def test_it_answers_under_its_prefix_and_nothing_else(mounted: tuple[Ask, list[Hit]]) -> None:
    ask, hits = mounted
    assert ask(CLICK) == (302, "https://shop.example/lamps")
    assert ask("/page") == (200, None)
    assert ask("/t/nothing/here")[0] == 404
    assert [(hit.url, hit.received_at) for hit in hits] == [(CLICK, AT), ("/t/nothing/here", AT)]
    assert hits[0].received_at.tzinfo is UTC


@pytest.fixture
def breaking() -> None:
    """What records in the test raises."""


@pytest.mark.usefixtures("breaking")
def test_a_record_that_raises_costs_the_hit_and_not_the_answer(
    mounted: tuple[Ask, list[Hit]], caplog: pytest.LogCaptureFixture
) -> None:
    """R24: nor do frameworks hear of it, some of which write addresses to their own logs."""
    ask, hits = mounted
    with caplog.at_level(logging.DEBUG):
        assert ask(CLICK) == (302, "https://shop.example/lamps")
        assert ask("/t/nothing/here")[0] == 404
    assert hits == []
    ours = [record.getMessage() for record in caplog.records if record.name == "msgtrack.web"]
    assert ours == ["a reader was answered, and the hit is lost because of record: RuntimeError"] * 2
    assert "no room for" not in caplog.text


def test_a_decoded_path_is_encoded_once_more() -> None:
    hits: list[Hit] = []
    app = TrackingApp(RedirectHandler(TRACKER), record=hits.append, clock=lambda: AT)
    call(app, "/a b/%2F\u00c3\u00a9\n", SCRIPT_NAME="/t", QUERY_STRING="x=%20")
    call(app, "/a", RAW_URI="/%61?y")
    call(app, "/a", REQUEST_URI="http://evil.example/b", QUERY_STRING="")
    assert [hit.url for hit in hits] == ["/t/a%20b/%252F%C3%A9%0A?x=%20", "/%61?y", "/a"]


class _BreaksOff:
    """A body whose end is missing, of a server that says so."""

    def __init__(self, kind: type[Exception]) -> None:
        self._parts = [b"List-Unsubscribe=One-Click"]
        self._kind = kind

    def read(self, _: int) -> bytes:
        if self._parts:
            return self._parts.pop()[:20]
        raise self._kind("chunks without an end")


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "26", "wsgi.input": BytesIO(b"List-Unsubscribe=One-Click")}, 200),
        ({"CONTENT_LENGTH": "27", "wsgi.input": BytesIO(b"List-Unsubscribe=One-Click")}, 400),
        ({"CONTENT_LENGTH": "65537"}, 413),
        ({"CONTENT_LENGTH": "9" * 5000}, 413),
        ({"CONTENT_LENGTH": "\u0661"}, 200),
        ({"CONTENT_LENGTH": "-1"}, 200),
        ({"wsgi.input": BytesIO(b"x" * 65_537), "wsgi.input_terminated": True}, 413),
        # Without an end nothing is read: a server might wait for ever.
        ({"wsgi.input": None}, 200),
        ({"wsgi.input": None, "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"wsgi.input": BytesIO(), "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, 200),
        ({"wsgi.input": _BreaksOff(ValueError), "wsgi.input_terminated": True}, 400),
        ({"wsgi.input": _BreaksOff(ConnectionResetError), "CONTENT_LENGTH": "26"}, 400),
    ],
)
def test_bodies_by_wsgi(environ: dict[str, Any], status: int) -> None:
    hits: list[Hit] = []
    seen: list[tuple[str, float]] = []
    app = TrackingApp(
        RedirectHandler(TRACKER), record=hits.append, clock=lambda: AT, observe=lambda *told: seen.append(told)
    )
    url = TRACKER.opt_out_url(delivery_id="spring", message_id="7").removeprefix("https://shop.example")
    kind = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "REQUEST_METHOD": "POST"}
    assert call(app, url, **kind, **environ)[0] == status
    assert len(hits) == (status == 200)
    assert [reason for reason, _ in seen] == {200: ["opt-out"], 400: [], 411: [], 413: ["too-large"]}[status]


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("django", "django", "django"),
        ("flask", "flask", "flask"),
        ("starlette", "starlette", "starlette"),
        ("metrics", "prometheus_client", "prometheus"),
    ],
)
def test_a_missing_framework_is_named(module: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"msgtrack.web.{module}", raising=False)
    with pytest.raises(MissingExtra, match="which is not installed") as raised:
        importlib.import_module(f"msgtrack.web.{module}")
    assert f"msgtrack[{extra}]" in str(raised.value.hint)
