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


def reasons(html: str | None = None, *, syntax: str = "none", **more: object) -> list[str]:
    return [d.reason.value for d in TRACKER.compile(html=html, delivery_id="1", syntax=syntax, **more).decisions]  # type: ignore[arg-type]


def clicked(html: str, values: dict[str, object], *, syntax: str) -> tuple[str | None, str | None]:
    compiled = TRACKER.compile(html=html, delivery_id="1", syntax=syntax, pixel="none")
    out = compiled.render(message_id="7", values=values).html or ""
    assert compiled.restore(out) == html
    found = URL.search(out)
    assert found, out
    said = TRACKER.resolve(found[0])
    return said.destination, said.message_id


def test_tags_of_per_cent_signs_are_found_in_links() -> None:
    link = '<a href="https://a.example/50%25?e=%EMAIL%&n=%%NAME%%">x</a>'
    assert clicked(link, {"EMAIL": "a@b", "NAME": "é"}, syntax="percent") == (
        "https://a.example/50%25?e=a%40b&n=%C3%A9",
        "7",
    )
    assert clicked('<a href="https://a.example/%C3%A9t%C3%A9?50%25">x</a>', {}, syntax="percent") == (
        "https://a.example/%C3%A9t%C3%A9?50%25",
        "7",
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mailto:a@b.example?subject={% if x %}A{% endif %}", "scheme"),
        ("tel:{% if x %}1{% endif %}", "scheme"),
        ("#{% if x %}top{% endif %}", "fragment"),
        ("javascript:f({% x %})", "scheme"),
    ],
)
def test_what_nobody_tracks_may_hold_any_tag(url: str, reason: str) -> None:
    assert reasons(f'<a href="{url}">x</a>', syntax="jinja") == [reason]


@pytest.mark.parametrize("syntax", ["none", "jinja"])
@pytest.mark.parametrize("base", ["https://h.example/{{ p }}/", "https://h.example/<%= p %>/", "https://%HOST%/"])
def test_a_base_that_only_the_engine_knows_is_no_base(syntax: str, base: str) -> None:
    html = f'<base href="{base}"><a href="x?y=1">a</a><a href="https://a.example/">b</a><a href="#top">c</a>'
    assert reasons(html, syntax=syntax) == ["template-tag", "tracked", "fragment"]


def test_a_step_that_takes_a_placeholder_out_is_named_with_its_place() -> None:
    html = '<base href="https://h.example/"><a href="a/{{ x }}/../b">y</a>'
    with pytest.raises(CompileError) as caught:
        TRACKER.compile(html=html, delivery_id="1", syntax="jinja")
    assert (caught.value.code, caught.value.line, caught.value.column) == (
        "personalized-step",
        1,
        html.index("{{") + 1,
    )


def test_a_host_in_brackets_that_never_close_is_asked_of_rules() -> None:
    rules = LinkRules(rules=(Rule(host="a.example", mode="not-tracked"),), unfit_links="skip")
    assert reasons('<a href="https://[{{ x }}/">y</a>', syntax="jinja", rules=rules) == ["template-tag"]


def test_a_text_rendered_before_the_keys_changed_is_restored_after() -> None:
    source = '<a href="https://a.example/?x={{ x }}">y</a><a href="https://a.example/">z</a>'
    compiled = TRACKER.compile(html=source, delivery_id="1", syntax="jinja")
    out = compiled.render(message_id="1", values={"x": "v"}).html or ""
    rotated = Tracker("https://t.example.com", Keyring.from_secrets("n" * 40, verify_only=(SECRET,)))
    assert rotated.load(compiled.to_bytes()).restore(out) == source


def test_values_that_no_server_would_read_again_are_refused() -> None:
    compiled = TRACKER.compile(
        html='<a href="https://a.example/?{{ x }}={{ y }}">y</a>', delivery_id="1", syntax="jinja"
    )
    long = "\U0001f600" * 2_000
    with pytest.raises(InvalidValue, match="characters"):
        compiled.render(message_id="1", values={"x": long, "y": long})
    out = compiled.render(message_id="1", values={"x": long, "y": "b"}).html or ""
    found = URL.search(out)
    assert found
    assert TRACKER.resolve(found[0]).message_id == "1"
    assert compiled.restore(out)


@pytest.mark.parametrize("values", [5, "abc", ["x"]])
def test_values_that_are_no_mapping_are_named(values: object) -> None:
    compiled = TRACKER.compile(html='<a href="https://a.example/?x={{ x }}">y</a>', delivery_id="1", syntax="jinja")
    with pytest.raises(InvalidValue, match="mapping"):
        compiled.render(message_id="1", values=values)  # type: ignore[arg-type]


def test_a_trap_with_a_tag_is_refused() -> None:
    with pytest.raises(InvalidOption, match="template tag"):
        LinkRules(trap="https://a.example/<%= x %>")


def test_links_among_verbatim_stretches_are_told_apart() -> None:
    inside, outside = '<a href="https://a.example/?a={{ x }}">', '<a href="https://a.example/?b={{ x }}">'
    html = f"{outside}{{% raw %}}{inside}{{% endraw %}}{outside}{{% raw %}}{inside}{{% endraw %}}"
    assert reasons(html, syntax="jinja") == ["tracked", "template-tag", "tracked", "template-tag"]


@pytest.mark.parametrize("more", [{"seed": 2}, {"seed": "no"}, {"policy": "none"}, {"policy": None}])
def test_a_policy_or_a_seed_of_another_kind_never_reaches_the_token(more: dict[str, object]) -> None:
    compiled = TRACKER.compile(html='<a href="https://a.example/">y</a>', delivery_id="1")
    with pytest.raises(InvalidValue, match=next(iter(more))):
        compiled.render(message_id="1", **more)  # type: ignore[arg-type]


def test_an_error_in_an_expression_names_one_place() -> None:
    html = '\n\n<a href="https://a.example/?a=<%= escapeUrl(cryptString(recipient.a)) %>">x</a>'
    with pytest.raises(CompileError, match="no function 'cryptString'") as caught:
        TRACKER.compile(html=html, delivery_id="1", syntax="campaign")
    column = html.strip().index("cryptString") + 1
    assert (caught.value.line, caught.value.column) == (3, column)
    assert re.findall(r"line \d+", str(caught.value)) == ["line 3"]


@pytest.mark.parametrize("query", ["x=1", "x={{ x }}"])
def test_personalised_links_count_with_their_length(query: str) -> None:
    html = f'<a href="https://a.example/?{query}">y</a>\n' * 1_000
    compiled = TRACKER.compile(html=html, text="t", delivery_id="1", syntax="jinja")
    assert {finding.code for finding in compiled.findings} == {"clipped-pixel", "message-growth"}
