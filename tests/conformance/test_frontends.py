"""Every frontend of ours keeps the clauses of docs/spec/frontends.md, on the servers that it is meant for."""

from __future__ import annotations

import types
from contextlib import contextmanager

import pytest

from msgtrack.testing import FrontendSuite
from msgtrack.testing._frontend_requests import HANDLERS
from msgtrack.web import asgi, wsgi

servers = pytest.importorskip("frontend_servers", reason="the servers of the tests are not installed")


class TestAsgiOnUvicorn(FrontendSuite):
    @pytest.fixture
    def frontend(self):
        def serving(handler, record, clock):
            return servers.uvicorn_serving(asgi.TrackingApp(handler, record=record, clock=clock))

        return serving


class TestWsgiOnWaitress(FrontendSuite):
    separate_headers = False

    @pytest.fixture
    def frontend(self):
        def serving(handler, record, clock):
            return servers.waitress_serving(wsgi.TrackingApp(handler, record=record, clock=clock))

        return serving


class TestStarlette(FrontendSuite):
    @pytest.fixture
    def frontend(self):
        applications = pytest.importorskip("starlette.applications")
        from msgtrack.web.starlette import tracking_mount

        def serving(handler, record, clock):
            mount = tracking_mount(self.prefix, handler, record=record, clock=clock)
            return servers.uvicorn_serving(applications.Starlette(routes=[mount]))

        return serving


class TestStarletteMounted(TestStarlette):
    prefix = "/t"


class TestFlask(FrontendSuite):
    separate_headers = False

    @pytest.fixture
    def frontend(self):
        flask = pytest.importorskip("flask")
        from msgtrack.web.flask import tracking_blueprint

        def serving(handler, record, clock):
            app = flask.Flask("shop")
            blueprint = tracking_blueprint(handler, record=record, clock=clock)
            app.register_blueprint(blueprint, url_prefix=self.prefix or None)
            return servers.waitress_serving(app)

        return serving


class TestFlaskMounted(TestFlask):
    prefix = "/t"


@pytest.fixture
def django_serving():
    """Gives what serves a handler by Django, for a gateway of it and a server."""
    conf = pytest.importorskip("django.conf")
    before = conf.settings._wrapped
    holder = conf.UserSettingsHolder(conf.global_settings)
    holder.ALLOWED_HOSTS = ["t.example.com"]
    holder.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    holder.SECRET_KEY = "a secret of Django's own"
    conf.settings._wrapped = holder
    import django
    from django.urls import clear_url_caches, include, path

    from msgtrack.web.django import tracking_urls

    @contextmanager
    def serving(handler, record, clock, gateway, server):
        urls = types.ModuleType("urls")
        urls.urlpatterns = [path("", include(tracking_urls(handler, record=record, clock=clock)))]
        holder.ROOT_URLCONF = urls
        clear_url_caches()
        with server(gateway()) as port:
            yield port

    django.setup(set_prefix=False)
    yield serving
    conf.settings._wrapped = before
    clear_url_caches()


class TestDjango(FrontendSuite):
    separate_headers = False

    @pytest.fixture
    def frontend(self, django_serving):
        from django.core.handlers.wsgi import WSGIHandler

        return lambda *given: django_serving(*given, WSGIHandler, servers.waitress_serving)


class TestDjangoByAsgi(FrontendSuite):
    separate_headers = False

    @pytest.fixture
    def frontend(self, django_serving):
        from django.core.handlers.asgi import ASGIHandler

        return lambda *given: django_serving(*given, ASGIHandler, servers.uvicorn_serving)


@pytest.fixture(scope="module")
def granian(tmp_path_factory):
    pytest.importorskip("granian")
    running = servers.Granian(tmp_path_factory.mktemp("granian"))
    yield running
    running.close()


def _on_granian(granian, interface):
    def serving(handler, record, clock):
        name = next(name for name, made in HANDLERS.items() if made is handler)
        return granian.serving(interface, name, record)

    return serving


class TestAsgiOnGranian(FrontendSuite):
    @pytest.fixture
    def frontend(self, granian):
        return _on_granian(granian, "asgi")


class TestWsgiOnGranian(FrontendSuite):
    any_bytes = False
    raw_paths = False
    separate_headers = False
    # Its wsgi.input ends at a cut as at the end, whichever way it is read in parts.
    tells_cut_chunks = False

    @pytest.fixture
    def frontend(self, granian):
        return _on_granian(granian, "wsgi")


def test_a_server_that_can_less_is_known_by_name():
    """So that a clause which is switched off by mistake does not just turn a test into a skip."""
    flags = ("raw_paths", "separate_headers", "any_bytes", "takes_chunks", "tells_cut_chunks")
    suites = [suite for suite in globals().values() if isinstance(suite, type) and issubclass(suite, FrontendSuite)]
    lacking = {suite.__name__: {flag for flag in flags if not getattr(suite, flag)} for suite in suites}
    joined = {"separate_headers"}
    assert lacking == {
        "FrontendSuite": set(),
        "TestAsgiOnGranian": set(),
        "TestAsgiOnUvicorn": set(),
        "TestDjango": joined,
        "TestDjangoByAsgi": joined,
        "TestFlask": joined,
        "TestFlaskMounted": joined,
        "TestStarlette": set(),
        "TestStarletteMounted": set(),
        "TestWsgiOnGranian": {"any_bytes", "raw_paths", "separate_headers", "tells_cut_chunks"},
        "TestWsgiOnWaitress": joined,
    }


def test_a_server_that_hands_on_chunks_unread_is_not_believed_to_have_none():
    """F6, F7: the standard library's. It tidies paths, so it is no server for links, but frameworks have it for development."""
    suite = FrontendSuite()
    suite.takes_chunks = False

    def serving(handler, record, clock):
        return servers.wsgiref_serving(wsgi.TrackingApp(handler, record=record, clock=clock))

    suite.test_F6_so_do_bodies_whose_length_is_not_said(serving)
    suite.test_F7_so_has_who_sends_less_than_was_said(serving)
