"""The scanner finds each kind of link that mail holds, and none that is hidden."""

from __future__ import annotations

import pytest

from msgtrack.links.html import HtmlScan, LinkSite, holds_template_tag, scan_html


def only(html: str) -> LinkSite:
    (site,) = scan_html(html).sites
    assert html[site.start : site.end] == site.raw
    assert html[site.tag_start : site.tag_end] == site.tag
    return site


def urls(html: str) -> list[str]:
    return [site.url for site in scan_html(html).sites]


def spliced(html: str, url: str) -> str:
    site = only(html)
    return html[: site.start] + url + html[site.end :]


class TestValues:
    def test_double_quotes(self) -> None:
        site = only('<a href="https://e.example/">x</a>')
        assert (site.element, site.attribute, site.quote, site.url) == ("a", "href", '"', "https://e.example/")

    def test_single_quotes(self) -> None:
        site = only("<a class='b' href='https://e.example/?q=\"x\"'>x</a>")
        assert (site.quote, site.url) == ("'", 'https://e.example/?q="x"')

    def test_unquoted_reaches_to_white_space_or_the_end_of_the_tag(self) -> None:
        site = only("<a href=https://e.example/?a=b&c=d/ class=x>x</a>")
        assert (site.quote, site.url) == ("", "https://e.example/?a=b&c=d/")

    def test_unquoted_value_may_hold_quotes_and_equals_signs(self) -> None:
        assert only("""<a href=/?a="b>c">x</a>""").url == '/?a="b'

    def test_upper_case_tag_and_attribute(self) -> None:
        assert only('<A TITLE=x HREF="HTTPS://E.example/Path">x</A>').url == "HTTPS://E.example/Path"

    def test_spaces_around_the_equals_sign_and_inside_the_quotes(self) -> None:
        html = '<a href \n = "\t https://e.example/ \r\n">x</a>'
        site = only(html)
        assert site.raw == site.url == "https://e.example/"
        assert spliced(html, "URL") == '<a href \n = "\t URL \r\n">x</a>'

    def test_line_breaks_and_tabs_inside_are_no_part_of_the_address(self) -> None:
        site = only('<a href="https://e.example/a\r\n\t b">x</a>')
        assert site.url == "https://e.example/a b"
        assert site.raw == "https://e.example/a\r\n\t b"

    def test_only_html_white_space_is_white_space(self) -> None:
        # A no-break space and a vertical tab are part of a tag's name; neither is white space in HTML.
        assert urls("<a\u00a0href=x><a\vhref=y><a\fhref=z>") == ["z"]

    def test_control_characters_at_the_ends_are_no_part_of_the_address(self) -> None:
        assert only('<a href="&#1;&#32;https://e.example/&#10;">x</a>').url == "https://e.example/"

    def test_empty_and_missing_values_have_an_empty_span(self) -> None:
        for html in ("<a href>x</a>", "<a href=>x</a>", '<a href="">x</a>', "<a href='  '>x</a>", "<a href />"):
            site = only(html)
            assert (site.url, site.raw) == ("", "")
            assert site.start == site.end

    def test_first_of_repeated_attributes_counts(self) -> None:
        assert only('<a href=1 HREF="2" href=3>x</a>').url == "1"
        assert only('<a class="b" href="1" href="2">x</a>').url == "1"
        assert only('<a href href="2">x</a>').url == ""

    def test_slash_separates_attributes(self) -> None:
        assert urls("<a/href=x><a / href=y /><a/x/href='z'/>") == ["x", "y", "z"]

    def test_no_white_space_after_a_quoted_value(self) -> None:
        assert only('<a class="b"href="x"id="y">').url == "x"

    def test_equals_sign_at_the_start_of_a_name_belongs_to_it(self) -> None:
        assert urls('<a =href="x">') == []
        assert urls("<a ==\">\" href='y'>") == ["y"]
        assert urls("<a x=y =\"z>\" href='n'>") == []

    def test_quote_in_a_name_quotes_nothing(self) -> None:
        assert urls("""<a "b>" href=x>""") == []
        assert urls("""<p x"y='>' href=x><a href=z>""") == ["z"]

    def test_fragment_route_stays(self) -> None:
        assert only('<a href="https://e.example/app#/route?x=1">x</a>').url == "https://e.example/app#/route?x=1"

    def test_idn_and_non_ascii_path_stay_as_written(self) -> None:
        assert (
            only('<a href="https://bücher.example/straße/日本?ü=é">x</a>').raw
            == "https://bücher.example/straße/日本?ü=é"
        )

    def test_every_scheme_is_reported_for_the_caller_to_judge(self) -> None:
        found = [
            "mailto:a@e.example",
            "tel:1",
            "sms:1",
            "javascript:x()",
            "data:,x",
            "cid:x",
            "#top",
            "//host/p",
            "r/e",
        ]
        assert urls("".join(f'<a href="{url}">x</a>' for url in found)) == found


class TestEntities:
    def test_raw_ampersand_and_names_without_semicolon_stay_in_addresses(self) -> None:
        assert only('<a href="/?a=1&copy=2&amp=3&lt;&notx">').url == "/?a=1&copy=2&amp=3<&notx"

    def test_entities_of_every_form_are_resolved(self) -> None:
        assert only('<a href="/?a&amp;b&amp&#38;&#x26;&#X26&#38c">').url == "/?a&b&&&&&c"

    def test_the_span_covers_the_source_not_the_address(self) -> None:
        assert only("<a href='/?a&amp;b'>").raw == "/?a&amp;b"


class TestElements:
    def test_area(self) -> None:
        site = only('<map><area shape="rect" coords="0,0,1,1" href="https://e.example/" alt="x"></map>')
        assert (site.element, site.url, site.text) == ("area", "https://e.example/", "")

    @pytest.mark.parametrize("tag", ["v:roundrect", "v:rect", "V:Shape", "w:thing", "v:oval"])
    def test_vml(self, tag: str) -> None:
        site = only(f'<{tag} xmlns:v="urn:x" href="https://e.example/" style="x">Text</{tag}>')
        assert (site.element, site.url, site.text) == (tag.lower(), "https://e.example/", "Text")

    @pytest.mark.parametrize(
        "html",
        [
            '<img src="https://e.example/x.png" href="https://e.example/">',
            '<link rel="stylesheet" href="https://e.example/x.css">',
            '<base href="https://e.example/">',
            '<form action="https://e.example/"></form>',
            '<abbr href="https://e.example/">',
            '<article href="https://e.example/">',
            '<o:p href="https://e.example/">',
            '<a data-href="https://e.example/">',
            '<a xhref="https://e.example/">',
            '</a href="https://e.example/">',
            '<v href="https://e.example/">',
        ],
    )
    def test_what_is_no_link(self, html: str) -> None:
        assert urls(html) == []

    def test_in_foreign_content(self) -> None:
        assert urls('<svg><a href="x"><text>t</text></a></svg>') == ["x"]


class TestConditionalComments:
    def test_vml_button_in_an_mso_comment(self) -> None:
        html = (
            '<!--[if mso]><v:roundrect href="https://e.example/"><w:anchorlock/><center>Buy</center></v:roundrect>'
            "<![endif]--><!--[if !mso]><!--><a href='https://e.example/'>Buy</a><!--<![endif]-->"
        )
        inside, outside = scan_html(html).sites
        assert (inside.element, inside.in_conditional, inside.text) == ("v:roundrect", True, "Buy")
        assert (outside.element, outside.in_conditional, outside.text) == ("a", False, "Buy")

    def test_link_in_an_mso_comment(self) -> None:
        assert only("<!--[if mso]><a href=x>y</a><![endif]-->").in_conditional

    @pytest.mark.parametrize(
        "opener",
        ["<!--[if gte mso 9]>", "<!--[if (gte mso 9)|(IE)]>", "<!--[IF IE]>", "<!--[if(IE)]>", "<!--[if !mso ]>"],
    )
    def test_every_form_of_condition(self, opener: str) -> None:
        assert only(f"{opener}<a href=x>y</a><![endif]-->").in_conditional

    def test_revealed_blocks_are_ordinary_markup(self) -> None:
        for html in (
            "<![if !mso]><a href=x>y</a><![endif]>",
            "<!--[if !mso]><!--><a href=x>y</a><!--<![endif]-->",
            "<!--[if !mso]><!-- --><a href=x>y</a><!-- <![endif]-->",
            "<!--[if !mso]>--><a href=x>y</a><!--<![endif]-->",
        ):
            assert not only(html).in_conditional

    def test_nested(self) -> None:
        html = "<!--[if mso]><a href=1><!--[if gte mso 9]><a href=2><![endif]--><a href=3><!--[if x]><a href=4>-->"
        assert [(s.url, s.in_conditional) for s in scan_html(html).sites] == [
            ("1", True),
            ("2", True),
            ("3", False),
            ("4", True),
        ]

    def test_a_plain_comment_inside_reaches_to_the_end_of_the_block(self) -> None:
        assert urls("<!--[if mso]><a href=1><!-- <a href=2> --><a href=3>") == ["1", "3"]

    def test_never_closed(self) -> None:
        scan = scan_html("<p><!--[if mso]><a href=x>y</a>")
        assert [site.in_conditional for site in scan.sites] == [True]
        assert scan.end == 3

    def test_nothing_reaches_out_of_the_block(self) -> None:
        assert urls('<!--[if mso]><style><![endif]--><a href=1><!--[if mso]><a title="<![endif]--><a href=2>') == [
            "1",
            "2",
        ]
        assert urls("<!--[if mso]><a href='<![endif]--><a href=1>'") == ["1"]
        assert urls("<!--[if mso]><svg><![CDATA[<a href=0><![endif]--><a href=1>") == ["1"]

    def test_what_never_ends_in_the_block_ends_with_it(self) -> None:
        html = "<!--[if mso]><a href=1><a x='<![endif]--><p>"
        assert scan_html(html).end == len(html)

    def test_a_space_makes_it_a_plain_comment(self) -> None:
        assert urls("<!-- [if mso]><a href=x><![endif]--><!--[endif]><a href=y>--><!--[if mso]<a href=z>-->") == []
        assert urls("<!--[if mso><a href=x>]><![endif]-->") == []


class TestHidden:
    @pytest.mark.parametrize(
        "element", ["style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes"]
    )
    def test_raw_text(self, element: str) -> None:
        html = f"<{element}><a href=1></{element}x><!-- </{element.upper()}\n ><a href=2></a>"
        assert urls(html) == ["2"]

    @pytest.mark.parametrize("element", ["style", "script", "title", "textarea", "plaintext"])
    def test_raw_text_without_an_end(self, element: str) -> None:
        for html in (f"<p><{element}><a href=1>", f"<p><{element}><a href=1></{element} x='<a href=2>"):
            assert urls(html) == []
            assert scan_html(html).end == len("<p>")

    def test_noscript_is_not_raw(self) -> None:
        assert urls("<noscript><a href=1></noscript>") == ["1"]

    def test_escaped_script(self) -> None:
        assert urls("<script><!-- <script> </script> <a href=1> --></script><a href=2>") == ["2"]
        assert urls("<script><!-- </script><a href=1>") == ["1"]
        assert urls("<script><!--><script></script><a href=1>") == ["1"]
        assert urls("<script><!-- <!--><script></script><a href=1>") == ["1"]
        assert urls("<script><!-- <script></script></script><a href=1>") == ["1"]

    @pytest.mark.parametrize(
        "comment",
        [
            "<!-- {} -->",
            "<!-- {} --!>",
            "<!-- {} - -- -> --->",
            "<!--{}--!-->",
            "<!--!>{}-->",
            "<!--a<!--{}-->",
            "<!-- [if mso]> {} -->",
        ],
    )
    def test_comments(self, comment: str) -> None:
        assert urls(comment.format("<a href=1>") + "<a href=2>") == ["2"]

    @pytest.mark.parametrize(
        "comment", ["<!-->", "<!--->", "<!---->", "<!--a-->", "<!>", "</>", "<?>", "<!x>", "</ >", "<!-x>"]
    )
    def test_short_comments_end_at_once(self, comment: str) -> None:
        assert urls(comment + "<a href=1>-->") == ["1"]

    @pytest.mark.parametrize("bogus", ["<!x {}", "<?php {}", "</ {}", "</3 {}", "<![CDATA[ {}", "<!doctype {}"])
    def test_bogus_comments_end_at_the_first_bracket(self, bogus: str) -> None:
        assert urls(bogus.format("<a href=1>") + "<a href=2>") == ["2"]

    def test_other_tags(self) -> None:
        assert urls("<p title='<a href=1>'><p title=\"<a href=2>\"><p <a href=3><p title=<a href=4><a href=5>") == ["5"]

    def test_quoted_values_that_end_a_tag_to_the_eye_only(self) -> None:
        assert urls("""<td a=">" <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td a= ">" <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td a='x">' <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td a= 'x" />' <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td b="" a='x">' <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td b='' a="x'>" <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td a='>' <a href=1>><a href=2>""") == ["2"]
        assert urls("""<td a="x" y=z">" <a href=1>><a href=2>""") == ["1", "2"]
        assert urls("""<a href="0" a='x">' <a href=1>><a href=2>""") == ["0", "2"]

    def test_tag_with_many_attributes(self) -> None:
        tag = "<td " + " ".join(f'a{n}="{n}>"' for n in range(100))
        assert urls(tag + "<a href=1>><a href=2>") == ["2"]

    def test_tag_that_never_ends(self) -> None:
        for html in (
            "<a href=x",
            '<a href="x',
            "<a href='x'",
            '<a href=x title="',
            "<a href=x title=",
            "<a href=x <a href=y",
        ):
            scan = scan_html("<b>" + html)
            assert (scan.sites, scan.end) == ((), 3)

    def test_less_than_as_text(self) -> None:
        assert urls("1 < 2 <<a href=1><3 <é <a href=2>") == ["1", "2"]

    def test_cdata_hides_in_foreign_content_only(self) -> None:
        assert urls("<svg><![CDATA[ > <a href=1> ]]><a href=2></svg><![CDATA[ > <a href=3> ]]>") == ["2", "3"]
        assert urls("<math><![CDATA[<a href=1>]]></math>") == []
        assert urls("<svg/><![CDATA[><a href=1>]]>") == ["1"]

    def test_style_and_title_hold_markup_in_foreign_content(self) -> None:
        assert urls("<svg><style><a href=1></style><title><a href=2></title></svg><style><a href=3></style>") == [
            "1",
            "2",
        ]
        assert urls("<svg><foreignObject><style><a href=1></style></foreignObject><style><a href=2></style></svg>") == [
            "2"
        ]

    def test_elements_of_html_leave_foreign_content(self) -> None:
        assert urls("<svg><p><style><a href=1></style>") == []
        assert urls("<svg><font size=1><style><a href=1></style>") == []
        assert urls("<svg><font><style><a href=1></style>") == ["1"]
        assert urls("<svg><g></p><style><a href=1></style>") == []
        assert urls("<math><annotation-xml encoding='TEXT/html'><style><a href=1></style>") == []
        assert urls("<math><annotation-xml><style><a href=1></style>") == ["1"]
        assert urls("<math><mi><style><a href=1></style></mi><style><a href=2></style></math>") == ["2"]
        assert urls("<math><svg><desc><style><a href=1></style>") == ["1"]


class TestText:
    def test_collapsed_and_decoded(self) -> None:
        assert only("<a href=x>\n Fish  &amp;\n<b>ch</b>ips&nbsp;&copy </a>").text == "Fish & chips ©"

    def test_blocks_part_words(self) -> None:
        assert (
            only("<a href=x>one<br>two<table><tr><td>three</td><td>four</td></tr></table></a>").text
            == "one two three four"
        )

    def test_image_with_alt(self) -> None:
        assert only('<a href=x><img src=y alt="Our &amp;lt; shop"><img alt=2></a>').text == "Our &lt; shop 2"

    def test_text_counts_before_alt(self) -> None:
        assert only('<a href=x><img alt="logo"> Shop</a>').text == "Shop"

    def test_comments_and_raw_text_are_not_visible(self) -> None:
        html = "<a href=x>a<!-- b --><!--> c<!--[if mso]><i>d</a></i><![endif]--><style>e</a></style><?f>g < h</a>"
        assert only(html).text == "a c g < h"

    def test_ends_at_the_next_link(self) -> None:
        assert [
            site.text for site in scan_html("<a href=1>one <a name=n>anchor</a><a href=2>two<a href=3>three</a>").sites
        ] == [
            "one",
            "two",
            "three",
        ]

    def test_a_link_that_never_ends_has_none(self) -> None:
        assert only("<a href=x>text and no end").text == ""
        assert only("<!--[if mso]><v:rect href=x>text<![endif]--></v:rect>").text == ""

    def test_links_in_conditional_comments_do_not_cut_those_outside(self) -> None:
        html = "<a href=1>one<!--[if mso]><v:rect href=2>two</v:rect><v:rect href=3>three</v:rect><![endif]--> uno</a>"
        assert [site.text for site in scan_html(html).sites] == ["one uno", "two", "three"]


class TestAttributes:
    def test_names_values_and_spans(self) -> None:
        html = "<a CLASS='b' \n href=x  data-y disabled = \"1&amp;\r\n2\">"
        site = only(html)
        assert [(a.name, a.value, html[a.start : a.end]) for a in site.attributes] == [
            ("class", "b", " CLASS='b'"),
            ("href", "x", " \n href=x"),
            ("data-y", "", "  data-y"),
            ("disabled", "1&\n2", ' disabled = "1&amp;\r\n2"'),
        ]

    def test_repeated_ones_are_all_there(self) -> None:
        assert [a.value for a in only("<a href=x b=1 B=2>").attributes if a.name == "b"] == ["1", "2"]

    def test_white_space_stays_where_it_parts_neighbours(self) -> None:
        for html, left in (
            ("<a href=x _label='y'z>", "<a href=x z>"),
            ("<a href=x _label='y'/>", "<a href=x />"),
            ("<a _label='y'href=x>", "<a href=x>"),
            ("<a href=x _label=y>", "<a href=x>"),
            ("<a href='x'_label=y>", "<a href='x'>"),
            ("<a/_label='y' href=x>", "<a/ href=x>"),
        ):
            marker = next(a for a in only(html).attributes if a.name == "_label")
            assert html[: marker.start] + html[marker.end :] == left
            assert only(left).url == "x"


class TestWhereThePixelGoes:
    def places(self, html: str) -> tuple[str, str | None, str | None]:
        scan = scan_html(html)
        start, end = scan.body_start, scan.body_end
        return html[: scan.end], None if start is None else html[:start], None if end is None else html[:end]

    def test_before_the_last_end_of_the_body(self) -> None:
        html = "<body class='x>'>a</body>b</BODY >c"
        assert self.places(html) == (html, "<body class='x>'>", "<body class='x>'>a</body>b")

    def test_not_in_comments_scripts_or_tags(self) -> None:
        html = "<!-- <body> --><script>'<body></body>'</script><p title='</body>'><!--[if mso]><body><a href=x></body><![endif]-->"
        assert self.places(html) == (html, None, None)

    def test_behind_a_body_tag_of_its_own(self) -> None:
        html = "<!--[if mso]><body class=mso><a href=x><![endif]--><!--[if !mso]><!--><body>|<!--<![endif]--></body>"
        assert self.places(html)[1] == html[: html.index("|")]

    def test_before_what_never_ends(self) -> None:
        for tail in (
            "<!-- x",
            "<p x",
            "<style>",
            "<style></style ",
            "<textarea>",
            "</",
            "<!",
            "<?",
            "<plaintext>",
            "<p a='>",
        ):
            assert self.places("<b>x</b>" + tail)[0] == "<b>x</b>"

    def test_a_fragment_ends_where_it_ends(self) -> None:
        assert self.places("<b>x")[0] == "<b>x"
        assert scan_html("") == HtmlScan(sites=(), end=0)


class TestBase:
    def test_the_first_with_a_value_counts(self) -> None:
        assert scan_html("<base target=x><base href=' https://e.example/?a&amp;b '><base href=y>").base_href == (
            "https://e.example/?a&b"
        )

    def test_none(self) -> None:
        assert scan_html("<!--[if mso]><base href=x><a href=z><![endif]--><!-- <base href=y> -->").base_href == ""


class TestTemplateTags:
    @pytest.mark.parametrize(
        "link",
        [
            "https://e.example/{{ name }}",
            "https://e.example/{% if x %}",
            "https://e.example/<%= escapeUrl(x) %>",
            "https://e.example/?e=*|EMAIL|*",
            "https://e.example/${id}",
            "https://e.example/#{id}",
            "https://e.example/{$id}",
            "https://e.example/{email}",
            "https://e.example/[[id]]",
            "https://e.example/?e=%%EMAIL%%",
            "https://e.example/?e=%recipient.email%&x=1",
            "<?php echo $url ?>",
            "<!-- @echo url -->",
            "{{#if x}}",
        ],
    )
    def test_recognised(self, link: str) -> None:
        assert holds_template_tag(link)

    @pytest.mark.parametrize(
        "link",
        [
            "https://e.example/?q=%C3%A9t%C3%A9%20x",
            "https://e.example/100%25",
            "https://e.example/a|*b*",
            "https://e.example/[1]/(2)/{3}",
            "https://e.example/?a=$1&b=a|b#c",
            "https://r.%6cycos.c%6fm%7c%72e",
        ],
    )
    def test_not_imagined(self, link: str) -> None:
        assert not holds_template_tag(link)

    def test_a_quoted_tag_in_a_quoted_value_still_shows_its_opener(self) -> None:
        assert holds_template_tag(only('<a href="https://e.example/<%= f("x") %>/y">z</a>').raw)


class TestTemplateTagsAround:
    """Tags of template languages stand anywhere; their quotes and angle brackets say nothing about markup."""

    TAGS = (
        "{{ a > 'b' }}",
        "{{{ a }}}",
        '{% if a > "b" %}',
        "{# it's > #}",
        '<%= f(">") %>',
        "<%-- ' --%>",
        "<?php echo '>' ?>",
        '<?= $a["x"] ?>',
        "*|IF:A > 'B|*",
        '${a["x>"]}',
        "#{x > 'y'}",
        "[[${'x'}]]",
        '[% a > "b" %]',
        "{if $a > '5'}",
        "{$a|default:'>'}",
        '<#if (a > "b")>',
        "<@url path='/>'/>",
    )

    @pytest.mark.parametrize("tag", TAGS)
    def test_between_attributes(self, tag: str) -> None:
        html = f'<p {tag}>a<a{tag} class="b" {tag}href="https://e.example/"{tag} {tag}>Hi {tag} there</a>'
        site = only(html)
        assert (site.url, site.tag_start) == ("https://e.example/", html.index("<a"))
        assert site.text == " ".join(f"Hi {tag} there".split())
        assert [attribute.name for attribute in site.attributes] == ["class", "href"]

    @pytest.mark.parametrize("tag", TAGS)
    def test_in_values(self, tag: str) -> None:
        for quote in ('"', "'", ""):
            html = f"<a title={quote}x{tag}y{quote} href={quote}https://e.example/{tag}/x{quote} z>t</a><a href=y>"
            one, two = scan_html(html).sites
            assert (one.raw, two.url) == (f"https://e.example/{tag}/x", "y")
            assert holds_template_tag(one.raw)
            assert one.tag == html[: html.index("t</a>")]

    @pytest.mark.parametrize("tag", TAGS)
    def test_a_value_that_is_a_tag(self, tag: str) -> None:
        for quote in ('"', "'", ""):
            assert only(f"<a href={quote}{tag}{quote} class=x>t</a>").raw == tag

    def test_links_in_template_comments_and_code_are_none(self) -> None:
        assert urls("""{# <a href="1"> #}<%= '<a href="2">' %><?php echo "<a href=3>"; ?><a href="4">""") == ["4"]
        scan = scan_html("<body>{# </body> #}x</body>")
        assert scan.body_end == len("<body>{# </body> #}x")

    def test_what_is_no_tag_hides_nothing(self) -> None:
        for html in (
            "{{ <a href=x>",
            "<% <a href=x>",
            "<!-- {{ --><a href=x>}}",
            "{{ a <a href=x>{{ b }}",
            '<?xml:namespace prefix="o" ns="urn:x" /><a href=x>?>',
            "<style>a{{</style><a href=x>}}",
            "[[1 <a href=x>]]",
            "*| a\n<a href=x>|*",
            "<svg><![CDATA[[]]><a href=x>]]</svg>",
            "{{" + "y" * 3_000 + "<a href=x>}}",
        ):
            assert urls(html) == ["x"], html

    def test_markers_are_cut_out_without_the_tags_beside_them(self) -> None:
        html = '<a {% if a %}_label="{{ b }}"{% endif %} href="x">y</a>'
        label = only(html).attributes[0]
        assert (label.name, label.value) == ("_label", "{{ b }}")
        assert html[: label.start] + html[label.end :] == '<a {% if a %}{% endif %} href="x">y</a>'


class TestAmp:
    @pytest.mark.parametrize(
        "mark", ["\u26a14email", "\u26a1\ufe0f4email", "amp4email", "AMP4EMAIL data-css-strict", 'lang=en amp4email=""']
    )
    @pytest.mark.parametrize("before", ["", "<!doctype html>\n", "\ufeff<!-- <html> --><!DOCTYPE html> "])
    def test_is_marked_on_the_html_element(self, mark: str, before: str) -> None:
        assert scan_html(f"{before}<html {mark}><a href=x>").is_amp

    @pytest.mark.parametrize(
        "html",
        [
            "<html><p amp4email>",
            "<!-- <html amp4email> --><html>",
            "<html class=amp4email>",
            "<html amp4emails>",
            "amp4email <html",
        ],
    )
    def test_and_nowhere_else(self, html: str) -> None:
        assert not scan_html(html).is_amp
