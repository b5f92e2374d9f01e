"""Values as words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae._table_values import Values
from skae.reporting._words import (
    LONGEST,
    date_texts,
    number_text,
    percent,
    shortened,
    text_in,
    texts_of,
)

DAY = 86400.0


@pytest.mark.parametrize(
    ("number", "text"),
    [(22.0, "22"), (-3.0, "-3"), (7.25, "7.25"), (0.000123456, "0.0001235"), (123456.7, "123457")],
)
def test_a_number_is_written_as_it_is_read(number, text):
    assert number_text(number) == text


@given(st.floats(-1e300, 1e300))
def test_a_number_keeps_four_digits(number):
    assert float(number_text(number)) == pytest.approx(number, rel=1e-3)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.999, ">99%"), (1.0, "100%")]
)
def test_a_share_that_is_not_nothing_or_all_is_not_shown_as_that(share, text):
    assert percent(share) == text


@given(st.text())
def test_a_text_fits_into_a_line_and_can_be_written(text):
    short = shortened(text)
    assert len(short) <= LONGEST
    assert "\n" not in short
    short.encode("utf-8")


def test_half_of_a_surrogate_pair_can_be_written():
    assert shortened("a\ud800b") == "a?b"


def test_dates_are_days_or_have_a_time():
    assert date_texts(np.array([0.0, DAY])) == ["1970-01-01", "1970-01-02"]
    assert date_texts(np.array([0.0, 60.0])) == ["1970-01-01 00:00", "1970-01-01 00:01"]
    assert date_texts(np.array([1.0])) == ["1970-01-01 00:00:01"]
    assert date_texts(np.array([1e13])) == ["year 318857"]


def test_texts_of_a_column_are_those_of_its_rows():
    numbers = np.array([1.0, np.nan, 0.0, 1.0])
    texts = texts_of(Values("size", "category", numbers, ["L", ""]))
    assert [text_in(texts, i) for i in range(4)] == ["(empty)", "missing", "L", "(empty)"]
    assert texts.texts == ["L", "(empty)"]
