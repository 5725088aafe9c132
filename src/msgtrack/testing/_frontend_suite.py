"""The conformance suite of frontends: the clauses of ``docs/spec/frontends.md``, each as a test that names it.

Joining takes a fixture::

    from msgtrack.testing import FrontendSuite

    class TestMyFrontend(FrontendSuite):
        @pytest.fixture
        def frontend(self):
            @contextmanager
            def serving(handler, record, clock):
                with my_server(my_app(handler, record=record, clock=clock)) as port:
                    yield port
            return serving
"""

# ruff: noqa: N802, S101  # the names of tests cite the clause, as the page writes it; and tests assert

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from urllib.parse import quote, unquote_to_bytes

import pytest
from attrs import evolve

from msgtrack.hits import Hit
from msgtrack.redirect import Outcome, RedirectHandler, Request
from msgtrack.testing import _frontend_requests as requests
from msgtrack.testing._frontend_http import Answer, Asked, Line, ask_all

__all__ = ["Frontend", "FrontendSuite"]

Frontend = Callable[[RedirectHandler, Callable[[Hit], object], Callable[[], datetime]], AbstractContextManager[int]]
"""Serves on ``127.0.0.1`` while its block runs: given a handler, who takes the hits, and a clock; yields the port."""

_SERVERS_OWN = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "via"}
_PATH = "/!$&'(*+),;=:@~"


class FrontendSuite:
    """What every server around the handler must do, over real HTTP: say what the handler says, and keep what it keeps.

    - **Must override**: the fixture ``frontend``.
    - **May override**: ``prefix``, where the frontend is mounted below the root; and ``raw_paths``, ``separate_headers``,
      ``any_bytes``, ``takes_chunks`` and ``tells_cut_chunks``, where the server beneath cannot do better.
    - **Never touch**: the tests.
    """

    prefix: str = ""
    """Where it is mounted, such as ``/t``: stands before each path that is asked, and ends the tracker's ``base_url``."""

    raw_paths: bool = True
    """Whether the server hands on the path as it was sent; if not, it is compared as decoded once and encoded again."""

    separate_headers: bool = True
    """Whether headers of a request that come twice are handed on one by one."""

    any_bytes: bool = True
    """Whether headers of a request are handed on whatever their bytes are."""

    takes_chunks: bool = True
    """Whether bodies without ``Content-Length`` are taken; where they are not, they are refused."""

    tells_cut_chunks: bool = True
    """Whether a body without ``Content-Length`` that breaks off is told from one that is whole."""

    @pytest.fixture
    def frontend(self) -> Frontend:
        """Must override: a function that serves on a port; see :data:`Frontend`."""
        pytest.fail(f"{type(self).__name__} must override the fixture frontend")

    def test_F1_every_answer_is_the_handlers(self, frontend: Frontend) -> None:
        """F1: status, headers and body."""
        self._compare(frontend, [*requests.ordinary(), *requests.with_headers()])

    def test_F1_headers_that_come_twice_stay_two(self, frontend: Frontend) -> None:
        """F1: of an answer."""
        self._compare(frontend, requests.ordinary()[:4], handler="twice")

    def test_F2_paths_and_queries_arrive_as_they_were_sent(self, frontend: Frontend) -> None:
        """F2."""
        self._compare(frontend, requests.paths())

    def test_F2_so_does_whatever_a_path_may_hold(self, frontend: Frontend) -> None:
        """F2."""
        self._compare(frontend, requests.any_paths(120))

    def test_F3_headers_of_a_request_arrive_one_by_one(self, frontend: Frontend) -> None:
        """F3."""
        if not self.separate_headers:
            pytest.skip(
                "this server does not hand on headers one by one: they are joined before the application sees them"
            )
        self._compare(frontend, requests.twice())

    def test_F3_headers_of_a_request_may_hold_any_bytes(self, frontend: Frontend) -> None:
        """F3."""
        if not self.any_bytes:
            pytest.skip(
                "this server does not hand on any bytes in headers: those beyond ASCII are lost before the application"
            )
        self._compare(frontend, requests.beyond_ascii())

    def test_F3_the_address_of_the_client_arrives(self, frontend: Frontend) -> None:
        """F3: the person's key is made of it."""
        self._compare(frontend, requests.ordinary()[:2], handler="hash")

    def test_F4_the_handler_decides_on_every_method(self, frontend: Frontend) -> None:
        """F4."""
        self._compare(frontend, requests.methods())

    def test_F5_the_answer_to_HEAD_has_no_body_and_the_length_of_that_of_GET(self, frontend: Frontend) -> None:
        """F5."""
        with frontend(self._handler("cookie"), list[Hit]().append, _clock) as port:
            for asked in self._under(requests.ordinary()):
                if asked.method != "HEAD":
                    continue
                with Line(port) as line:
                    line.send(asked.head())
                    headed = line.receive("HEAD")
                    got = line.ask(evolve(asked, method="GET")) if not headed.closes else None
                    assert headed.closes is False or not line.leftover(), f"{asked.name}: the answer has a body"
                length = headed.header("content-length")
                if got is not None and length is not None:
                    assert int(length) == len(got.body), f"{asked.name}: Content-Length {length}"

    def test_F6_posted_bodies_arrive_whole_or_are_refused(self, frontend: Frontend) -> None:
        """F6: at most 65,536 bytes; what is refused is not recorded."""
        self._compare(frontend, requests.posted(chunked=False))

    def test_F6_so_do_bodies_whose_length_is_not_said(self, frontend: Frontend) -> None:
        """F6."""
        if self.takes_chunks:
            self._compare(frontend, requests.posted(chunked=True))
            return
        asked = self._under(requests.posted(chunked=True))
        hits: list[Hit] = []
        with frontend(self._handler("cookie"), hits.append, _clock) as port:
            for each, answer in zip(asked, ask_all(port, asked), strict=True):
                assert 400 <= answer.status < 500, f"{each.name}: a body that is not read is answered {answer.status}"
        assert hits == []

    def test_F7_who_leaves_before_the_end_has_asked_nothing(self, frontend: Frontend) -> None:
        """F7."""
        (asked,) = self._under(requests.posted(chunked=False)[:1])
        hits: list[Hit] = []
        with frontend(self._handler("cookie"), hits.append, _clock) as port:
            with Line(port) as line:
                line.send(asked.head() + asked.body[:-1])
            time.sleep(0.3)
            ask_all(port, self._under(requests.ordinary()[:1]))
        assert [hit.method for hit in hits] == ["GET"]

    def test_F7_so_has_who_sends_less_than_was_said(self, frontend: Frontend) -> None:
        """F7: whoever still listens hears 400, or nothing."""
        self._break_off(frontend, requests.cut(self.prefix, chunked=False))

    def test_F7_so_has_who_sends_chunks_without_their_end(self, frontend: Frontend) -> None:
        """F7."""
        if not self.tells_cut_chunks:
            pytest.skip("this server does not tell chunks that break off from those that are whole")
        self._break_off(frontend, requests.cut(self.prefix, chunked=True))

    def test_F8_a_hit_is_recorded_before_its_answer_leaves(self, frontend: Frontend) -> None:
        """F8: however long that takes."""
        hits: list[Hit] = []

        def slowly(hit: Hit) -> None:
            time.sleep(0.1)
            hits.append(hit)

        with frontend(self._handler("cookie"), slowly, _clock) as port:
            for number, asked in enumerate(self._under(requests.ordinary()[:3]), start=1):
                ask_all(port, [asked])
                assert len(hits) == number, f"{asked.name}: answered before it was recorded"

    def test_F9_requests_that_follow_each_other_are_told_apart(self, frontend: Frontend) -> None:
        """F9: sent at once on one connection, each is answered in its turn, or not at all."""
        posted = requests.posted(chunked=False)[0]
        asked = self._under([*requests.ordinary()[:6], posted, *requests.methods()[:5], *requests.ordinary()])
        hits: list[Hit] = []
        answers: list[Answer] = []
        with frontend(self._handler("cookie"), hits.append, _clock) as port, Line(port) as line:
            line.send(b"".join(each.head() + each.rest() for each in asked))
            for each in asked:
                answers.append(line.receive(each.method))
                if answers[-1].closes:
                    break
        assert answers
        self._judge(asked[: len(answers)], answers, hits, "cookie")

    def test_F9_many_at_once_are_not_mixed_up(self, frontend: Frontend) -> None:
        """F9."""
        told = [
            self._under([Asked(name=f"message {number}", target=target) for target in requests.clicks(number)])
            for number in range(100, 124)
        ]
        hits: list[Hit] = []
        lock = threading.Lock()

        def record(hit: Hit) -> None:
            with lock:
                hits.append(hit)

        with frontend(self._handler("cookie"), record, _clock) as port, ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda asked: ask_all(port, asked), told))
        for asked, got in zip(told, answers, strict=True):
            urls = {self._request(each).url for each in asked}
            self._judge(asked, got, [hit for hit in hits if hit.url in urls], "cookie")
        assert len(hits) == sum(map(len, told))

    def _handler(self, name: str) -> RedirectHandler:
        return requests.handlers(self.prefix)[name]

    def _under(self, asked: Sequence[Asked]) -> list[Asked]:
        return [evolve(each, target=self.prefix + each.target) for each in asked]

    def _break_off(self, frontend: Frontend, sent: Sequence[tuple[str, bytes]]) -> None:
        hits: list[Hit] = []
        with frontend(self._handler("cookie"), hits.append, _clock) as port:
            for name, data in sent:
                with Line(port) as line:
                    line.send(data)
                    line.end()
                    try:
                        status = line.receive("POST").status
                    except (OSError, http.client.HTTPException):
                        status = None
                ask_all(port, self._under(requests.ordinary()[:1]))
                assert status in {None, 400}, f"{name}: answered with {status}"
                assert [hit.method for hit in hits] == ["GET"], f"{name}: a request that broke off was recorded"
                hits.clear()

    def _compare(self, frontend: Frontend, asked: Sequence[Asked], *, handler: str = "cookie") -> None:
        asked = self._under(asked)
        hits: list[Hit] = []
        with frontend(self._handler(handler), hits.append, _clock) as port:
            try:
                answers = ask_all(port, asked)
            except (OSError, http.client.HTTPException) as error:
                pytest.fail(f"after {len(hits)} hits an answer did not come, or was none: {error!r}")
        self._judge(asked, answers, hits, handler)

    def _judge(self, asked: Sequence[Asked], answers: Sequence[Answer], hits: Sequence[Hit], handler: str) -> None:
        expected = [self._expected(each, self._handler(handler)) for each in asked]
        for each, answer, outcome in zip(asked, answers, expected, strict=True):
            if outcome is None:
                assert answer.status == 413, f"{each.name}: too large a body is answered with {answer.status}"
                continue
            response = outcome.response
            assert answer.status == response.status, f"{each.name}: status {answer.status}, not {response.status}"
            own = [pair for pair in answer.headers if pair[0] not in _SERVERS_OWN]
            assert _by_name(own) == _by_name(response.headers), f"{each.name}: other headers"
            body = b"" if each.method == "HEAD" else response.body
            assert answer.body == body, f"{each.name}: another body"
        wanted = [outcome.hit for outcome in expected if outcome is not None and outcome.hit is not None]
        assert list(hits) == wanted, "other hits were recorded than the handler gave"

    def _expected(self, asked: Asked, handler: RedirectHandler) -> Outcome | None:
        """None: the body is too large."""
        if asked.method == "POST" and len(asked.body) > requests.MAX_BODY:
            return None
        return handler.handle(self._request(asked))

    def _request(self, asked: Asked) -> Request:
        url = asked.target
        if not self.raw_paths:
            path, mark, query = url.partition("?")
            url = quote(unquote_to_bytes(path), safe=_PATH) + mark + query
        return Request(
            method=asked.method,
            url=url,
            headers=asked.sent_headers(),
            body=asked.body if asked.method == "POST" else b"",
            client_ip="127.0.0.1",
            received_at=requests.AT,
        )


def _clock() -> datetime:
    return requests.AT


def _by_name(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The order of headers of one name counts, that of names does not."""
    return sorted(headers, key=lambda pair: pair[0])
