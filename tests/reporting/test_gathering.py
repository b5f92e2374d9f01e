"""What is found in a table, against what the estimators say themselves."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from made_up_findings import mixed_table, quick
from skae import (
    AutoencoderOutlierDetector,
    TableAutoencoderTransformer,
    TableEncoder,
    compare,
    report,
)
from skae._frames import is_plain
from skae._table_values import Values
from skae.reporting._findings import Column, Filled
from skae.reporting._gathering import (
    MOST_HOLES,
    default_methods,
    holes_of,
    methods_on,
    target_column,
)
from skae.reporting._new_rows import shares_of_new_rows
from skae.reporting._words import number_text


def findings_on(table, y=None, **parameters):
    parameters = {"methods": [], "autoencoder": quick(), "random_state": 0, **parameters}
    return report(table, y, **parameters).findings


@pytest.fixture(scope="module")
def table():
    return mixed_table()


@pytest.fixture(scope="module")
def found(table):
    return findings_on(table)


@pytest.fixture(scope="module")
def transformer(table):
    return TableAutoencoderTransformer(2, autoencoder=quick(), random_state=0).fit(table)


def test_codes_and_scores_are_those_of_the_transformer(table, found, transformer):
    np.testing.assert_array_equal(found.codes, transformer.transform(table))
    shares = [column.share_rebuilt for column in found.columns]
    np.testing.assert_array_equal(shares, transformer.score_per_feature(table))
    assert found.score == transformer.score(table)
    assert [column.name for column in found.columns] == list(table)


def test_holes_are_filled_as_impute_fills_them(table, found, transformer):
    filled = transformer.impute(table)
    assert found.holes.n_holes == table.isna().sum().sum() == len(found.holes.examples)
    for one in found.holes.examples:
        assert pd.isna(table.loc[one.row, one.column])
        value = filled.loc[one.row, one.column]
        assert one.text == (value if isinstance(value, str) else number_text(value))


def test_examples_of_holes_are_limited_and_come_from_all_columns():
    many, few = np.full(200, np.nan), np.ones(200)
    few[199] = np.nan
    known = [Values("a", "number", np.arange(200.0)), Values("b", "number", few)]
    columns = [
        Column("a", known[0]._replace(numbers=many), 200, 0.5),
        Column("b", known[1], 1, 0.5),
    ]
    holes = holes_of(columns, known, [str(i) for i in range(200)])
    assert (len(holes.examples), holes.n_holes) == (MOST_HOLES, 201)
    assert [one.column for one in holes.examples].count("b") == 1
    assert holes.examples[3] == Filled(3, "3", "a", "3")


def test_scores_of_rows_are_those_of_a_detector_on_the_matrix(table, found):
    matrix = TableEncoder().fit_transform(table)
    detector = AutoencoderOutlierDetector(random_state=0).fit(matrix)
    scores = -detector.score_samples(matrix)
    np.testing.assert_allclose(found.unusual.scores, scores)
    rows = [row.row for row in found.unusual.rows]
    assert rows == np.argsort(-scores)[: len(rows)].tolist()


def test_a_row_that_contradicts_itself_is_found_with_its_column():
    random = np.random.RandomState(0)
    x = random.normal(size=150)
    noise = random.normal(size=(3, 150)) / 20
    table = pd.DataFrame({"a": x, "b": x + noise[0], "c": noise[1] - x, "d": 2 * x + noise[2]})
    table.index = [f"row {i}" for i in range(150)]
    table.loc["row 77", "c"] = 2.5 - table.loc["row 77", "a"]
    first = findings_on(table).unusual.rows[0]
    assert (first.row, first.label) == (77, "row 77")
    assert first.parts[0].column == "c"
    assert first.parts[0].value == number_text(table.loc["row 77", "c"])
    shares = [part.share for part in first.parts]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9


def test_a_row_without_values_is_not_judged_and_the_others_are(table):
    holey = table.astype({"tall": object})
    holey.iloc[5] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unusual = findings_on(holey).unusual
    assert unusual.n_empty == 1
    assert np.isnan(unusual.scores).nonzero()[0].tolist() == [5]


@pytest.mark.parametrize(
    ("y", "kind", "texts", "n_missing"),
    [
        (np.arange(6) % 3, "category", [0.0, 1.0, 2.0], 0),
        (np.linspace(0, 1, 6), "number", None, 0),
        (np.array(["no", "yes", None], dtype=object), "category", ["no", "yes"], 1),
        (np.asarray(pd.Series([1, None, 3], dtype="Int64")), "category", [1, 3], 1),
    ],
)
def test_a_target_is_read_as_compare_reads_it(y, kind, texts, n_missing):
    target = target_column("y", y)
    assert (target.name, target.values.kind, target.values.levels) == ("y", kind, texts)
    assert (target.n_missing, target.share_rebuilt) == (n_missing, None)


def test_a_target_is_no_column_and_methods_are_compared_where_it_is_known(table):
    found = findings_on(table, "size", methods=["famd"], max_rows=30)
    assert [column.name for column in found.columns] == ["height", "tall", "born"]
    known = np.flatnonzero(table["size"].notna())
    np.testing.assert_array_equal(found.methods.rows, known)
    assert found.methods.comparison.settings["n_samples"] == len(known)
    assert found.methods.notes == [f"without the {60 - len(known)} rows whose target is missing"]
    # The rows drawn are some, with the unusual ones and those that methods are measured on.
    assert len(found.drawn) == 30 == len(set(found.drawn))
    assert {row.row for row in found.unusual.rows} <= set(found.drawn)
    tested = known[found.methods.comparison.test_indices]
    np.testing.assert_array_equal(found.drawn[found.compared], np.sort(tested))


def test_what_can_not_be_compared_is_a_note(table):
    y = np.zeros(60)
    settings = {"methods": ["famd"], "seed": 0}
    methods = methods_on(table, target_column("y", y), ("y", y), settings)
    assert methods.comparison is None
    assert "same value in all rows" in methods.notes[0]


def test_the_share_of_new_rows_is_that_of_the_comparison():
    hidden = np.random.RandomState(0).normal(size=(60, 1))
    table = pd.DataFrame(np.hstack([hidden, hidden**2, -hidden, hidden > 0]), columns=[*"abcd"])
    for one in (table, table.assign(d=np.where(table["d"] > 0, "yes", "no"))):
        methods = {"autoencoder": quick()}
        comparison = compare(one, methods=methods, random_state=0, standardize=is_plain(one))
        shares = shares_of_new_rows(comparison, one)
        (row,) = comparison.rows
        if "numbers_r2" in row:
            assert shares[:3].mean() == pytest.approx(row["numbers_r2"], abs=0.02)
            assert shares[3] == pytest.approx(row["categories_r2"], abs=1e-6)
        else:
            assert shares.mean() == pytest.approx(row["reconstruction_r2"], abs=0.05)


def test_other_methods_say_nothing_of_new_rows(table):
    comparison = compare(table, methods="famd", random_state=0)
    assert shares_of_new_rows(comparison, table) is None


def test_numbers_without_holes_are_compared_in_the_same_units():
    found = findings_on(np.random.RandomState(0).normal(size=(40, 3)), methods="pca")
    assert found.methods.comparison.settings["standardize"] is True
    assert [column.name for column in found.columns] == ["x0", "x1", "x2"]


def test_one_autoencoder_is_compared_by_default():
    assert "autoencoder" in default_methods(True)
    assert "pca" in default_methods(True)
    assert "famd" in default_methods(False)
    assert sum("autoencoder" in name for name in default_methods(False)) == 1


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (sp.eye(20), TypeError, "table is sparse"),
        (np.zeros(20), ValueError, r"shape \(20,\)"),
        (np.zeros((9, 3)), ValueError, "9 rows and 3 columns"),
        (np.zeros((20, 1)), ValueError, "20 rows and 1 columns"),
        (np.zeros((20, 3)), ValueError, "Only 1 rows of the table differ"),
        (pd.DataFrame({"a": range(30), "b": [f"w{i}" for i in range(30)]}), ValueError, "'b'"),
    ],
)
def test_a_table_that_says_nothing_is_refused(given, error, match):
    with pytest.raises(error, match=match):
        report(given)


def test_a_target_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match="Did you mean 'size'"):
        report(table, "sise")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        report(table, [1, 2])
