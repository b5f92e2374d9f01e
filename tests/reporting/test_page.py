"""The page: well formed, whole, harmless, and of one file."""

import json
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_up_findings import findings_of, mixed_table
from skae.reporting._page import MOST_COLUMNS, page

WHEN = datetime(2026, 1, 2, 3, 4)
SECTIONS = ["columns", "picture", "codes", "methods", "unusual", "holes"]
VOID = {"meta", "link", "br", "hr", "img", "input", "source", "base", "area", "col", "embed"}
NASTY = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><svg onload=alert(1)>",
    "\"><img src=x onerror='alert(1)'>",
    "' autofocus onfocus=alert(1) x='",
    "&lt;b&gt;&amp;",
    "$title ${data} $",
    "javascript:alert(1)",
    "\x00\u202e\u2028",
]


class Reader(HTMLParser):
    """What a page has: its tags in order, the attributes, the texts, and what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.errors = [], [], [], []
        self.scripts, self.open = [], []
        self.feed(text)
        self.close()
        self.errors += self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"</{tag}> at {self.getpos()}")

    def handle_comment(self, data):
        self.errors.append(f"<!--{data}")

    def handle_data(self, data):
        kept = self.scripts if self.open[-1:] == ["script"] else self.texts
        kept.append(data)

    @property
    def data(self):
        return json.loads(self.scripts[0])


def named(table, name):
    """Return a table with a name in its columns, its words and its index."""
    columns = {column: f"{column}{name}" for column in table.columns}
    words = table["size"].map(lambda word: f"{word}{name}" if isinstance(word, str) else word)
    return table.assign(size=words).rename(columns=columns)


@pytest.fixture(scope="module")
def table():
    return mixed_table(named=True)


@pytest.fixture(scope="module")
def plain(table):
    return Reader(page(findings_of(table), WHEN))


def test_tags_are_balanced(plain):
    assert plain.errors == []


def test_each_section_is_there_with_a_heading_and_a_link(plain):
    ids = [value for _, name, value in plain.attributes if name == "id"]
    links = [value for tag, name, value in plain.attributes if (tag, name) == ("a", "href")]
    assert [id for id in ids if id in SECTIONS] == SECTIONS
    assert {f"#{section}" for section in SECTIONS} <= set(links)
    assert {f"h-{section}" for section in SECTIONS} <= set(ids)


def test_ids_are_unique_and_labels_lead_to_them(plain):
    ids = [value for _, name, value in plain.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    needed = [v for _, name, v in plain.attributes if name in ("for", "aria-labelledby")]
    needed += [v[1:] for _, name, v in plain.attributes if name == "href"]
    assert set(needed) <= set(ids)


def test_nothing_is_loaded(plain):
    loading = {
        "src",
        "srcset",
        "data",
        "action",
        "formaction",
        "background",
        "poster",
        "xlink:href",
    }
    assert [one for one in plain.attributes if one[1] in loading] == []
    assert {tag for tag, _ in plain.tags}.isdisjoint({"link", "img", "iframe", "object", "base"})
    assert "http://" not in "".join(plain.texts)
    assert "https://" not in "".join(plain.texts)
    assert "url(" not in "".join(plain.texts)
    assert "@import" not in "".join(plain.texts)
    (policy,) = [v for tag, n, v in plain.attributes if n == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy.split("script-src")[1]


def test_pictures_have_something_to_be_read_out(plain):
    pictures = [names for tag, names in plain.tags if tag == "svg"]
    assert len(pictures) > 10
    assert all("aria-label" in names or "aria-hidden" in names for names in pictures)


def test_tables_have_headers(plain):
    headers = [names for tag, names in plain.tags if tag == "th" and "scope" in names]
    assert len(headers) > 10


def test_the_data_is_that_of_the_rows_drawn(table, plain):
    data = plain.data
    names = ["height", "size", "tall", "born"]
    assert [column["name"] for column in data["columns"]] == names
    assert data["labels"] == table.index.tolist()
    size = data["columns"][1]
    values = [size["texts"][i] if i >= 0 else None for i in size["values"]]
    assert values == [word if isinstance(word, str) else None for word in table["size"]]
    assert [place < 0 for place in size["colors"]] == [value is None for value in values]


def test_the_picture_has_a_point_for_each_row_drawn(table, plain):
    n_compared = len(plain.data["compared"])
    circles = [value for tag, name, value in plain.attributes if (tag, name) == ("circle", "class")]
    points = [value for value in circles if value != "ring"]
    assert len(points) >= len(table) + 2 * n_compared
    assert circles.count("ring") == 1


def test_a_page_says_that_it_holds_data(plain):
    assert "Values of all 60 rows are in it" in " ".join(plain.texts)


def test_rows_without_names_are_numbered():
    assert "Rows are numbered from 0" in page(findings_of(mixed_table(12)), WHEN)


def test_a_page_of_some_rows_says_how_many(table):
    text = page(findings_of(table, max_rows=20), WHEN)
    assert "Values of 20 of 60 rows are in it" in text
    assert "20 of 60 rows, drawn at random" in text
    assert len(Reader(text).data["labels"]) == 20


def structure(text):
    reader = Reader(text)
    assert reader.errors == []
    return reader.tags


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_in_the_data_changes_the_structure_of_the_page(table, plain, nasty):
    text = page(findings_of(named(table, nasty), word=nasty), WHEN)
    assert structure(text) == plain.tags
    shown = " ".join(Reader(text).texts)
    if nasty.isprintable():
        assert f"height{nasty}" in shown
        assert f"A title{nasty}" in shown
    (name, *_) = [column["name"] for column in Reader(text).data["columns"]]
    assert name.startswith("height")


@settings(max_examples=25, deadline=None)
@given(word=st.text(max_size=12))
def test_no_text_changes_the_structure_of_the_page(word):
    table = mixed_table(12, named=True)
    expected = structure(page(findings_of(table), WHEN))
    assert structure(page(findings_of(named(table, word), word=word), WHEN)) == expected


def test_a_page_is_the_same_but_for_its_date(table):
    assert page(findings_of(table), WHEN) == page(findings_of(table), WHEN)
    later = page(findings_of(table), datetime(2027, 1, 2, 3, 4))
    assert later.replace("2027-01-02", "2026-01-02") == page(findings_of(table), WHEN)


def test_a_page_of_2000_rows_and_15_columns_has_less_than_two_megabytes():
    random = np.random.RandomState(0)
    numbers = {f"number {i}": random.normal(size=2000) for i in range(10)}
    words = {f"word {i}": random.choice([*"abcdefgh"], 2000) for i in range(5)}
    findings = findings_of(pd.DataFrame({**numbers, **words}), n_methods=8)
    assert len(page(findings, WHEN).encode()) < 2e6


def test_many_columns_are_cut_to_those_best_rebuilt():
    table = pd.DataFrame(np.random.RandomState(0).normal(size=(20, 70)))
    reader = Reader(page(findings_of(table), WHEN))
    assert len(reader.data["columns"]) == MOST_COLUMNS + 1
    assert reader.data["columns"][-1]["name"] == "69"
    assert "19 columns that the codes rebuild less well" in " ".join(reader.texts)


def test_columns_without_values_or_of_one_level_are_shown(table):
    odd = table.assign(none=np.nan, same="a", year=2020)
    text = " ".join(Reader(page(findings_of(odd), WHEN)).texts)
    assert "no value is known" in text
    assert "a 100%" in text
