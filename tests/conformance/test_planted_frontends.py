"""The suite of frontends is worth something: those with one fault each are caught, by the test that looks for it."""

from __future__ import annotations

import threading
import time
from urllib.parse import quote, unquote

import pytest

from msgtrack.testing import FrontendSuite
from msgtrack.web.asgi import TrackingApp

servers = pytest.importorskip("frontend_servers", reason="the servers of the tests are not installed")


class Faulty:
    """The healthy application, with places for faults."""

    def __init__(self, handler, record, clock):
        self.record = record
        self.app = TrackingApp(self.handler(handler), record=self.take, clock=clock)

    def handler(self, handler):
        return handler

    def take(self, hit):
        self.record(hit)

    def change(self, scope):
        pass

    def answer(self, scope, message):
        return message

    def body(self, message):
        return message

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        changed = dict(scope)
        self.change(changed)

        async def send_changed(message):
            await send(self.answer(scope, dict(message)))

        async def receive_changed():
            return self.body(dict(await receive()))

        await self.app(changed, receive_changed, send_changed)


class DropsTheCookie(Faulty):
    def change(self, scope):
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]


class DropsTheCookieItSets(Faulty):
    def answer(self, scope, message):
        if "headers" in message:
            message["headers"] = [pair for pair in message["headers"] if pair[0] != b"set-cookie"]
        return message


class LowersThePath(Faulty):
    def change(self, scope):
        scope["raw_path"] = scope["raw_path"].lower()


class DecodesTwice(Faulty):
    def change(self, scope):
        path = unquote(unquote(scope["raw_path"].decode("latin-1"), "latin-1"), "latin-1")
        scope["raw_path"] = quote(path, safe="/!$&'(*+),;=:@~", encoding="latin-1").encode()


class TidiesThePath(Faulty):
    def change(self, scope):
        scope["raw_path"] = b"/" + scope["raw_path"].lstrip(b"/")


class DropsTheQuery(Faulty):
    def change(self, scope):
        scope["query_string"] = b""


class RecordsAfterTheAnswer(Faulty):
    def take(self, hit):
        threading.Thread(target=self.record, args=(hit,)).start()


class RecordsTwice(Faulty):
    def take(self, hit):
        self.record(hit)
        self.record(hit)


class SaysHeadHasNothing(Faulty):
    def answer(self, scope, message):
        if scope["method"] == "HEAD" and "headers" in message:
            others = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            message["headers"] = [*others, (b"content-length", b"0")]
        return message


class TakesHeadForGet(Faulty):
    def change(self, scope):
        scope["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]


class JoinsHeadersOfTheAnswer(Faulty):
    def answer(self, scope, message):
        if "headers" in message:
            joined = {}
            for name, value in message["headers"]:
                joined[name] = joined[name] + b", " + value if name in joined else value
            message["headers"] = list(joined.items())
        return message


class JoinsHeadersOfTheRequest(Faulty):
    def change(self, scope):
        joined = {}
        for name, value in scope["headers"]:
            joined[name] = joined[name] + b", " + value if name in joined else value
        scope["headers"] = list(joined.items())


class KnowsNoBytes(Faulty):
    def change(self, scope):
        scope["headers"] = [(name, value.decode("ascii", "ignore").encode()) for name, value in scope["headers"]]


class ForgetsTheClient(Faulty):
    def change(self, scope):
        scope["client"] = None


class RefusesMethodsItself(Faulty):
    async def __call__(self, scope, receive, send):
        if scope.get("method") in {"GET", "HEAD", "POST", None}:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 405, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class ReadsOnePart(Faulty):
    def body(self, message):
        message["body"] = message.get("body", b"")[:1_000]
        return message | {"more_body": False}


class BelievesWhoHasLeft(Faulty):
    """And forgets how much was said to come, by which the application would tell."""

    def change(self, scope):
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-length"]

    def body(self, message):
        return {"type": "http.request"} if message["type"] == "http.disconnect" else message


class BelievesCutChunks(Faulty):
    def body(self, message):
        return {"type": "http.request"} if message["type"] == "http.disconnect" else message


class BelievesShortBodies(BelievesWhoHasLeft):
    pass


class MixesUpWhoAsks(Faulty):
    """Keeps the request at hand in a place that all share."""

    def handler(self, handler):
        class Mixing:
            def handle(self, request):
                self.request = request
                time.sleep(0)
                return handler.handle(self.last(request))

            def last(self, request):
                before, self.before = getattr(self, "before", request), request
                return before

        return Mixing()


SUITE = FrontendSuite()
FAULTS = {
    DropsTheCookie: SUITE.test_F1_every_answer_is_the_handlers,
    DropsTheCookieItSets: SUITE.test_F1_every_answer_is_the_handlers,
    RecordsTwice: SUITE.test_F1_every_answer_is_the_handlers,
    TakesHeadForGet: SUITE.test_F1_every_answer_is_the_handlers,
    JoinsHeadersOfTheAnswer: SUITE.test_F1_headers_that_come_twice_stay_two,
    LowersThePath: SUITE.test_F2_paths_and_queries_arrive_as_they_were_sent,
    DecodesTwice: SUITE.test_F2_paths_and_queries_arrive_as_they_were_sent,
    TidiesThePath: SUITE.test_F2_paths_and_queries_arrive_as_they_were_sent,
    DropsTheQuery: SUITE.test_F2_so_does_whatever_a_path_may_hold,
    JoinsHeadersOfTheRequest: SUITE.test_F3_headers_of_a_request_arrive_one_by_one,
    KnowsNoBytes: SUITE.test_F3_headers_of_a_request_may_hold_any_bytes,
    ForgetsTheClient: SUITE.test_F3_the_address_of_the_client_arrives,
    RefusesMethodsItself: SUITE.test_F4_the_handler_decides_on_every_method,
    SaysHeadHasNothing: SUITE.test_F5_the_answer_to_HEAD_has_no_body_and_the_length_of_that_of_GET,
    ReadsOnePart: SUITE.test_F6_so_do_bodies_whose_length_is_not_said,
    BelievesWhoHasLeft: SUITE.test_F7_who_leaves_before_the_end_has_asked_nothing,
    BelievesShortBodies: SUITE.test_F7_so_has_who_sends_less_than_was_said,
    BelievesCutChunks: SUITE.test_F7_so_has_who_sends_chunks_without_their_end,
    RecordsAfterTheAnswer: SUITE.test_F8_a_hit_is_recorded_before_its_answer_leaves,
    MixesUpWhoAsks: SUITE.test_F9_many_at_once_are_not_mixed_up,
}
CAUGHT = (AssertionError, pytest.fail.Exception)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_suite_catches_the_fault(fault):
    def frontend(handler, record, clock):
        return servers.uvicorn_serving(fault(handler, record, clock))

    with pytest.raises(CAUGHT):
        FAULTS[fault](frontend)


class LosesThePrefix(Faulty):
    def change(self, scope):
        scope["raw_path"] = scope["raw_path"].removeprefix(b"/t")


def test_a_prefix_that_is_lost_is_caught():
    def frontend(handler, record, clock):
        return servers.uvicorn_serving(LosesThePrefix(handler, record, clock))

    suite = FrontendSuite()
    suite.prefix = "/t"
    with pytest.raises(CAUGHT, match="other hits"):
        suite.test_F1_every_answer_is_the_handlers(frontend)


def test_every_test_of_the_suite_catches_something():
    caught = {test.__name__ for test in FAULTS.values()} | {"test_F9_requests_that_follow_each_other_are_told_apart"}
    # The same as of bodies whose length is not said.
    caught.add("test_F6_posted_bodies_arrive_whole_or_are_refused")
    assert caught == {name for name in dir(FrontendSuite) if name.startswith("test_")}


def test_without_a_fault_it_passes():
    def frontend(handler, record, clock):
        return servers.uvicorn_serving(Faulty(handler, record, clock))

    for test in {test.__name__: test for test in FAULTS.values()}.values():
        test(frontend)


def test_a_forgotten_fixture_is_named():
    with pytest.raises(pytest.fail.Exception, match="must override the fixture frontend"):
        FrontendSuite.frontend.__wrapped__(SUITE)
