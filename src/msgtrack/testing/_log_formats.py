"""The conformance suite of log formats: what every format promises, tried on samples of its own.

Joining takes a format and a folder::

    from msgtrack.testing import LogFormatSuite

    class TestBrief(LogFormatSuite):
        format = BRIEF
        samples = Path(__file__).parent / "brief"
"""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgtrack.hits import Hit, Rejected
from msgtrack.logs._lines import FIELDS, LineReader, LogFormat
from msgtrack.records import from_dict

__all__ = ["LogFormatSuite", "expected_of", "lines_of"]

Record = Hit | Rejected | None

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_RUBBISH = (
    "\x16\x03\x01\x02",
    "]" * 50,
    "{",
    '"',
    "cut in the mid",
    '- - - [x] "',
    "\udcff\udcfe",
    "0" * 5_000,
    "[error] nothing",
    "{}",
)
# What a line is made longer by, to see whether the time for it grows faster than the line.
_UNITS = ('"', '\\"', "\\", " ", "a", "a ", "[", "]", "{", ' "', "-", "0", ",", "\t", "/", "\\x22", "%", "#")
_SIZES = (24, 250, 2_000, 16_000)
_NOTHING_SECONDS = 0.03
_REPLACEMENTS = {
    "user_agent": "Replaced/1.0",
    "referrer": "https://replaced.example/",
    "client_ip": "203.0.113.77",
    "request_id": "replaced-77",
    "url": "/replaced",
}
_BECOME = {"request": "url", "path": "url", "query": "url"}

_each = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow])


def lines_of(log: Path) -> list[str]:
    """The lines of a log, without their ends; bytes that are no UTF-8 as surrogates, as readers of logs have them."""
    lines = log.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def expected_of(log: Path) -> list[Record | str]:
    """What stands beside a log in ``.expected.jsonl``: of each line its hit, the reason why it is none, or None."""
    written = log.with_suffix(".expected.jsonl").read_text(encoding="utf-8").splitlines()
    values = [json.loads(line) for line in written]
    return [value if value is None or isinstance(value, str) else from_dict(value, Hit) for value in values]


class LogFormatSuite:
    """What every log format promises.

    - **Must override**: ``format``; and ``samples``, a folder with logs (``*.log``). Beside each lies what it holds, under its name with
      ``.expected.jsonl``: of each line of the log one line of JSON, which is a hit (as ``msgtrack.records.to_json`` writes it), the
      reason why the line is rejected (``"bad-time"``), or ``null`` for a line that holds nothing.
    - **Never touch**: the tests.

    Every field that the format reads must show up in some sample, so that the reference is true.
    """

    format: ClassVar[LogFormat]
    samples: ClassVar[Path]

    def test_the_format_tells_its_name_and_what_it_reads(self) -> None:
        """``name`` is of lower letters, ``description`` a phrase, and ``reads`` names fields of a hit."""
        assert _SLUG.fullmatch(self.format.name), f"the name {self.format.name!r} is not like-this"
        assert self.format.description.strip(), "the description is empty"
        assert self.format.reads, "reads is empty: what the format reads could not be listed"
        for reads in self.format.reads:
            assert reads.field.strip(), f"a field without a name becomes {reads.becomes}"
            assert reads.becomes in {*FIELDS, "received_at"}, (
                f"{reads.field} becomes {reads.becomes!r}, which no hit has"
            )

    def test_every_sample_gives_what_stands_beside_it(self) -> None:
        """Line by line, the hit, the reason or nothing."""
        for log in self._logs():
            lines, expected = lines_of(log), expected_of(log)
            assert len(lines) == len(expected), f"{log.name} has {len(lines)} lines, and {len(expected)} are expected"
            for number, (line, found, wanted) in enumerate(zip(lines, self._read(lines), expected, strict=True), 1):
                seen = found.reason if isinstance(found, Rejected) else found
                assert seen == wanted, f"{log.name}, line {number}: {line!r}"

    def test_every_field_that_is_read_shows_up_in_a_sample(self) -> None:
        """And none that is not: the list of fields is the whole of what a format reads."""
        hits = [wanted for log in self._logs() for wanted in expected_of(log) if isinstance(wanted, Hit)]
        shown = {name for hit in hits for name in attrs.fields_dict(Hit) if _is_told(hit, name)}
        listed = {_BECOME.get(reads.becomes, reads.becomes) for reads in self.format.reads}
        # A request holds two of them.
        listed |= {"method", "url"}
        assert listed <= shown, f"no sample shows {', '.join(sorted(listed - shown))}"
        assert shown <= listed, f"reads does not list {', '.join(sorted(shown - listed))}"

    @_each
    @given(st.text(st.characters(), max_size=300))
    def test_any_text_gives_a_value(self, text: str) -> None:
        """A hit, a rejected line or None, and never an exception."""
        _check(self.format.reader()(text, 7), text, 7)

    @pytest.mark.parametrize("line", ["", " ", "\t  "])
    def test_a_blank_line_holds_nothing(self, line: str) -> None:
        """None."""
        for read in self._readers():
            assert read(line, 3) is None

    def test_lines_cut_anywhere_give_a_value(self) -> None:
        """A hit, a rejected line or None; a rejected one has its number and its text."""
        for log in self._logs():
            read = self.format.reader()
            for number, line in enumerate(lines_of(log), 1):
                for end in range(len(line)):
                    cut = line[:end]
                    state = read.state
                    _check(self.format.reader(state)(cut, number), cut, number)
                read(line, number)

    def test_good_lines_come_out_with_rubbish_between_them(self) -> None:
        """Whatever stands between the lines of a log, each is read as without it."""
        for log in self._logs():
            lines = lines_of(log)
            alone = self._read(lines)
            read = self.format.reader()
            for number, line in enumerate(lines, 1):
                for rubbish in _RUBBISH:
                    found = read(rubbish, number)
                    assert not isinstance(found, Hit), f"rubbish is read as {found}: {rubbish!r}"
                    _check(found, rubbish, number)
                assert read(line, number) == alone[number - 1], f"{log.name}, line {number}, after rubbish: {line!r}"

    def test_reading_goes_on_from_every_line(self) -> None:
        """A reader made with the state of another one goes on where that one stood; and a state is text."""
        for log in self._logs():
            lines = lines_of(log)
            whole = self._read(lines)
            read = self.format.reader()
            for end in range(len(lines) + 1):
                state = read.state
                assert type(state) is str, f"the state is {state!r}, not text"
                assert self._read(lines[end:], state, first=end + 1) == whole[end:], (
                    f"{log.name}, from line {end + 1} on"
                )
                if end < len(lines):
                    read(lines[end], end + 1)

    def test_readers_know_nothing_of_each_other(self) -> None:
        """Two logs read at once are read as one after the other."""
        for log in self._logs():
            lines = lines_of(log)
            whole = self._read(lines)
            one, other = self.format.reader(), self.format.reader()
            found = []
            for number, line in enumerate(lines, 1):
                found.append(one(line, number))
                other(lines[-number], number)
            assert found == whole, log.name

    def test_a_field_goes_where_it_belongs_and_nowhere_else(self) -> None:
        """Where a line has the text of a field once, another text there changes that field alone."""
        tried = set()
        for log in self._logs():
            read = self.format.reader()
            for number, line in enumerate(lines_of(log), 1):
                state = read.state
                hit = read(line, number)
                if not isinstance(hit, Hit):
                    continue
                for name, other in _REPLACEMENTS.items():
                    value = getattr(hit, name)
                    if len(value) < 5 or line.count(value) != 1:
                        continue
                    tried.add(name)
                    changed = line.replace(value, other)
                    assert self.format.reader(state)(changed, number) == attrs.evolve(hit, **{name: other}), changed
        assert "url" in tried, "some sample should have its URL in one piece, and once"

    def test_time_grows_with_the_line_and_no_faster(self) -> None:
        """However a line is made longer: eight times as long may take eight times as long, not sixty."""
        for log in self._logs():
            read = self.format.reader()
            good = [(read.state, line) for line in lines_of(log) if isinstance(read(line, 1), Hit)]
            for state, line in good[:2]:
                places = [0, *(match.end() for match in re.finditer(r'["\[\]{}\s,]+', line)), len(line)]
                for place in places[:: max(1, len(places) // 16)]:
                    for unit in _UNITS:
                        self._try_longer(state, line[:place], unit, line[place:] if place % 2 else "")

    def _try_longer(self, state: str, before: str, unit: str, behind: str) -> None:
        lines = [before + unit * (size // len(unit)) + behind for size in _SIZES]
        times = [self._seconds(state, line) for line in lines[:1]]
        for shorter, line in pairwise(lines):
            times.append(self._seconds(state, line))
            if _too_slow(*times[-2:]):
                # Something else may have come between; what is slow is so again.
                again = [(self._seconds(state, shorter), self._seconds(state, line)) for _ in range(3)]
                assert not all(_too_slow(*pair) for pair in again), (
                    f"{times[-1]:.2f} s for {len(line)} characters, with {unit!r} repeated behind {before!r}"
                )

    def _seconds(self, state: str, line: str) -> float:
        read = self.format.reader(state)
        began = process_time()
        read(line, 1)
        return process_time() - began

    def _logs(self) -> Sequence[Path]:
        logs = sorted(self.samples.glob("*.log"))
        assert logs, f"{self.samples} has no samples: a log, and what it holds in .expected.jsonl beside it"
        return logs

    def _read(self, lines: Sequence[str], state: str = "", *, first: int = 1) -> list[Record]:
        read = self.format.reader(state)
        return [_check(read(line, number), line, number) for number, line in enumerate(lines, first)]

    def _readers(self) -> Iterator[LineReader]:
        """A fresh one, and those that have seen a log."""
        yield self.format.reader()
        for log in self._logs():
            read = self.format.reader()
            for number, line in enumerate(lines_of(log), 1):
                read(line, number)
            yield read


def _check(found: object, line: str, number: int) -> Record:
    assert found is None or isinstance(found, Hit | Rejected), f"{found!r} is no hit, no rejected line and not None"
    if isinstance(found, Rejected):
        assert found == Rejected(line=number, reason=found.reason, text=line), "a rejected line keeps number and text"
        assert _SLUG.fullmatch(found.reason), f"the reason {found.reason!r} is not like-this"
    return found


def _too_slow(shorter_seconds: float, seconds: float) -> bool:
    return seconds > _NOTHING_SECONDS and seconds > 20 * shorter_seconds


def _is_told(hit: Hit, name: str) -> bool:
    return bool(getattr(hit, name) != attrs.fields_dict(Hit)[name].default)
