"""Which links are tracked, what is remembered of them, and what is written on and behind them."""

from __future__ import annotations

import json
import re

import pytest

from msgtrack import Keyring, LinkRules, Rule, Tracker
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.links import CompiledMessage, LinkMemory
from msgtrack.links.html import scan_html
from msgtrack.links.markers import EMITTED, markup_of
from msgtrack.links.utm import with_parameters
from msgtrack.model import LinkType, TrackingMode

TRACKER = Tracker("https://t.example.com", Keyring.from_secrets("a secret that is long enough to sign with"))
A, B, C = "https://a.example/", "https://www.b.example/shop?x=1", "https://c.example/private/file.pdf"
SOURCE = "".join(f'<a href="{url}">x</a>' for url in (A, B, C))


def compiled(html: str, **rules: object) -> CompiledMessage:
    message = TRACKER.compile(html=html, text="", delivery_id="spring", rules=LinkRules(**rules))  # type: ignore[arg-type]
    for message_id in ("1", "é@x"):
        assert message.restore(message.render(message_id=message_id).html or "") == html
    return message


def reasons(message: CompiledMessage) -> list[str]:
    return [decision.reason.value for decision in message.decisions]


class TestIncludeAndExclude:
    @pytest.mark.parametrize("rule", [{"host": "b.example"}, {"glob": "*/shop?x=*"}, {"regex": r"//www\.b\."}])
    def test_exclude(self, rule: dict[str, str]) -> None:
        message = compiled(SOURCE, rules=[Rule(mode="not-tracked", **rule)])  # type: ignore[arg-type]
        assert reasons(message) == ["tracked", "rule", "tracked"]

    @pytest.mark.parametrize("rule", [{"host": "B.example."}, {"glob": "*/shop?x=*"}, {"regex": r"//www\.b\."}])
    def test_include(self, rule: dict[str, str]) -> None:
        message = compiled(SOURCE, rules=[Rule(mode="enabled", **rule), Rule(mode="not-tracked")])  # type: ignore[arg-type]
        assert reasons(message) == ["rule", "tracked", "rule"]

    def test_a_host_is_not_the_end_of_another(self) -> None:
        assert reasons(compiled(SOURCE, rules=[Rule(host="example", mode="never")])) == ["rule"] * 3
        assert reasons(compiled(SOURCE, rules=[Rule(host="ample", mode="never")])) == ["tracked"] * 3

    def test_unsubscribe_and_mirror_links_have_their_type(self) -> None:
        html = f'<a href="{A}" _type="optout">x</a><a href="{B}">y</a><a href="{C}" _urlType="11">z</a>'
        message = compiled(html, rules=[Rule(host="b.example", mode="mirror-page")])
        assert [link.type for link in message.links] == [
            LinkType.OPT_OUT,
            LinkType.MIRROR_PAGE,
            LinkType.OFFER_INTERESTED,
        ]


class TestMemory:
    def test_rules_are_remembered(self) -> None:
        rules = [Rule(host="a.example", mode="never"), Rule(host="b.example", mode="always"), Rule(mode="enabled")]
        memory = LinkMemory().updated(compiled(SOURCE, rules=rules))
        assert memory == LinkMemory(modes={A: "never", B: TrackingMode.ALWAYS})
        later = compiled(SOURCE, memory=memory)
        assert reasons(later) == ["memory", "tracked", "tracked"]
        assert [link.mode for link in later.links] == [TrackingMode.ALWAYS, TrackingMode.ENABLED]
        assert [decision.mode for decision in later.decisions] == [TrackingMode.NEVER, TrackingMode.ALWAYS, None]

    def test_it_knows_the_exact_url(self) -> None:
        message = compiled('<a href="https://a.example/?a=1&amp;b=2">x</a>', rules=[Rule(mode="never")])
        memory = LinkMemory().updated(message)
        assert list(memory.modes) == ["https://a.example/?a=1&b=2"]
        assert memory.mode_of("https://a.example/?a=1&b=2#c") is None

    def test_the_delivery_wins(self) -> None:
        memory = LinkMemory(modes={A: "never", B: "always"})
        message = compiled(
            SOURCE,
            memory=memory,
            rules=[Rule(host="a.example", mode="enabled"), Rule(host="b.example", mode="not-tracked")],
        )
        assert reasons(message) == ["tracked", "rule", "tracked"]
        assert memory.updated(message) == memory
        assert reasons(compiled(f'<a href="{B}" data-msgtrack="off">x</a>', memory=memory)) == ["marker"]
        assert reasons(compiled(SOURCE, memory=memory, track_links=False)) == ["switched-off"] * 3

    def test_a_link_that_is_always_tracked_is_not_skipped(self) -> None:
        html = f'<a href="{A}">{A}</a>'
        assert reasons(compiled(html, url_as_text="skip")) == ["url-as-text"]
        assert reasons(compiled(html, url_as_text="skip", memory=LinkMemory(modes={A: "always"}))) == ["tracked"]

    def test_utm_parameters_are_no_part_of_what_is_remembered(self) -> None:
        message = compiled(SOURCE, rules=[Rule(mode="always")], utm={"source": "n"})
        assert list(LinkMemory().updated(message).modes) == [A, B, C]

    def test_it_is_stored_as_json(self) -> None:
        memory = LinkMemory(modes={A: "never"})
        assert LinkMemory(modes=json.loads(json.dumps(dict(memory.modes)))) == memory
        assert memory.without(A, B) == LinkMemory()

    @pytest.mark.parametrize(
        ("modes", "error"),
        [
            ({A: "enabled"}, InvalidOption),
            ({A: "nonsense"}, InvalidOption),
            ({1: "never"}, InvalidValue),
            ([A], InvalidValue),
        ],
    )
    def test_what_is_not_remembered(self, modes: object, error: type[Exception]) -> None:
        with pytest.raises(error):
            LinkMemory(modes=modes)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match="memory"):
            LinkRules(memory=modes)  # type: ignore[arg-type]


class TestSameUrlTwice:
    def test_each_keeps_its_own_id(self) -> None:
        message = compiled(f'<a href="{A}">x</a><a href="{A}" _label="x">y</a>')
        one, two = message.links
        assert (one.id, two.id, one.url == two.url, one.label == two.label) == ("2", "3", True, True)
        assert one.key != two.key


class TestMarkers:
    @pytest.mark.parametrize("provider", EMITTED)
    def test_emitted_on_every_tracked_link(self, provider: str) -> None:
        html = f"<A HREF='{A}'>x</A><a\n\thref={B} clicktracking=off>y</a><a/href=mailto:x>z</a><a = href={C}>q</a><v:rect href='{A}'>"
        message = compiled(html, markers=f"emit:{provider}")
        rendered = message.render(message_id="1").html or ""
        sites = scan_html(rendered).sites
        assert [markup_of(site).off for site in sites] == [True, True, False, True, True]
        assert rendered.startswith(f"<A {EMITTED[provider]} HREF='https://t.example.com/")
        assert reasons(message) == ["tracked", "marker", "scheme", "tracked", "tracked"]
        assert [site.url for site in sites][1:3] == [B, "mailto:x"]
        assert rendered.count("clicktracking") == (4 if provider == "sendgrid" else 0)
        name = re.split("[ =]", EMITTED[provider])[0]
        assert all(site.attributes[0].name == name for site in sites if site.url != "mailto:x")

    def test_first_of_two_counts(self) -> None:
        html = f'<a clicktracking="on" href="{A}">x</a>'
        rendered = compiled(html, markers="emit:sendgrid").render(message_id="1").html or ""
        assert rendered.startswith('<a clicktracking="off" clicktracking="on" href="https://t.example.com/')

    @pytest.mark.parametrize("markers", ["emit:", "emit:nobody", "emit:any", "emit:msgtrack", "strip", None])
    def test_unknown(self, markers: object) -> None:
        with pytest.raises(InvalidOption, match="markers"):
            LinkRules(markers=markers)  # type: ignore[arg-type]


class TestUtm:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://a.example", "https://a.example?utm_source=n%26l&utm_medium=e"),
            ("https://a.example/?", "https://a.example/?utm_source=n%26l&utm_medium=e"),
            ("https://a.example/?x=1", "https://a.example/?x=1&utm_source=n%26l&utm_medium=e"),
            ("https://a.example/?x=1&", "https://a.example/?x=1&utm_source=n%26l&utm_medium=e"),
            ("https://a.example/#/route?x=1", "https://a.example/?utm_source=n%26l&utm_medium=e#/route?x=1"),
            ("https://a.example/?utm_source=own#f", "https://a.example/?utm_source=own&utm_medium=e#f"),
            ("https://a.example/?UTM%5fsource=&utm_medium", "https://a.example/?UTM%5fsource=&utm_medium"),
            ("https://a.example/#utm_source=x", "https://a.example/?utm_source=n%26l&utm_medium=e#utm_source=x"),
        ],
    )
    def test_behind_what_is_there_and_before_the_fragment(self, url: str, expected: str) -> None:
        parameters = {"utm_source": "n&l", "utm_medium": "e"}
        assert with_parameters(url, parameters) == expected
        assert with_parameters(expected, parameters) == expected
        (link,) = compiled(f'<a href="{url}">x</a>', utm={"source": "n&l", "utm_medium": "e"}).links
        assert link.url == expected

    def test_what_stays_bare(self) -> None:
        html = SOURCE + f'<a href="{A}u" _type="optout">u</a><a href="mailto:x">m</a>'
        rules = [Rule(host="b.example", utm={}), Rule(host="c.example", utm={"campaign": "own"})]
        message = compiled(html, utm={"source": "n"}, rules=rules)
        assert [link.url for link in message.links] == [f"{A}?utm_source=n", B, f"{C}?utm_campaign=own", f"{A}u"]
        assert [decision.url for decision in message.decisions] == [A, B, C, f"{A}u", "mailto:x"]

    @pytest.mark.parametrize(
        ("utm", "error"),
        [
            ("utm_source=x", InvalidValue),
            ({"a&b": "x"}, InvalidOption),
            ({"source": 1}, InvalidValue),
            ({"source": "\ud800"}, InvalidValue),
            ({"source": "x", "utm_source": "y"}, InvalidOption),
        ],
    )
    def test_bad(self, utm: object, error: type[Exception]) -> None:
        with pytest.raises(error, match="utm"):
            LinkRules(utm=utm)  # type: ignore[arg-type]


class TestTrap:
    def test_an_invisible_link_of_its_own(self) -> None:
        message = compiled(f'<body><a href="{A}">x</a></body>', trap="https://a.example/trap")
        link = message.links[-1]
        assert (link.id, link.type, link.category, link.url) == ("3", LinkType.OTHER, "trap", "https://a.example/trap")
        assert [edit.kind for edit in message.edits] == ["link", "pixel", "trap"]
        rendered = message.render(message_id="1").html or ""
        trap = scan_html(rendered).sites[-1]
        assert "display:none" in trap.tag
        assert 'aria-hidden="true"' in trap.tag
        assert trap.text == ""
        assert rendered.endswith("></a></body>")
        said = TRACKER.resolve(trap.url)
        assert (said.outcome, said.destination, said.link_id, said.message_id) == ("valid", link.url, "3", "1")
        assert len(message.decisions) == 1

    def test_none_where_links_are_not_tracked(self) -> None:
        assert compiled(SOURCE, trap=A, track_links=False).links == ()
        assert [link.category for link in compiled("<p>", trap=A, track_opens=False).links] == ["trap"]

    @pytest.mark.parametrize(
        ("trap", "error"), [("mailto:x", InvalidOption), ("x", InvalidOption), (True, InvalidValue)]
    )
    def test_it_leads_somewhere(self, trap: object, error: type[Exception]) -> None:
        with pytest.raises(error, match="trap"):
            LinkRules(trap=trap)  # type: ignore[arg-type]
