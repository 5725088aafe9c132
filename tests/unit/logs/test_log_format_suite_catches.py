"""The suite of log formats is tried on formats that are wrong on purpose, one fault each: it must catch them all."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from attrs import evolve

from msgtrack.hits import Hit, Rejected
from msgtrack.logs import combined, w3c
from msgtrack.logs.formats import Reads
from msgtrack.testing import LogFormatSuite

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests" / "data" / "logs"
BRIEF = runpy.run_path(str(ROOT / "examples" / "log_format_brief.py"))["BRIEF"]


def changed(base, change):
    """The base format, with what it gives for a line changed by ``change(found, line, number)``."""

    def parse_line(line, number):
        return change(base.parse_line(line, number), line, number)

    return evolve(base, parse_line=parse_line)


def stateful(base, reader):
    return evolve(base, parse_line=None, begin=reader)


class _Forgets(w3c.FieldsReader):
    def __init__(self, state):
        super().__init__(state, name="w3c", read=w3c._texts.plus)


class ForgetsItsState(_Forgets):
    state = ""


class HasNumbersForState(_Forgets):
    state = 7


class SharesItsFields(_Forgets):
    shared: tuple[str, ...] = ()

    def __init__(self, state):
        super().__init__(state)
        type(self).shared = self._fields

    def __call__(self, line, number):
        self._fields = type(self).shared
        found = super().__call__(line, number)
        type(self).shared = self._fields
        return found


class GivesUpAfterRubbish:
    state = ""

    def __init__(self, state):
        self._lost = False

    def __call__(self, line, number):
        found = BRIEF.parse_line(line, number)
        self._lost = self._lost or (isinstance(found, Rejected) and line.startswith("{"))
        return Rejected(line=number, reason="not-brief", text=line) if self._lost and line else found


def _raises(found, line, number):
    if "\udcff" in line or len(line) == 9:
        raise ValueError(line)
    return found


def _slow(found, line, number):
    re.search(r"a+b", line)
    return found


def _hit(**fields):
    return lambda found, line, number: evolve(found, **fields) if isinstance(found, Hit) else found


def _rejected(**fields):
    return lambda found, line, number: evolve(found, **fields) if isinstance(found, Rejected) else found


def _leaks(found, line, number):
    return evolve(found, referrer=found.user_agent) if isinstance(found, Hit) and "Replaced" in line else found


def _blank(found, line, number):
    return found or Rejected(line=number, reason="not-brief", text=line)


def _anything(found, line, number):
    return evolve(GOOD, url=line) if isinstance(found, Rejected) and line.startswith("{") else found


GOOD = BRIEF.parse_line("2026-03-02T09:15:30+00:00 GET 302 /r/abc", 1)

FAULTS = {
    "raises": (changed(BRIEF, _raises), "brief", "good_lines_come_out_with_rubbish_between_them"),
    "raises on cut lines": (changed(BRIEF, _raises), "brief", "lines_cut_anywhere_give_a_value"),
    "gives no value": (changed(BRIEF, lambda *_: False), "brief", "any_text_gives_a_value"),
    "another status": (changed(BRIEF, _hit(status=200)), "brief", "every_sample_gives_what_stands_beside_it"),
    "another reason": (changed(BRIEF, _rejected(reason="odd")), "brief", "every_sample_gives_what_stands_beside_it"),
    "a reason with blanks": (changed(BRIEF, _rejected(reason="no good")), "brief", "any_text_gives_a_value"),
    "another number": (changed(BRIEF, _rejected(line=1)), "brief", "any_text_gives_a_value"),
    "another text": (changed(BRIEF, _rejected(text="")), "brief", "any_text_gives_a_value"),
    "rejects blank lines": (changed(BRIEF, _blank), "brief", "a_blank_line_holds_nothing"),
    "reads anything": (changed(BRIEF, _anything), "brief", "good_lines_come_out_with_rubbish_between_them"),
    "gives up": (stateful(BRIEF, GivesUpAfterRubbish), "brief", "good_lines_come_out_with_rubbish_between_them"),
    "quadratic": (changed(BRIEF, _slow), "brief", "time_grows_with_the_line_and_no_faster"),
    "leaks": (changed(combined.FORMAT, _leaks), "combined", "a_field_goes_where_it_belongs_and_nowhere_else"),
    "forgets": (stateful(w3c.FORMAT, ForgetsItsState), "w3c", "reading_goes_on_from_every_line"),
    "numbers for state": (stateful(w3c.FORMAT, HasNumbersForState), "w3c", "reading_goes_on_from_every_line"),
    "shares": (stateful(w3c.FORMAT, SharesItsFields), "w3c", "readers_know_nothing_of_each_other"),
    "lists too much": (
        evolve(BRIEF, reads=(*BRIEF.reads, Reads(field="agent", becomes="user_agent"))),
        "brief",
        "every_field_that_is_read_shows_up_in_a_sample",
    ),
    "lists too little": (
        evolve(BRIEF, reads=BRIEF.reads[:2]),
        "brief",
        "every_field_that_is_read_shows_up_in_a_sample",
    ),
    "lists nothing": (evolve(BRIEF, reads=()), "brief", "the_format_tells_its_name_and_what_it_reads"),
    "a name with blanks": (evolve(BRIEF, name="Brief one"), "brief", "the_format_tells_its_name_and_what_it_reads"),
    "no description": (evolve(BRIEF, description=" "), "brief", "the_format_tells_its_name_and_what_it_reads"),
    "no such field": (
        evolve(BRIEF, reads=(Reads(field="size", becomes="size"),)),
        "brief",
        "the_format_tells_its_name_and_what_it_reads",
    ),
    "no samples": (BRIEF, "nowhere", "every_sample_gives_what_stands_beside_it"),
}


def run(format, samples, test):
    suite = type("Suite", (LogFormatSuite,), {"format": format, "samples": SAMPLES / samples})()
    function = getattr(suite, f"test_{test}")
    function("") if test == "a_blank_line_holds_nothing" else function()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_suite_catches(fault):
    format, samples, test = FAULTS[fault]
    with pytest.raises((AssertionError, ValueError)) as caught:
        run(format, samples, test)
    assert not isinstance(caught.value, ValueError) or fault.startswith("raises")


@pytest.mark.parametrize(("samples", "test"), sorted({(samples, test) for _, samples, test in FAULTS.values()}))
def test_and_only_them(samples, test):
    good = {"brief": BRIEF, "combined": combined.FORMAT, "w3c": w3c.FORMAT}
    if samples in good:
        run(good[samples], samples, test)


def test_every_test_of_the_suite_catches_something():
    tests = {name.removeprefix("test_") for name in vars(LogFormatSuite) if name.startswith("test_")}
    assert tests == {test for _, _, test in FAULTS.values()}
