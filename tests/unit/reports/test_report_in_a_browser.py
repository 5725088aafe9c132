"""The page in a real browser: its policy holds, its script runs, it asks nobody for anything, it fits a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from chromium import Chromium, needs_chromium

pytestmark = needs_chromium


class Site:
    """A web server that hands out pages given to it and remembers what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path)
                self.send_response(404 if page is None else 200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.server.shutdown()
    served.server.server_close()


def without_policy(page: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)


def test_the_page_runs_its_script_within_its_policy_and_asks_for_nothing(
    site: Site, browse: Chromium, page: str
) -> None:
    site.pages["/report"] = page
    document, log = browse(f"{site.url}/report")
    assert document.count('class="msgtrack-sort"') == 9
    assert 'type="search"' in document
    assert "Content Security Policy" not in log
    assert "Content-Security-Policy" not in log
    # The browser asks for this one by itself, for any page.
    assert set(site.asked) - {"/favicon.ico"} == {"/report"}


def test_what_is_smuggled_into_the_page_neither_runs_nor_loads(site: Site, browse: Chromium, page: str) -> None:
    smuggled = (
        "<img src='/stolen.gif'><script>document.title = 'owned'</script><style>@import '/stolen.css';</style></main>"
    )
    site.pages["/safe"] = page.replace("</main>", smuggled)
    site.pages["/open"] = without_policy(site.pages["/safe"])
    document, log = browse(f"{site.url}/safe")
    assert "<title>owned</title>" not in document
    assert "Content Security Policy" in log
    assert not any("stolen" in path for path in site.asked)
    # The same page without its policy shows that the test would notice.
    document, _ = browse(f"{site.url}/open")
    assert "<title>owned</title>" in document
    assert any("stolen" in path for path in site.asked)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_needs_no_scrolling_sideways(site: Site, browse: Chromium, page: str, width: int) -> None:
    site.pages["/report"] = without_policy(page)
    site.pages["/frame"] = (
        f"<iframe src='/report' style='width:{width}px;height:900px'></iframe><script>onload = () => "
        "{ document.title = 'wide: ' + frames[0].document.documentElement.scrollWidth }</script>"
    )
    document, _ = browse(f"{site.url}/frame", "--window-size=1400,1000")
    found = re.search(r"<title>wide: (\d+)</title>", document)
    assert found is not None
    assert int(found[1]) <= width


def test_tables_sort_and_filter(site: Site, browse: Chromium, page: str) -> None:
    steps = """<script>
      const table = document.querySelector("[data-table=links]");
      const first = () => table.tBodies[0].rows[0].querySelector("data").value;
      const seen = [first()];
      const button = table.tHead.rows[0].cells[1].querySelector("button");
      button.click(); seen.push(first(), button.parentNode.ariaSort);
      button.click(); seen.push(first(), button.parentNode.ariaSort);
      const input = document.querySelector("input[type=search]");
      input.value = "SHIRT"; input.dispatchEvent(new Event("input"));
      seen.push([...table.tBodies[0].rows].filter((row) => !row.hidden).length);
      document.title = seen.join(" ");
    </script></body>"""
    site.pages["/steps"] = without_policy(page).replace("</body>", steps)
    document, _ = browse(f"{site.url}/steps")
    numbers = [int(n) for n in re.findall(r'<data value="(\d+)">[\d,]+</data></td>\s*<td><data value="0', page)]
    expected = f"{max(numbers)} {max(numbers)} descending {min(numbers)} ascending 1"
    assert f"<title>{expected}</title>" in document
