"""Labels, types, categories and every vendor's way to say "do not track"."""

from __future__ import annotations

import pytest

from msgtrack.links.html import scan_html
from msgtrack.links.markers import CLASS_MARKERS, OPT_OUT_MARKERS, Markup, OptOutMarker, markup_of, read_markup


def markup(attributes: str) -> Markup:
    (site,) = scan_html(f'<a href="https://e.example/" {attributes}>x</a>').sites
    quick, thorough = markup_of(site), read_markup(site.attributes)
    assert quick == thorough
    return thorough


def without_markers(html: str) -> str:
    (site,) = scan_html(html).sites
    for span in reversed(markup_of(site).marker_spans):
        html = html[: span.start] + html[span.end :]
    return html


class TestOptOut:
    @pytest.mark.parametrize("marker", OPT_OUT_MARKERS, ids=lambda marker: marker.name)
    def test_as_the_vendor_writes_it(self, marker: OptOutMarker) -> None:
        for written in (marker.written, marker.written.upper(), marker.written.replace('"', "")):
            found = markup(written)
            assert found.off
            assert [span.name for span in found.marker_spans] == [marker.name]
        assert without_markers(f'<a {marker.written} href="x">') == '<a href="x">'

    @pytest.mark.parametrize("name", CLASS_MARKERS)
    def test_class_names_mean_off_and_stay(self, name: str) -> None:
        found = markup(f'class="button {name}"')
        assert found == Markup(off=True)
        assert not markup(f'class="{name}-button"').off

    @pytest.mark.parametrize(
        "attributes",
        [
            'clicktracking="on"',
            'data-msys-clicktrack="1"',
            'disable-tracking="false"',
            'data-disable-tracking="false"',
            'data-mautic-disable-tracking="false"',
            'autotrack="true"',
            'nottracked="false"',
            'data-nolink="false"',
            'data-track="x" title="data-pm-no-track"',
        ],
    )
    def test_what_means_on_is_left_alone(self, attributes: str) -> None:
        assert markup(attributes) == Markup()

    def test_our_own_marker_goes_whatever_it_says(self) -> None:
        on = markup('data-msgtrack="on"')
        assert not on.off
        assert len(on.marker_spans) == 1

    @pytest.mark.parametrize("value", ["off", "OFF", " off ", "false", "no", "0"])
    def test_values_that_mean_off(self, value: str) -> None:
        assert markup(f'data-msgtrack="{value}"').off

    def test_the_first_of_repeated_ones_counts_and_all_go(self) -> None:
        assert not markup("clicktracking=on clicktracking=off").off
        assert without_markers("<a href=x clicktracking=off CLICKTRACKING=on>") == "<a href=x>"


class TestMarkup:
    @pytest.mark.parametrize("name", ["_label", "data-label", "data-msgtrack-label", "_LABEL"])
    def test_label(self, name: str) -> None:
        found = markup(f'{name}=" Spring &amp;\n Summer "')
        assert found.label == "Spring & Summer"
        assert len(found.marker_spans) == 1

    @pytest.mark.parametrize("name", ["_category", "data-category", "data-msgtrack-category"])
    def test_category(self, name: str) -> None:
        assert markup(f"{name}=facebook").category == "facebook"

    @pytest.mark.parametrize("name", ["_type", "data-type", "data-msgtrack-type", "_urlType", "data-urltype"])
    @pytest.mark.parametrize("value", ["mirrorPage", "optout", "emailClick", "web", "transaction", "11"])
    def test_type(self, name: str, value: str) -> None:
        assert markup(f'{name}="{value}"').type == value

    def test_an_unknown_type_is_handed_on(self) -> None:
        assert markup('_type="button"').type == "button"

    def test_shared_names_are_ours_only_when_they_say_something(self) -> None:
        assert markup('data-type="button" data-label="" data-category=" "') == Markup()

    def test_all_together_leave_the_tag_as_it_would_be_without(self) -> None:
        html = '<a _label="L"\n class=b _type=optout href="x" _category="C" ses:no-track>'
        assert without_markers(html) == '<a\n class=b href="x">'

    def test_nothing_said(self) -> None:
        assert markup('class="x" style="y" target=_blank') == Markup()

    def test_no_markup_is_the_default(self) -> None:
        assert Markup() == Markup(label="", type="", category="", off=False, marker_spans=())
