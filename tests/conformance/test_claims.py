"""The page of stores says of each of ours what its tests hold it to."""

from __future__ import annotations

import re

from attrs import asdict

from msgtrack.protocols import CAPABILITIES


def test_the_page_says_what_each_store_can(claims, root):
    page = (root / "docs" / "spec" / "stores.md").read_text(encoding="utf-8")
    part = page.partition("## What a store can do")[2].partition("\n## ")[0]
    tables = [re.findall(r"^\| *(.*?) *\|$", table, re.MULTILINE) for table in part.split("\n\n") if "| --- |" in table]
    sentences, ours = ([re.split(r" *\| *", line) for line in table] for table in tables)
    assert {name.strip("`"): said for name, said in sentences[2:]} == CAPABILITIES
    stores = ours[0][1:]
    written = {
        name: {line[0].strip("`"): line[place] == "yes" for line in ours[2:]} for place, name in enumerate(stores, 1)
    }
    assert written == {name: asdict(kept) for name, kept in claims.items() if name != "dict"}
    assert {cell for line in ours[2:] for cell in line[1:]} == {"yes", "–"}
