"""What user agents say: our own table first, then ua-parser; held against what other libraries expect of the same agents."""

from __future__ import annotations

import builtins
import json
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, Tracker
from msgtrack.clients import PROGRAMS, ClientReader
from msgtrack.errors import InvalidValue, MissingExtra
from msgtrack.events import Click
from msgtrack.logs import parse
from msgtrack.model import Client

pytest.importorskip("ua_parser", reason="ua-parser is not installed")
pytest.importorskip("ua_parser_rs", reason="ua-parser's compiled matcher is not installed")

ROOT = Path(__file__).resolve().parents[2]
AGENTS = Path(os.environ.get("MSGTRACK_CORPORA", ROOT.parent / "shared" / "corpora")) / "user_agents"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture(scope="module")
def read() -> ClientReader:
    return ClientReader()


@pytest.mark.parametrize(
    ("agent", "browser", "version", "system", "system_version", "device", "is_mobile"),
    [
        (CHROME, "Chrome", "117", "Windows", "10", "PC", False),
        (f"{IPHONE} Mobile/15E148", "Apple Mail", "", "iOS", "16.5", "iPhone", True),
        (f"{IPHONE} Version/16.5 Mobile/15E148 Safari/604.1", "Mobile Safari", "16", "iOS", "16.5", "iPhone", True),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
            "Apple Mail", "", "Mac OS X", "10.15", "Mac", False,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Mobile Safari/537.36",
            "Chrome Mobile", "123", "Android", "10", "Android", True,
        ),
        (GMAIL, "Gmail image proxy", "", "", "", "", None),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "Yahoo Mail image proxy", "", "", "", "", None),
        ("Mozilla/5.0", "Apple Mail privacy relay", "", "", "", "", None),
        (
            "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.2; WOW64; Trident/8.0; Microsoft Outlook 15.0.4433; ms-office; MSOffice 15)",
            "Outlook", "15", "Windows", "8", "PC", False,
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Thunderbird/24.2.0", "Thunderbird", "24", "Linux", "", "PC", False),
        ("Outlook-iOS/726.5856270.prod.iphone (4.57.0)", "Outlook mobile", "4", "iOS", "", "iPhone", True),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "2", "", "", "robot", None),
        ("", "", "", "", "", "", None),
        ("odd", "", "", "", "", "", None),
    ],
)  # fmt: skip
def test_agents(
    read: ClientReader,
    agent: str,
    browser: str,
    version: str,
    system: str,
    system_version: str,
    device: str,
    is_mobile: bool | None,
) -> None:
    assert read(agent) == Client(
        user_agent=agent,
        browser=browser,
        browser_version=version,
        os=system,
        os_version=system_version,
        device=device,
        is_mobile=is_mobile,
    )


@given(st.text(max_size=300) | st.text("Mozila/5.0 ();AppleWebKit", max_size=200))
def test_any_text_gives_a_client(agent: str) -> None:
    assert _shared(agent).user_agent == agent


_reader: list[ClientReader] = []


def _shared(agent: str) -> Client:
    if not _reader:
        _reader.append(ClientReader(remembered=8))
    return _reader[0](agent)


def test_long_agents_are_read_in_linear_time(read: ClientReader) -> None:
    for program in PROGRAMS:
        assert program.pattern.search("(iPhone" * 100_000) is None
    assert read("Mail/" * 100_000).os == ""


def test_what_is_remembered_changes_nothing_and_is_bounded() -> None:
    read = ClientReader(remembered=2)
    agents = [CHROME, GMAIL, IPHONE, "odd"] * 3
    assert [read(agent) for agent in agents] == [ClientReader(remembered=0)(agent) for agent in agents[:4]] * 3
    assert read._read.cache_info().currsize == 2  # type: ignore[attr-defined]  # what lru_cache makes has it


def test_bad_arguments_are_errors_of_ours(read: ClientReader) -> None:
    with pytest.raises(InvalidValue, match="count"):
        ClientReader(remembered=-1)
    with pytest.raises(InvalidValue, match="must be text, not bytes"):
        read(b"x")  # type: ignore[arg-type]  # that is what is refused


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("ua_parser"):
            raise ImportError(name)
        return found(name, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match="ua-parser") as caught:
        ClientReader()
    assert "msgtrack[agents]" in str(caught.value)


def test_an_event_keeps_its_id_and_what_was_read_before(read: ClientReader) -> None:
    event = Click(
        occurred_at=datetime(2026, 3, 2, tzinfo=UTC), delivery_id="1", message_id="2", link_id="2", client=CHROME
    )
    told = read.event(event)
    assert told.client == read(CHROME)
    assert told.id == event.id
    assert read.event(told) is told
    bare = Click(occurred_at=event.occurred_at)
    assert read.event(bare) is bare


def test_logs_are_read_with_clients(read: ClientReader) -> None:
    tracker = Tracker("https://t.example.com", Keyring.from_secrets("a secret of thirty-two bytes or so"))
    html = tracker.compile(html='<a href="https://shop.example/">Shop</a>', delivery_id="1").render(message_id="5").html
    path = (html or "").split('"')[1].removeprefix("https://t.example.com")
    lines = [
        f'203.0.113.5 - - [02/Mar/2026:10:00:0{second} +0000] "GET {path} HTTP/1.1" 302 0 "-" "{agent}"'
        for second, agent in enumerate([CHROME, GMAIL, "-", CHROME])
    ]
    without, fast = list(parse(lines, tracker=tracker)), list(parse(lines, tracker=tracker, clients=read))
    syslog = [f"Mar  2 10:00:00 web nginx: {line}" for line in lines]
    assert [event.client for event in fast if isinstance(event, Click)] == [
        read(CHROME),
        read(GMAIL),
        None,
        read(CHROME),
    ]
    assert [event.id for event in without if isinstance(event, Click)] == [
        event.id for event in fast if isinstance(event, Click)
    ]
    assert list(parse(syslog, tracker=tracker, clients=read)) == fast
    assert list(parse(lines, "varnish", tracker=tracker, clients=read)) == fast


# Names by which other libraries know the same families.
_NAMES = {
    "chrome": "chromemobile mobilechrome chromemobileios chromeios chromewebview chromemobilewebview",
    "safari": "mobilesafari",
    "firefox": "mobilefirefox firefoxmobile firefoxios",
    "internetexplorer": "ie iemobile msie",
    "opera": "operamobile operamobi",
    "edge": "edgemobile",
    "android": "androidbrowser webview",
    "macos": "macosx macos mac",
    "ios": "iphone ipad ipod",
    "windowsphone": "windowsphoneos",
    "windows": "windowsxp windowsvista windows7 windows8 windows8.1 windows10 windows2000 windows98 windowsnt4.0 windowsme windows95",
    "chromeos": "chromiumos",
    "chromium": "chromium",
}
_SAME = {other: name for name, others in _NAMES.items() for other in others.split()}


def _family(name: str) -> str:
    plain = name.lower().replace(" ", "").replace("_", "").replace("-", "")
    return _SAME.get(plain, plain)


def _records(name: str) -> Iterator[Mapping[str, str]]:
    path = AGENTS / name
    if not path.exists():
        pytest.skip(f"no samples at {path.parent}")
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _expected(records: Iterator[Mapping[str, object]], agent: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    for record in records:
        value: object = record
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        said = record.get(agent)
        if isinstance(said, str) and isinstance(value, str) and value not in ("undefined", "UNKNOWN", "Other", ""):
            yield said, value


@pytest.mark.parametrize(
    ("name", "agent", "keys", "field", "least"),
    [
        ("uap-core/test_ua.jsonl", "user_agent_string", ["family"], "browser", 0.98),
        ("uap-core/test_os.jsonl", "user_agent_string", ["family"], "os", 0.99),
        ("ua-parser-js/browser-test.jsonl", "ua", ["expect", "name"], "browser", 0.6),
        ("ua-parser-js/os-test.jsonl", "ua", ["expect", "name"], "os", 0.5),
        ("woothee/testsets.jsonl", "target", ["os"], "os", 0.55),
    ],
)
def test_families_are_those_that_others_expect(
    read: ClientReader, name: str, agent: str, keys: list[str], field: str, least: float
) -> None:
    pairs = [
        (_family(getattr(read(said), field)), _family(wanted))
        for said, wanted in _expected(_records(name), agent, keys)
    ]
    others = Counter(pair for pair in pairs if pair[0] != pair[1])
    assert len(pairs) > 50
    assert 1 - others.total() / len(pairs) >= least, others.most_common(30)


def test_every_sample_gives_a_client(read: ClientReader) -> None:
    agents = [
        said for said, _ in _expected(_records("uap-core/pgts_browser_list.jsonl"), "user_agent_string", ["family"])
    ]
    assert all(read(agent).user_agent == agent for agent in agents)


def test_a_reader_travels_without_what_it_remembers() -> None:
    read = ClientReader(remembered=7)
    assert read(CHROME).browser == "Chrome"
    again = pickle.loads(pickle.dumps(read))
    assert again(CHROME) == read(CHROME)
    assert (again._read.cache_info().maxsize, again._read.cache_info().misses) == (7, 1)
