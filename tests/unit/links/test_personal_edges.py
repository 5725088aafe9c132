"""Personalised links where nobody looks first: threads, rotated keys, odd markup, long values."""

from __future__ import annotations

import re
import threading

import pytest

import msgtrack.links.compiled as compiled_module
from msgtrack import Keyring, LinkRules, Rule, Tracker
from msgtrack.errors import CompileError, InvalidOption, InvalidValue
from msgtrack.links.personal import Evaluators, PersonalLink, evaluators

SECRET = "s" * 40
TRACKER = Tracker("https://t.example.com", Keyring.from_secrets(SECRET))
URL = re.compile(r"https://t\.example\.com/[^\"'\s<>]+")


def test_threads_that_render_first_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = TRACKER.compile(
        html='<a href="https://a.example/?x={{ x }}">a</a><a href="https://a.example/?y={{ y }}">b</a>',
        delivery_id="1",
        syntax="jinja",
    )
    both = threading.Barrier(2, timeout=10)

    def slow(link: PersonalLink) -> Evaluators:
        made = evaluators(link)
        both.wait()
        return made

    monkeypatch.setattr(compiled_module, "evaluators", slow)
    rendered: list[str | None] = []

    def render() -> None:
        rendered.append(compiled.render(message_id="1", values={"x": "v", "y": "w"}).html)

    threads = [threading.Thread(target=render) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rendered) == 2
    assert rendered[0] == rendered[1] == compiled.render(message_id="1", values={"x": "v", "y": "w"}).html
