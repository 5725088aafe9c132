"""Compiling and rendering: what is tracked and why, what changes and what does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from msgtrack import Keyring, LinkRules, Policy, Rule, Tracker
from msgtrack.errors import (
    CompileError,
    InvalidId,
    InvalidOption,
    InvalidValue,
    NaiveDatetime,
    NotOurs,
    NotPublished,
    UnknownOption,
)
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.model import LinkType, Part, TrackedLink, TrackingMode

SECRET = "a secret that is long enough to sign with"
BASE = "https://t.example.com/"
KEYS = Keyring.from_secrets(SECRET)
TRACKER = Tracker(base_url=BASE, keyring=KEYS)


def compiled(html: str | None = None, **options: object) -> CompiledMessage:
    return TRACKER.compile(html=html, delivery_id="spring", **options)  # type: ignore[arg-type]


def hrefs(html: str | None) -> list[str]:
    return re.findall(r"""href=["']?([^"'>\s]+)""", html or "", re.IGNORECASE)


def resolved(url: str) -> str | None:
    return TRACKER.resolve(url).destination


def test_a_link_leads_where_it_led_and_says_who_clicked() -> None:
    message = compiled('<p><a href="https://shop.example/?a=1&amp;b=2">Shop</a></p>')
    out = message.render(message_id="1001")
    (url,) = hrefs(out.html)
    said = TRACKER.resolve(url)
    assert (said.outcome, said.destination) == ("valid", "https://shop.example/?a=1&b=2")
    assert (said.delivery_id, said.message_id, said.link_id, said.link_type) == ("spring", "1001", "2", LinkType.CLICK)
    (link,) = message.links
    assert (link.id, link.url, link.label, link.part) == ("2", "https://shop.example/?a=1&b=2", "Shop", Part.HTML)


def test_ids_count_from_two_over_both_parts() -> None:
    message = compiled(
        '<a href="https://a.example/">A</a><a href="https://b.example/">B</a>', text="see https://a.example/"
    )
    assert [(link.id, link.part.value) for link in message.links] == [("2", "html"), ("3", "html"), ("4", "text")]
    assert len({link.key for link in message.links}) == 3


REASONS = {
    "tracked": "https://a.example/",
    "empty": "",
    "fragment": "#top",
    "scheme": "mailto:ann@a.example",
    "relative": "page.html",
    "template-tag": "https://a.example/{{ name }}",
    "invalid-url": "https:///nowhere",
    "already-tracked": BASE + "abc/def",
}


@pytest.mark.parametrize(("reason", "url"), REASONS.items())
def test_every_link_has_a_decision_with_a_reason(reason: str, url: str) -> None:
    message = compiled(f'<p>\n <a href="{url}">x</a></p>')
    (decision,) = message.decisions
    assert (decision.reason.value, decision.tracked, decision.url) == (reason, reason == "tracked", url)
    assert (decision.line, decision.part) == (2, Part.HTML)
    assert (decision.link_id is not None) == decision.tracked
    if not decision.tracked:
        assert f'href="{url}"' in (message.render(message_id=1).html or "")


@pytest.mark.parametrize(
    "scheme", ["tel:+1", "sms:+1", "javascript:alert(1)", "data:text/html,x", "cid:part1", "ftp://a.example/"]
)
def test_other_schemes_are_left_alone(scheme: str) -> None:
    (decision,) = compiled(f'<a href="{scheme}">x</a>').decisions
    assert decision.reason == "scheme"


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("//a.example/x", "https://a.example/x"),
        ("HTTPS://A.example/x", "HTTPS://A.example/x"),
        ("  https://a.example/x  ", "https://a.example/x"),
        ("https://bücher.example/ä", "https://bücher.example/ä"),
        ("https://a.example/#/route", "https://a.example/#/route"),
        ("https://a.example/?x=1&y=2", "https://a.example/?x=1&y=2"),
    ],
)
def test_destinations_are_kept_as_written(url: str, destination: str) -> None:
    (link,) = compiled(f'<a href="{url}">x</a>').links
    assert link.url == destination


def test_a_base_makes_relative_links_whole() -> None:
    (link,) = compiled('<base href="https://a.example/dir/"><a href="page?x=1">x</a>').links
    assert link.url == "https://a.example/dir/page?x=1"


def test_markers_speak_and_are_removed() -> None:
    source = '<a href="https://a.example/" data-msgtrack="off">x</a><a _label="B &amp; C" href="https://b.example/" _type="optout">y</a>'
    message = compiled(source, pixel="none")
    assert [decision.reason.value for decision in message.decisions] == ["marker", "tracked"]
    (link,) = message.links
    assert (link.label, link.type) == ("B & C", LinkType.OPT_OUT)
    out = message.render(message_id="1").html or ""
    assert "data-msgtrack" not in out
    assert "_label" not in out
    assert "_type" not in out
    assert message.restore(out) == source
    kept = compiled(source, rules=LinkRules(markers="keep"), pixel="none").render(message_id="1").html or ""
    assert 'data-msgtrack="off"' in kept
    assert "_label" in kept


def test_an_unknown_type_is_a_finding_and_a_click() -> None:
    message = compiled('<a href="https://a.example/" _type="nonsense">x</a>')
    assert message.links[0].type is LinkType.CLICK
    assert [finding.code for finding in message.findings] == ["unknown-type", "missing-text-part"]


def test_rules_decide_mode_label_category_and_type() -> None:
    rules = LinkRules(
        rules=(
            Rule(host="a.example", glob="*/private/*", mode="never"),
            Rule(host="a.example", label="All of A", category="a"),
            Rule(regex="unsub", mode="opt-out"),
            Rule(part="text", category="plain"),
        )
    )
    message = compiled(
        '<a href="https://www.a.example/private/x">1</a><a href="https://www.a.example/y">2</a>'
        '<a href="https://nota.example/unsub">3</a>',
        text="https://c.example/",
        rules=rules,
    )
    assert [decision.reason.value for decision in message.decisions] == ["rule", "tracked", "tracked", "tracked"]
    y, unsub, plain = message.links
    assert (y.label, y.category, y.mode) == ("All of A", "a", TrackingMode.ENABLED)
    assert (unsub.type, unsub.mode) == (LinkType.OPT_OUT, TrackingMode.OPT_OUT)
    assert plain.category == "plain"


def test_switches_for_links_and_opens() -> None:
    source = '<a href="https://a.example/">x</a>'
    message = compiled(source, rules=LinkRules(track_links=False, track_opens=False))
    assert message.render(message_id="1").html == source
    assert message.decisions[0].reason == "switched-off"
    assert message.edits == ()


def test_a_url_as_visible_text_is_warned_of_or_skipped() -> None:
    source = '<a href="https://a.example/x">https://a.example/</a>'
    warned = compiled(source)
    assert [finding.code for finding in warned.findings] == ["url-as-text", "missing-text-part"]
    assert warned.links
    skipped = compiled(source, rules=LinkRules(url_as_text="skip"))
    assert skipped.decisions[0].reason == "url-as-text"


PAGE = "<html><body><p>Hi</p></body></html>"


@pytest.mark.parametrize(
    ("pixel", "before"), [("bottom", "</body></html>"), ("top", "<p>Hi</p></body></html>")]
)  # fmt: skip
def test_the_pixel_stands_where_it_should(pixel: str, before: str) -> None:
    out = compiled(PAGE, pixel=pixel).render(message_id="1").html or ""
    image = re.search(r'<img src="([^"]+)" [^>]*>', out)
    assert image is not None
    assert out[image.end() :] == before
    said = TRACKER.resolve(image[1])
    assert (said.outcome, said.link_type, said.message_id, said.destination) == ("valid", LinkType.OPEN, "1", None)


def test_no_body_no_pixel_option() -> None:
    assert (compiled("<p>Hi").render(message_id="1").html or "").startswith("<p>Hi<img ")
    assert compiled("<p>Hi", pixel="none").render(message_id="1").html == "<p>Hi"


def test_a_recipient_whose_opens_are_not_followed_gets_no_pixel() -> None:
    message = compiled('<a href="https://a.example/">x</a>')
    out = message.render(message_id="1", policy=Policy(opens="none"))
    assert "<img" not in (out.html or "")
    (url,) = hrefs(out.html)
    assert TRACKER.resolve(url).policy == Policy(opens="none")
    assert message.restore(out.html or "") == '<a href="https://a.example/">x</a>'


def test_seed_and_proof_travel_in_the_links() -> None:
    source = '<a href="https://a.example/">x</a>'
    (url,) = hrefs(compiled(source).render(message_id="1", seed=True).html)
    assert (TRACKER.resolve(url).is_seed, TRACKER.resolve(url).is_proof) == (True, False)
    (url,) = hrefs(compiled(source, kind="proof").render(message_id="1").html)
    assert (TRACKER.resolve(url).is_seed, TRACKER.resolve(url).is_proof) == (False, True)


def test_expiry_is_told_only_to_those_who_say_when() -> None:
    end = datetime(2026, 12, 1, tzinfo=UTC)
    for tracker in (TRACKER, Tracker(BASE, KEYS, registry=MemoryRegistry(), link_style="registered")):
        message = tracker.compile(html='<a href="https://a.example/">x</a>', delivery_id="1", expires_at=end)
        if tracker.registry is not None:
            tracker.registry.publish(message)
        (url,) = hrefs(message.render(message_id="1").html)
        assert tracker.resolve(url).outcome == "valid"
        assert tracker.resolve(url, at=datetime(2026, 11, 30, tzinfo=UTC)).outcome == "valid"
        late = tracker.resolve(url, at=end)
        assert (late.outcome, late.destination, late.delivery_id) == ("expired", None, "1")


def test_registered_links_are_published_before_they_are_rendered() -> None:
    registry = MemoryRegistry()
    tracker = Tracker(base_url=BASE, keyring=KEYS, registry=registry, link_style="registered")
    message = tracker.compile(html='<a href="https://a.example/">x</a>', text="https://a.example/", delivery_id=7)
    with pytest.raises(NotPublished, match="link 2 of delivery '7'"):
        message.render(message_id="1")
    registry.publish(message)
    registry.publish(message)
    out = message.render(message_id="1")
    (url,) = hrefs(out.html)
    assert re.fullmatch(r"[a-z0-9/.-]+", url.removeprefix("https://"))
    assert tracker.resolve(url).destination == "https://a.example/"
    again = tracker.compile(html='<a href="https://a.example/">x</a>', text="https://a.example/", delivery_id=7)
    assert [link.key for link in again.links] == [link.key for link in message.links]
    assert TRACKER.resolve(url).outcome == "unknown"


def test_a_message_part_fits_only_links_of_its_delivery_and_variant() -> None:
    source = '<a href="https://a.example/">x</a>'
    urls = {
        name: hrefs(TRACKER.compile(html=source, delivery_id=delivery, variant=variant).render(message_id="9").html)[0]
        for name, delivery, variant in (("a", "1", ""), ("b", "2", ""), ("c", "1", "B"))
    }
    for one, url in urls.items():
        link = url.rpartition("/")[0]
        for two, other in urls.items():
            said = TRACKER.resolve(f"{link}/{other.rpartition('/')[2]}")
            assert said.destination == "https://a.example/"
            assert (said.outcome == "valid", said.message_id == "9") == (one == two, one == two)


def test_plain_text_links_stop_where_they_should() -> None:
    text = "See (https://a.example/x), [https://b.example/] and <https://c.example/>.\r\nOr https://d.example/?a=1&b=2.\r\n"
    message = TRACKER.compile(text=text, delivery_id="1")
    assert [link.url for link in message.links] == [
        "https://a.example/x",
        "https://b.example/",
        "https://c.example/",
        "https://d.example/?a=1&b=2",
    ]
    out = message.render(message_id="1")
    assert out.html is None
    assert message.restore(out.text or "") == text
    found = re.findall(re.escape(BASE) + r"[a-z0-9./-]*[a-z0-9]", out.text or "")
    assert [resolved(url) for url in found] == [link.url for link in message.links]


def test_restore_refuses_what_it_did_not_make() -> None:
    message = compiled('<a href="https://a.example/">x</a>')
    out = message.render(message_id="1").html or ""
    other = compiled('<a href="https://a.example/">y</a>').render(message_id="1").html or ""
    foreign = Tracker(BASE, Keyring.from_secrets("x" * 40)).compile(
        html='<a href="https://a.example/">x</a>', delivery_id="spring"
    )
    for text in (
        "",
        out + " ",
        out[:-1],
        other,
        foreign.render(message_id="1").html or "",
        '<a href="https://a.example/">x</a>',
    ):
        with pytest.raises(NotOurs):
            message.restore(text)
    for message_id in ("1", "2", "a@b", "é" * 20):
        assert message.restore(message.render(message_id=message_id).html or "") == '<a href="https://a.example/">x</a>'


def test_edits_are_where_the_text_changes() -> None:
    source = '<body><a href="https://a.example/" _label="A">x</a></body>'
    edits = compiled(source).edits
    assert [(edit.kind, source[edit.start : edit.end]) for edit in edits] == [
        ("link", "https://a.example/"),
        ("marker", ' _label="A"'),
        ("pixel", ""),
    ]


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_same_message_renders_the_same(before: str, after: str) -> None:
    source = f"{before}<a href='https://a.example/'>x</a>{after}"
    one, two = (compiled(source).render(message_id="1").html for _ in range(2))
    assert one == two


def test_unsubscribe_headers() -> None:
    message = compiled("<p>")
    assert message.render(message_id="1").headers == {}
    both = message.render(message_id="1", unsubscribe=["https://a.example/u?x=1", "mailto:u@a.example"]).headers
    assert both == {
        "List-Unsubscribe": "<https://a.example/u?x=1>, <mailto:u@a.example>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert "List-Unsubscribe-Post" not in message.render(message_id="1", unsubscribe="mailto:u@a.example").headers
    for bad in ("https://a.example/\r\nBcc: x", "https://a.example/>", "javascript:x", "", []):
        with pytest.raises(InvalidOption, match="unsubscribe"):
            message.render(message_id="1", unsubscribe=bad)


def test_bad_input_is_named() -> None:
    with pytest.raises(CompileError, match="html and text"):
        compiled()
    with pytest.raises(InvalidValue, match="html must be text, not bytes"):
        compiled(b"<p>")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="pixel='middle'"):
        compiled("<p>", pixel="middle")
    with pytest.raises(InvalidOption, match="syntax='erb'"):
        compiled("<p>", syntax="erb")
    with pytest.raises(InvalidOption, match="loaders are for"):
        compiled("<p>", syntax="jinja", loaders={"view": {}})
    with pytest.raises(UnknownOption, match="'pixels'"):
        compiled("<p>", pixels="bottom")
    with pytest.raises(UnknownOption, match="'keys'"):
        Tracker(BASE, KEYS, keys=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="link_style='short'"):
        Tracker(BASE, KEYS, link_style="short")
    with pytest.raises(InvalidOption, match="registry"):
        Tracker(BASE, KEYS, link_style="registered")
    with pytest.raises(InvalidOption, match="campaign"):
        Tracker(BASE, KEYS, url_format="campaign")
    with pytest.raises(InvalidOption, match="url_format"):
        Tracker(BASE, KEYS, url_format="long")
    with pytest.raises(InvalidValue, match="Keyring"):
        Tracker(BASE, SECRET)  # type: ignore[arg-type]
    with pytest.raises(NaiveDatetime, match="2026"):
        compiled("<p>", expires_at=datetime(2026, 1, 1))
    for bad in ("", "x" * 65, "é" * 33, "\ud800", None, 1.5, True):
        with pytest.raises(InvalidId):
            TRACKER.compile(html="<p>", delivery_id=bad)  # type: ignore[arg-type]
        with pytest.raises(InvalidId):
            compiled("<p>").render(message_id=bad)  # type: ignore[arg-type]
    assert compiled("<p>").render(message_id="é" * 32).html


@given(st.text(max_size=300))
def test_any_url_gives_a_resolution(url: str) -> None:
    assert TRACKER.resolve(url).outcome == "unknown"
    assert TRACKER.resolve(BASE + url).outcome == "unknown"


def test_no_link_can_be_of_the_type_of_the_open() -> None:
    for source in (
        '<a href="https://a.example/" _type="open">x</a>',
        '<a href="https://a.example/" _urlType="2">x</a>',
    ):
        message = compiled(source)
        assert message.links[0].type is LinkType.CLICK
        assert [finding.code for finding in message.findings if finding.code == "unknown-type"] == ["unknown-type"]
    with pytest.raises(InvalidOption, match="open"):
        Rule(type="open")


def test_a_registry_shared_by_two_realms_lets_no_identity_cross() -> None:
    registry = MemoryRegistry()
    trackers = [
        Tracker(BASE, KEYS, registry=registry, link_style="registered", realm=realm) for realm in ("a", "b", "")
    ]
    urls = []
    for tracker in trackers:
        message = tracker.compile(html='<a href="https://a.example/">x</a>', delivery_id="1")
        registry.publish(message)
        urls.append(hrefs(message.render(message_id="7").html)[0])
    for own, tracker in enumerate(trackers):
        for one, two in ((a, b) for a in range(3) for b in range(3)):
            link, message_part = urls[one].rpartition("/")[0], urls[two].rpartition("/")[2]
            said = tracker.resolve(f"{link}/{message_part}")
            assert said.destination == "https://a.example/"
            assert (said.message_id == "7") == (one == two == own)


def test_a_tracker_of_a_realm_reads_its_own_links() -> None:
    tracker = Tracker(BASE, KEYS, realm="tenant")
    (url,) = hrefs(
        tracker.compile(html='<a href="https://a.example/">x</a>', delivery_id="1").render(message_id="7").html
    )
    assert (tracker.resolve(url).outcome, tracker.resolve(url).message_id) == ("valid", "7")
    assert TRACKER.resolve(url).outcome == "unknown"


def test_a_pseudonym_outlives_the_change_to_another_secret() -> None:
    source = '<a href="https://a.example/">x</a>'
    (url,) = hrefs(compiled(source).render(message_id="7", policy=Policy(clicks="pseudonymous")).html)
    rotated = Tracker(BASE, Keyring.from_secrets("another secret that is long enough", verify_only=(SECRET,)))
    assert TRACKER.resolve(url).pseudonym is not None
    assert rotated.resolve(url).pseudonym == TRACKER.resolve(url).pseudonym
    (other,) = hrefs(compiled(source).render(message_id="8", policy=Policy(clicks="pseudonymous")).html)
    assert TRACKER.resolve(other).pseudonym != TRACKER.resolve(url).pseudonym


@pytest.mark.parametrize(
    "own", ["https://T.example.com/abc", "HTTPS://t.example.com/abc", "https://t.example.com", BASE]
)
def test_links_to_our_own_server_are_known_in_any_spelling(own: str) -> None:
    (decision,) = compiled(f'<a href="{own}">x</a>').decisions
    assert decision.reason == "already-tracked"
    (decision,) = compiled('<a href="https://t.example.com.evil.example/">x</a>').decisions
    assert decision.reason == "tracked"


@pytest.mark.parametrize(
    "tail",
    [
        '{{ "</body>" }}',
        '<% "</body>" %>',
        "{# </body> #}",
        "<template></body></template>",
        "<!-- </body> -->",
        "<script>'</body>'</script>",
    ],
)
def test_the_pixel_goes_into_nothing_that_is_not_the_page(tail: str) -> None:
    source = f"<body>x</body>{tail}"
    out = compiled(source).render(message_id="1").html or ""
    assert out.startswith("<body>x<img ")
    assert out.endswith(f"</body>{tail}")


@pytest.mark.parametrize(
    ("change", "destination"),
    [
        ({"key": ""}, "https://a.example/"),
        ({"key": "00000000"}, "https://a.example/"),
        ({"url": "https://evil.example/"}, "https://evil.example/"),
        ({"id": "9"}, "https://a.example/"),
        ({"url": "javascript:alert(1)"}, None),
    ],
)
def test_a_registry_that_says_otherwise_names_nobody(change: dict[str, str], destination: str | None) -> None:
    registry = MemoryRegistry()
    tracker = Tracker(BASE, KEYS, registry=registry, link_style="registered")
    message = tracker.compile(html='<a href="https://a.example/">x</a>', delivery_id="1")
    registry.publish(message)
    (url,) = hrefs(message.render(message_id="7").html)
    assert tracker.resolve(url).message_id == "7"

    class Other(MemoryRegistry):
        def find(self, key: str) -> TrackedLink | None:
            return evolve(message.links[0], **change)

    said = Tracker(BASE, KEYS, registry=Other(), link_style="registered").resolve(url)
    assert (said.destination, said.message_id) == (destination, None)
