"""``msgtrack audit`` and what ``compile`` has for placeholders: files in, exit codes and lines out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from msgtrack.cli import main

BAD = '<p>\n<a href="https://{{ shop }}.example/">x</a></p>'
GOOD = '<a href="https://shop.example/?n={{ name }}">x</a>'


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_folder_is_audited_by_the_endings_of_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path,
        a_html_j2=BAD,
        b_liquid=GOOD,
        deep__c_hbs_html=BAD,
        d_jssp='<img src="https://<%= x %>/">',
        e_txt_jinja="https://{{ x }}/",
        f_djhtml=GOOD,
        g_css="{{",
        h_pdf="{{",
    )
    write(tmp_path, _hidden__i_j2=BAD, _j_j2=BAD)
    assert main(["audit", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.removeprefix(str(tmp_path) + os.sep) for line in lines[:4]] == [
        "a.html.j2:2:18: personalized-host [href]: https://{{ shop }}.example/",
        "d.jssp:1:19: personalized-host [src]: https://<%= x %>/",
        "e.txt.jinja:1:9: personalized-host: https://{{ x }}/",
        f"deep{os.sep}c.hbs.html:2:18: personalized-host [href]: https://{{{{ shop }}}}.example/",
    ]
    assert lines[4].startswith("personalized-host: A tag decides")
    assert lines[5:] == ["4 problems in 4 of 6 templates"]


def test_nothing_found_is_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, a_j2=GOOD)
    assert main(["audit", str(tmp_path / "a.j2")]) == 0
    assert capsys.readouterr().out == "no problems in 1 template\n"


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, a_html=BAD, b_html=GOOD)
    assert main(["audit", str(tmp_path), "--syntax", "jinja", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    message = said["problems"][0].pop("message")
    assert message.startswith("A tag decides")
    assert said == {
        "files": 2,
        "problems": [
            {
                "path": str(tmp_path / "a.html"),
                "part": "html",
                "line": 2,
                "column": 18,
                "code": "personalized-host",
                "attribute": "href",
                "url": "https://{{ shop }}.example/",
            }
        ],
    }


def test_the_campaign_format_forbids_a_parameter(tmp_path: Path) -> None:
    write(tmp_path, a_jssp='<a href="https://shop.example/?id=<%= x %>">x</a>')
    assert main(["audit", str(tmp_path)]) == 0
    assert main(["audit", str(tmp_path), "--campaign-format"]) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a_html": GOOD, "b_html": GOOD}, "a.html and 1 more does not tell the syntax"),
        ({"a_css": GOOD}, "no templates in"),
        ({"a_j2": "{{ x }}\0"}, "is no text"),
    ],
)
def test_bad_input_is_exit_code_2(
    files: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, **files)
    assert main(["audit", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_hostile_names_and_addresses_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a\x1b[2J.j2").write_text('<a href="{{ x }}\x1b[31m">', encoding="utf-8")
    assert main(["audit", str(tmp_path)]) == 1
    assert "\x1b" not in capsys.readouterr().out


@pytest.fixture
def compile_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    keys = str(tmp_path / "test.keys")
    assert main(["keys", "new", "--out", keys]) == 0
    capsys.readouterr()
    write(
        tmp_path, page_html=GOOD, bad_html=GOOD + BAD, values_json='{"name": "Ann & Bob"}', list_json="[]", no_json="{"
    )
    return ["--delivery", "spring", "--keys", keys, "--base-url", "https://t.example.com", "--syntax", "jinja"]


def test_compile_tracks_links_with_placeholders(
    tmp_path: Path, compile_arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(tmp_path / "page.html")
    assert main(["compile", page, *compile_arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["placeholders"] == [{"name": "name", "part": "html", "line": 1, "column": 34}]
    assert [link["url"] for link in said["links"]] == ["https://shop.example/?n=<%= name %>"]
    values = ["--message-id", "1001", "--values", str(tmp_path / "values.json")]
    assert main(["compile", page, *compile_arguments, *values]) == 0
    assert "{{" not in capsys.readouterr().out


def test_compile_leaves_unfit_links_alone_when_asked(
    tmp_path: Path, compile_arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(tmp_path / "bad.html")
    assert main(["compile", page, *compile_arguments]) == 2
    assert "line 2, column 18" in capsys.readouterr().err
    assert main(["compile", page, *compile_arguments, "--skip-unfit"]) == 0
    assert "1 of 2 links tracked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--message-id", "1"], "'name' has no value"),
        (["--values", "values.json"], "--values needs --message-id"),
        (["--message-id", "1", "--values", "list.json"], "holds no JSON object"),
        (["--message-id", "1", "--values", "no.json"], "is no JSON"),
        (["--message-id", "1", "--values", "missing.json"], "cannot read the file of values"),
    ],
)
def test_bad_values_are_exit_code_2(
    more: list[str],
    said: str,
    tmp_path: Path,
    compile_arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compile", "page.html", *compile_arguments, *more]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
