"""Unusual rows of a table's matrix as rows of the table: sums by column, values in its types."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skae import OutlierExplanation, TableEncoder
from skae._table_explanations import by_columns_of_table, of_table

TABLE = pd.DataFrame(
    {
        "age": [20.0, 30.0, 40.0, np.nan],
        "job": ["nurse", None, "cook", "cook"],
        "same": ["a"] * 4,
        "born": pd.to_datetime(["2001-05-01", "1991-02-03", None, "1971-12-30"]),
    }
)


def explanation_of(encoder, rebuilt):
    contributions = 2.0 ** np.arange(rebuilt.shape[1]) * np.arange(1, len(rebuilt) + 1)[:, None]
    views = {"surface": np.arange(4.0)}
    names = encoder.get_feature_names_out()
    return OutlierExplanation(rebuilt, rebuilt, contributions, views, names)


def test_parts_of_columns_are_sums_over_what_was_made_of_them():
    encoder = TableEncoder().fit(TABLE)
    contributions = np.random.RandomState(0).uniform(size=(4, len(encoder.source_columns_)))
    found = by_columns_of_table(contributions, encoder)
    for j, name in enumerate(TABLE.columns):
        expected = contributions[:, encoder.source_columns_ == name].sum(axis=1)
        np.testing.assert_allclose(found[:, j], expected)
    assert (found[:, 2] == 0).all()  # a category of one level has no column


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_values_and_what_was_expected_are_those_of_the_table(library):
    table = TABLE if library == "pandas" else pl.from_pandas(TABLE)
    encoder = TableEncoder().fit(table)
    rebuilt = np.nan_to_num(encoder.transform(table))[::-1]
    found = of_table(explanation_of(encoder, rebuilt), encoder, table)
    assert found.feature_names.tolist() == list(TABLE.columns)
    assert found.values[0, :3].tolist() == [20.0, "nurse", "a"]
    assert found.values[1, 1] is None
    assert found.values[3, 0] is None
    assert found.values[2, 3] is None
    assert found.expected[1].tolist()[:3] == [pytest.approx(40.0), "cook", "a"]
    assert f"{found.expected[0, 3]:%Y-%m-%d}" == "1971-12-30"
    record = found.rows(1)[0]
    assert record["column"] == found.feature_names[found.contributions[0].argmax()]


def test_an_array_of_numbers_is_a_table_too():
    X = np.random.RandomState(0).normal(size=(9, 3)) * [1, 10, 100]
    encoder = TableEncoder().fit(X)
    found = of_table(explanation_of(encoder, encoder.transform(X)), encoder, X)
    np.testing.assert_allclose(found.expected.astype(float), X)
    assert found.feature_names.tolist() == ["x0", "x1", "x2"]
