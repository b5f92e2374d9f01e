"""`compare` of tables: one matrix for all methods, and scores by the columns of the table."""

import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.text import Text
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae.comparison import METHODS, compare
from skae.comparison import _compare as module
from skae.comparison._measure import Measurement
from skae.comparison._methods import build_method
from skae.comparison._refusals import RowKind, says_it_takes_holes, takes_tables
from skae.exceptions import IdleParameterWarning

FAST = {"hidden_layer_sizes": (4,), "max_iter": 3, "early_stopping": False, "random_state": 0}


def make_table(n_rows=80):
    """Return a table without holes, most of whose columns depend on one that is hidden."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=n_rows)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta((hidden * 9).round() + 99, unit="D")
    return pd.DataFrame(
        {
            "height": 170 + 10 * hidden + random.normal(size=n_rows),
            "weight": 60 + 9 * hidden + random.normal(size=n_rows),
            "size": np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])],
            "team": random.choice(["blue", "red"], n_rows),
            "tall": hidden > 0,
            "day": days,
        }
    )


def with_holes(table):
    table = table.copy()
    table.loc[::7, "height"] = np.nan
    table.loc[::9, "size"] = None
    return table


TABLE = make_table()
HOLES = with_holes(TABLE)
SCORES = ["reconstruction_r2", "numbers_r2", "categories_r2", "dates_r2"]


def rows_of(comparison):
    return {row["method"]: row for row in comparison.rows}


def parts_of(comparison, table=TABLE):
    return table.iloc[comparison.train_indices], table.iloc[comparison.test_indices]


# The numbers


def test_numbers_of_famd_are_those_computed_by_hand():
    comparison = compare(TABLE, methods="famd", random_state=0)
    train, test = parts_of(comparison)
    encoder = TableEncoder().fit(train)
    pca = PCA(2).fit(encoder.transform(train))
    codes = pca.transform(encoder.transform(test))
    np.testing.assert_allclose(comparison.embeddings["famd"], codes, atol=1e-9)

    matrix = pd.DataFrame(pca.inverse_transform(codes), columns=encoder.get_feature_names_out())
    errors, constant = {}, {}
    for name in ("height", "weight", "day"):
        values, known = (
            part[name].to_numpy().astype("datetime64[s]").astype(float)
            if name == "day"
            else part[name].to_numpy()
            for part in (test, train)
        )
        mean, scale = known.mean(), known.std()
        # A date shares its part of the matrix with its cycles.
        n_parts = sum(column.startswith(name) for column in matrix)
        rebuilt = matrix[name].to_numpy() * np.sqrt(n_parts) * scale + mean
        errors[name] = np.square((values - rebuilt) / scale).sum()
        constant[name] = np.square((values - values.mean()) / scale).sum()
    for name in ("size", "team", "tall"):
        levels = sorted(set(train[name]))
        true = (test[name].to_numpy()[:, None] == levels).astype(float)
        frequency = (train[name].to_numpy()[:, None] == levels).mean(axis=0)
        block = matrix[[f"{name}={level}" for level in levels]].to_numpy()
        shares = np.clip(block * np.sqrt(frequency) + frequency, 0, None)
        shares /= shares.sum(axis=1, keepdims=True)
        spread = 1 - np.square(frequency).sum()
        errors[name] = np.square(shares - true).sum() / spread
        constant[name] = np.square(true - true.mean(axis=0)).sum() / spread

    def expected(*names):
        return 1 - sum(errors[name] for name in names) / sum(constant[name] for name in names)

    (row,) = comparison.rows
    assert row["reconstruction_r2"] == pytest.approx(expected(*TABLE))
    assert row["numbers_r2"] == pytest.approx(expected("height", "weight"))
    assert row["categories_r2"] == pytest.approx(expected("size", "team", "tall"))
    assert row["dates_r2"] == pytest.approx(expected("day"))


def test_an_autoencoder_of_tables_has_the_score_that_it_gives_itself():
    methods = {"table": TableAutoencoderTransformer(2, autoencoder=AutoencoderTransformer(**FAST))}
    comparison = compare(HOLES, methods=methods, random_state=0)
    _, test = parts_of(comparison, HOLES)
    (row,) = comparison.rows
    assert row["reconstruction_r2"] == pytest.approx(comparison.estimators["table"].score(test))
    assert row["notes"] == []


def test_of_built_in_autoencoders_it_is_what_an_autoencoder_of_tables_is(monkeypatch):
    tiny = AutoencoderTransformer(2, **FAST)
    monkeypatch.setitem(METHODS, "autoencoder", lambda *size: clone(tiny))
    methods = {"ours": "autoencoder", "table": TableAutoencoderTransformer(2, autoencoder=tiny)}
    comparison = compare(HOLES, methods=methods, random_state=0)
    ours, table = comparison.rows
    # The latter rounds the matrix, by whose bits rows are put in order before they are shuffled.
    for score in SCORES:
        assert ours[score] == pytest.approx(table[score], abs=0.01)
    np.testing.assert_allclose(*comparison.embeddings.values(), atol=0.1)


@pytest.mark.parametrize("name", [name for name in METHODS if name.endswith("autoencoder")])
def test_built_in_autoencoders_have_the_loss_of_the_columns_where_they_can(name):
    encoder = TableEncoder().fit(TABLE)
    kind = RowKind(has_holes=False, is_sparse=False)
    estimator = build_method(name, 2, 40, 0, kind, encoder)
    if name in ("convolutional_autoencoder", "variational_autoencoder"):
        assert getattr(estimator, "loss", "squared_error") == "squared_error"
    else:
        assert (type(estimator.loss), estimator.missing) == (type(encoder.loss()), "mask")


def test_neighborhoods_are_those_of_the_matrix_with_means_and_frequencies_for_holes():
    methods = {"all": FunctionTransformer()}
    comparison = compare(HOLES, "team", methods=methods, random_state=0)
    train, test = parts_of(comparison, HOLES.drop(columns="team"))
    matrix = TableEncoder().fit(train).transform(test)
    np.testing.assert_allclose(comparison.embeddings["all"], np.nan_to_num(matrix))
    (row,) = comparison.rows
    assert (row["trustworthiness"], row["continuity"]) == (1, 1)


def test_a_target_is_taken_from_a_table_by_its_name():
    comparison = compare(TABLE, y="size", methods="famd", random_state=0)
    assert comparison.target_type == "classes"
    assert set(comparison.y_test) == {"S", "M", "L"}
    assert "size" not in comparison.settings["kinds"]
    for table in (HOLES, HOLES.astype({"size": "category"}), HOLES.astype({"size": "string"}),
                  pl.from_pandas(HOLES)):  # fmt: skip
        with pytest.raises(ValueError, match="Of 80 values of y 9 are missing"):
            compare(table, y="size", methods="famd", random_state=0)


# Which rows a method sees


def test_methods_that_take_no_missing_values_see_means_and_frequencies_and_say_so():
    methods = {
        "pca": "pca",
        "mine": PCA(2, random_state=0),
        "search": GridSearchCV(PCA(), {"n_components": [2]}),
        "tsne": "tsne",
        "masked": AutoencoderTransformer(2, missing="mask", **FAST),
        "imputed": make_pipeline(SimpleImputer(), PCA(2)),
    }
    comparison = compare(HOLES, methods=methods, random_state=0)
    notes = {row["method"]: row["notes"] for row in comparison.rows}
    for name in ("pca", "mine", "search", "tsne"):
        assert notes[name][0] == (
            "holes: the means of columns and the frequencies of levels in their place"
        )
    assert notes["masked"] == notes["imputed"] == []
    rows = rows_of(comparison)
    assert rows["imputed"]["reconstruction_r2"] == pytest.approx(rows["pca"]["reconstruction_r2"])
    assert compare(TABLE, methods="pca", random_state=0).rows[0]["notes"] == []


class Table(TransformerMixin, BaseEstimator):
    """Take a table, as its tags say, and give one back."""

    def fit(self, X, y=None):
        self.middle_ = X.iloc[0]
        return self

    def transform(self, X):
        return X[["height", "weight"]].to_numpy()

    def inverse_transform(self, X):
        rows = pd.DataFrame([self.middle_] * len(X)).astype(TABLE.dtypes)
        return rows.assign(height=X[:, 0], weight=X[:, 1])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def test_estimators_that_are_for_tables_see_the_table():
    words = make_column_transformer((OneHotEncoder(sparse_output=False), ["size", "team"]))
    methods = {
        "columns": make_pipeline(words, PCA(2)),
        "union": make_pipeline(make_union(words, words), PCA(2)),
        "search": GridSearchCV(make_pipeline(words, PCA()), {"pca__n_components": [2]}),
        "table": Table(),
        "matrix": make_pipeline(StandardScaler(), PCA(2)),
    }
    comparison = compare(TABLE, methods=methods, random_state=0)
    assert list(comparison.embeddings) == list(methods)
    _, test = parts_of(comparison)
    np.testing.assert_array_equal(comparison.embeddings["table"], test[["height", "weight"]])
    row = rows_of(comparison)["table"]
    assert row["numbers_r2"] == pytest.approx(1)
    assert row["categories_r2"] < 0
    assert comparison.estimators["table"].middle_ is not None


@pytest.mark.parametrize(
    ("estimator", "is_for_tables", "takes_holes"),
    [
        (PCA(), False, False),
        (StandardScaler(), False, True),
        (make_pipeline(StandardScaler(), PCA()), False, False),
        (make_pipeline(SimpleImputer(), PCA()), False, True),
        (make_pipeline("passthrough"), False, True),
        (FunctionTransformer(), False, False),
        (OneHotEncoder(), True, True),
        (TableEncoder(), True, True),
        (make_pipeline(TableEncoder(), PCA()), True, False),
        (GridSearchCV(AutoencoderTransformer(missing="mask"), {}), False, True),
        (make_column_transformer(("drop", [])), True, False),
        (make_union(PCA(), PCA()), False, False),
        (object(), False, False),
    ],
)
def test_what_an_estimator_sees_is_read_from_its_tags(estimator, is_for_tables, takes_holes):
    assert (takes_tables(estimator), says_it_takes_holes(estimator)) == (is_for_tables, takes_holes)


def test_a_pipeline_behind_an_encoder_of_its_own_is_measured_by_probabilities():
    methods = {
        "famd": "famd",
        "mine": make_pipeline(TableEncoder(), PCA(2)),
        "words": TableEncoder(),
    }
    comparison = compare(TABLE, methods=methods, random_state=0)
    rows = rows_of(comparison)
    for score in SCORES:
        assert rows["mine"][score] == pytest.approx(rows["famd"][score])
    assert rows["words"]["reconstruction_r2"] == pytest.approx(1)
    row = compare(HOLES, methods=methods, random_state=0).rows[1]
    assert row["notes"] == ["its PCA takes no missing values; put an imputer before it"]


class Wrong(PCA):
    """Give back what is no row of the matrix."""

    def inverse_transform(self, X):
        return np.full((len(X), 3), self.value)

    value = 0.0

    def __sklearn_tags__(self):
        return super().__sklearn_tags__()


class WrongNumber(Wrong):
    value = np.nan


def test_what_is_no_reconstruction_of_the_table_costs_only_its_score():
    methods = {"shape": Wrong(2), "hole": WrongNumber(2)}
    comparison = compare(TABLE, methods=methods, random_state=0)
    shape, hole = comparison.rows
    assert "the reconstruction has shape (20, 3), but the matrix" in shape["notes"][0]
    assert "NaN" in hole["notes"][0]
    assert shape["reconstruction_r2"] is None
    assert shape["trustworthiness"] > 0


def test_the_output_that_the_user_has_set_changes_no_number():
    methods = ["famd", "kernel_pca"]
    expected = compare(HOLES, methods=methods, random_state=0)
    with config_context(transform_output="pandas"):
        found = compare(HOLES, methods=methods, random_state=0)
    for name in methods:
        np.testing.assert_allclose(found.embeddings[name], expected.embeddings[name])
        assert rows_of(found)[name]["dates_r2"] == rows_of(expected)[name]["dates_r2"]


# The fitted methods


@pytest.mark.parametrize("library", [pd, pl])
def test_fitted_methods_take_the_table_and_give_one_back(library):
    table = HOLES if library is pd else pl.from_pandas(HOLES)
    methods = {
        "famd": "famd",
        "masked": AutoencoderTransformer(2, missing="mask", **FAST),
        "mine": make_pipeline(TableEncoder(), SimpleImputer(), PCA(2)),
    }
    comparison = compare(table, methods=methods, random_state=0)
    test = table[comparison.test_indices] if library is pl else parts_of(comparison, HOLES)[1]
    for name, estimator in comparison.estimators.items():
        assert isinstance(estimator, Pipeline)
        codes = estimator.transform(test)
        np.testing.assert_allclose(codes, comparison.embeddings[name], atol=1e-6)
        if name == "mine":  # an imputer has no inverse
            continue
        rebuilt = estimator.inverse_transform(codes)
        assert isinstance(rebuilt, library.DataFrame)
        assert list(rebuilt.columns) == list(HOLES)
    assert comparison.estimators["masked"]["method"].n_components == 2


# Which tables


def test_numbers_and_flags_without_holes_are_rows_of_numbers():
    table = TABLE[["height", "weight", "tall"]]
    comparison = compare(table, methods="pca", random_state=0)
    (expected,) = compare(table.to_numpy(dtype=float), methods="pca", random_state=0).rows
    (row,) = comparison.rows
    assert row["reconstruction_r2"] == expected["reconstruction_r2"]
    assert "kinds" not in comparison.settings
    assert comparison.columns[1] == "trustworthiness"


def test_numbers_with_holes_in_a_dataframe_are_a_table_of_one_kind():
    comparison = compare(HOLES[["height", "weight"]], methods="pca", random_state=0)
    assert comparison.settings["kinds"] == {"height": "number", "weight": "number"}
    assert comparison.columns[1] == "trustworthiness"
    assert comparison.rows[0]["reconstruction_r2"] is not None
    assert "probabilities" not in str(comparison)


def test_a_kind_that_does_not_vary_has_no_score():
    comparison = compare(TABLE.assign(team="red")[["height", "team"]], methods="pca",
                         n_components=1, random_state=0)  # fmt: skip
    assert "categories_r2" not in comparison.columns
    assert comparison.rows[0]["reconstruction_r2"] == pytest.approx(1)


def test_a_category_that_only_held_out_rows_have_counts_as_missing_and_is_counted():
    comparison = compare(TABLE, methods="pca", random_state=0)
    table = TABLE.copy()
    table.loc[table.index[comparison.test_indices[:2]], "team"] = "green"
    comparison = compare(table, methods="pca", random_state=0)
    assert comparison.settings["n_unknown"] == 2
    text = " ".join(str(comparison).split())
    assert "2 held-out values of categories that no row to fit has count as missing" in text
    (row,) = comparison.rows
    assert row["notes"] == [
        "holes: the means of columns and the frequencies of levels in their place"
    ]


def test_a_column_of_words_is_one_in_the_training_rows_too_however_few_those_are():
    words = [f"word {i % 38}" for i in range(80)]  # 38 of 80 are few enough, 34 of 60 are not
    comparison = compare(TABLE.assign(team=words), methods="pca", random_state=0)
    train, _ = parts_of(comparison, TABLE.assign(team=words))
    assert train["team"].nunique() > len(train) / 2
    assert comparison.embeddings


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.assign(name=[f"name {i}" for i in range(80)]), "The column 'name' of X has 80 diff"),
        (TABLE.assign(height=np.inf), "The column 'height' of X contains infinity"),
        (TABLE.assign(day=TABLE["day"] - TABLE["day"][0]), "The column 'day' of X has the type"),
        (TABLE[["team", "size"]].to_numpy(), "X is an array with words .*; give a DataFrame"),
        (TABLE[:9], "X has 9 rows, but a comparison needs 10"),
        (TABLE[["team"]].assign(team="red"), "No column of X has two different values"),
    ],
)
def test_a_table_that_can_not_be_read_is_an_error_that_names_the_column(table, message):
    with pytest.raises(ValueError, match=message):
        compare(table, methods="pca")


def test_standardizing_a_table_is_said_to_be_idle():
    with pytest.warns(IdleParameterWarning, match="standardize=True has no effect, because"):
        comparison = compare(TABLE, methods="pca", standardize=True, random_state=0)
    (row,) = compare(TABLE, methods="pca", random_state=0).rows
    assert comparison.rows[0]["reconstruction_r2"] == row["reconstruction_r2"]


def test_of_a_table_famd_is_compared_in_the_place_of_pca(monkeypatch):
    nothing = Measurement(None, None, scores={}, notes=[], ranked=True)
    monkeypatch.setattr(module, "measure", lambda *build, **settings: nothing)
    methods = list(rows_of(compare(TABLE)))
    numbers = list(rows_of(compare(TABLE[["height", "weight"]])))
    assert (methods[0], numbers[0]) == ("famd", "pca")
    assert methods[1:] == numbers[1:]


def test_famd_of_rows_of_numbers_is_pca_of_standardized_columns():
    X = TABLE[["height", "weight", "tall"]].to_numpy(dtype=float)
    methods = {"famd": "famd", "scaled": make_pipeline(StandardScaler(), PCA(2))}
    comparison = compare(X, methods=methods, random_state=0)
    famd, scaled = comparison.embeddings.values()
    np.testing.assert_allclose(np.abs(famd), np.abs(scaled))
    X[0, 0] = np.nan
    row = compare(X, methods={"f": "famd", "i": SimpleImputer()}, random_state=0).rows[0]
    assert row["notes"] == ["its PCA takes no missing values; put an imputer before it"]


# Showing it


def test_the_table_says_what_the_columns_are_and_all_ways_out_have_their_scores(tmp_path):
    comparison = compare(HOLES, methods=["famd", "pca"], random_state=0)
    assert comparison.columns[:4] == SCORES
    text = " ".join(str(comparison).split())
    assert text.startswith(
        "80 rows of 6 columns (2 numbers, 3 categories, 1 date; 21 values missing), 2 components"
    )
    for out in (str(comparison), comparison._repr_html_()):
        for score in SCORES:
            assert f"{comparison.rows[0][score]:.3f}" in out
    assert list(comparison.to_frame().columns[:4]) == SCORES
    comparison.to_csv(tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv")
    assert read["dates_r2"][0] == pytest.approx(comparison.rows[0]["dates_r2"])
    comparison.to_json(tmp_path / "table.json")
    content = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert content["settings"]["kinds"]["team"] == "category"
    assert content["rows"][0]["dates_r2"] == comparison.rows[0]["dates_r2"]


def test_no_column_of_the_table_is_wider_than_what_is_in_it():
    comparison = compare(TABLE, y="size", methods="famd", random_state=0)
    lines = str(comparison).splitlines()
    (place,) = (i for i, line in enumerate(lines) if line.startswith("---"))
    of_table = [*lines[place - 2 : place], lines[place + 1]]
    for rule in re.finditer("-+", lines[place]):
        cells = [line[slice(*rule.span())].strip() for line in of_table]
        assert max(map(len, cells)) == len(rule.group())


def test_the_figure_has_the_scores_by_kind():
    figure = compare(HOLES, "team", methods=["famd"], random_state=0).plot()
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {"R² of numbers", "R² of categories", "R² of dates"} <= texts
