"""TableAutoencoderTransformer: a table in, a table back, each column with the same say."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae.exceptions import UnknownCategoryWarning

QUICK = AutoencoderTransformer(max_iter=5, init="pca", noise=None, validation_fraction=0.2)
TINY = AutoencoderTransformer(hidden_layer_sizes=(4,), max_iter=3, early_stopping=False)


def people(n_rows=150, seed=0):
    """Return a table of which one hidden number decides most, with holes."""
    random = np.random.RandomState(seed)
    hidden = random.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "height": 170 + 10 * hidden + random.normal(size=n_rows),
            "weight": 70 + 12 * hidden + 2 * random.normal(size=n_rows),
            "size": pd.Categorical(np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])], [*"SMLX"]),
            "tall": hidden > 0,
            "team": random.choice(["red", "blue"], n_rows),
            "shoe": (42 + 2 * hidden).round().astype(int),
        }
    )
    table.loc[::9, "height"] = np.nan
    table.loc[::13, "size"] = None
    return table


def fitted(table=None, **parameters):
    model = TableAutoencoderTransformer(2, autoencoder=QUICK, random_state=0)
    return model.set_params(**parameters).fit(people() if table is None else table)


@parametrize_with_checks(
    [
        TableAutoencoderTransformer(),
        TableAutoencoderTransformer(1, autoencoder=QUICK, random_state=0),
    ]
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_codes_go_back_to_a_table_of_the_same_types():
    table = people().set_index(np.arange(1000, 1150))
    model = fitted(table)
    codes = model.transform(table)
    assert codes.shape == (150, 2)
    assert np.isfinite(codes).all()
    rebuilt = model.inverse_transform(codes)
    pd.testing.assert_series_equal(rebuilt.dtypes, table.dtypes)
    assert list(rebuilt["size"].cat.categories) == [*"SMLX"]
    assert not rebuilt.isna().any().any()
    assert (rebuilt["tall"].to_numpy() == table["tall"].to_numpy()).mean() > 0.9
    framed = clone(model).set_output(transform="pandas").fit(table)
    codes = framed.transform(table)
    assert list(codes.columns) == [f"tableautoencodertransformer{i}" for i in range(2)]
    assert framed.inverse_transform(codes).index.equals(table.index)


def test_only_holes_are_filled():
    table = people()
    filled = fitted().impute(table)
    known = table.notna()
    assert not filled.isna().any().any()
    for name in table:
        assert (filled[name] == table[name])[known[name]].all()
        assert filled[name].dtype == table[name].dtype
    true = 170 + 10 * np.random.RandomState(0).normal(size=150)
    hole = ~known["height"]
    assert np.abs(filled["height"] - true)[hole].mean() < 0.5 * np.abs(170 - true)[hole].mean()


def test_pandas_and_polars_agree_to_the_bit():
    table = people()
    other = pl.from_pandas(table)
    first, second = fitted(table), fitted(other)
    codes = first.transform(table)
    np.testing.assert_array_equal(codes, second.transform(other))
    assert second.score(other) == first.score(table)
    np.testing.assert_array_equal(
        *(model.reconstruction_error(X) for model, X in ((first, table), (second, other)))
    )
    assert second.inverse_transform(codes).schema == other.schema
    assert second.impute(other).schema == other.schema
    assert second.impute(other).null_count().sum_horizontal().item() == 0


def test_errors_and_scores_are_those_of_each_column():
    table = people()
    model = fitted(table)
    errors = model.reconstruction_error(table, per_feature=True)
    assert errors.shape == (150, 6)
    assert (errors[table.isna().to_numpy()] == 0).all()
    known = table.notna().to_numpy()
    np.testing.assert_allclose(
        model.reconstruction_error(table), errors.sum(axis=1) / known.sum(axis=1)
    )
    shares = model.score_per_feature(table)
    assert shares[table.columns.get_loc("weight")] > 0.8
    constant = np.array([known[:, i].sum() for i in range(6)])  # errors are 1 on average
    np.testing.assert_allclose(shares, 1 - errors.sum(axis=0) / constant, rtol=1e-9)
    assert model.score(table) == pytest.approx(1 - errors.sum() / constant.sum())
    half = np.arange(150) < 75
    assert model.score(table, sample_weight=half) == pytest.approx(model.score(table[half]))


def test_numbers_alone_are_scored_by_r2_of_standardized_columns():
    X = np.random.RandomState(0).normal(size=(100, 4)) @ np.random.RandomState(1).normal(
        size=(4, 4)
    )
    model = fitted(X)
    scaled = StandardScaler().fit_transform(X)
    plain = AutoencoderTransformer(
        2, max_iter=5, init="pca", noise=None, validation_fraction=0.2, random_state=0
    ).fit(scaled)
    np.testing.assert_allclose(model.transform(X), plain.transform(scaled), rtol=1e-3, atol=1e-4)
    assert model.score(X) == pytest.approx(plain.score(scaled), abs=1e-5)


def test_the_start_is_near_factor_analysis_of_mixed_data():
    table = people(400).dropna()
    model = fitted(table, autoencoder=clone(QUICK).set_params(max_iter=1))
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    pca = PCA(2).fit(matrix)
    errors = encoder.column_errors(matrix, pca.inverse_transform(pca.transform(matrix)))
    assert model.score(table) > 1 - errors.mean() - 0.02


def test_a_column_that_counts_more_is_rebuilt_better():
    random = np.random.RandomState(0)
    table = pd.DataFrame({name: random.normal(size=200) for name in "abcd"})
    table["e"] = random.choice([*"xyz"], 200)
    plain, weighted = fitted(table), fitted(table, column_weight={"b": 20})
    assert weighted.score_per_feature(table)[1] > 0.9 > plain.score_per_feature(table)[1]


def test_rows_of_a_weight_are_rows_so_many_times():
    table = people().dropna()
    weight = np.arange(len(table)) % 2 + 1
    twice = table.loc[np.repeat(table.index, weight)]
    np.testing.assert_allclose(
        fitted(table).fit(table, sample_weight=weight).transform(table),
        fitted(twice).transform(table),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"autoencoder": AutoencoderTransformer(loss="huber")}, "autoencoder has loss='huber'"),
        ({"autoencoder": AutoencoderTransformer(missing="mask")}, "has missing='mask', which foll"),
        ({"autoencoder": PCA()}, "The 'autoencoder' parameter of TableAuto"),
    ],
)
def test_what_follows_from_the_table_is_not_set(parameters, message):
    with pytest.raises(ValueError, match=message):
        fitted(**parameters)


def test_a_fit_that_fails_changes_nothing():
    model = fitted()
    before = model.transform(people())
    with pytest.raises(ValueError, match="contains infinity"):
        model.fit(people().assign(weight=np.inf))
    np.testing.assert_array_equal(model.transform(people()), before)


def test_a_single_row_and_a_pickle_and_a_clone():
    table = people()
    model = fitted(table)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(table), model.transform(table))
    np.testing.assert_allclose(
        model.transform(table.iloc[[4]])[0], model.transform(table)[4], rtol=1e-5, atol=1e-6
    )
    assert not hasattr(clone(model), "encoder_")
    assert np.isnan(model.score_per_feature(table.iloc[[4]])).all()


def test_searches_give_the_serial_scores_to_the_bit():
    table = people()
    pipeline = make_pipeline(TableAutoencoderTransformer(autoencoder=QUICK, random_state=0))
    grid = {"tableautoencodertransformer__n_components": [1, 2]}
    scores = [
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(table).cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)
    assert np.isfinite(scores[0]).all()
    assert scores[0][1] > scores[0][0]


# Any table


# Of each type that a column may have, with a hole where it can have one.
KINDS = {
    "float32": pd.Series([1.5, np.nan, -1.0, 2.0] * 10, dtype="float32"),
    "int8": pd.Series([1, 127, -128, 5] * 10, dtype="int8"),
    "Int64": pd.Series([1, pd.NA, 3, 3] * 10, dtype="Int64"),
    "Float64": pd.Series([1.5, pd.NA, 3, 4] * 10, dtype="Float64"),
    "bool": pd.Series([True, False, False, True] * 10),
    "boolean": pd.Series([True, pd.NA, False, True] * 10, dtype="boolean"),
    "object": pd.Series(["b", None, "a", "b"] * 10, dtype=object),
    "objects with NaN": pd.Series(["b", np.nan, "a", "b"] * 10, dtype=object),
    "string": pd.Series(["b", pd.NA, "a", "b"] * 10, dtype="string"),
    "category": pd.Series(pd.Categorical(["lo", None, "hi", "hi"] * 10, ["lo", "no", "hi"])),
    "ordered": pd.Series(pd.Categorical(["lo", None, "hi", "hi"] * 10, ["lo", "hi"], ordered=True)),
    "numbered": pd.Series(pd.Categorical([3, None, 1, 1] * 10)),
    "flags": pd.Series([True, None, False, True] * 10, dtype=object),
    "date": pd.Series(pd.to_datetime(["2024-02-29", None, "1969-12-31", "2025-01-01"] * 10)),
    "zone": pd.Series(pd.to_datetime(["2024-02-29", None] * 20)).dt.tz_localize("Asia/Tokyo"),
    "constant": pd.Series(["same"] * 40),
    "constant number": pd.Series([2.5] * 40),
    "empty": pd.Series([np.nan] * 40),
    "empty words": pd.Series([None] * 40, dtype=object),
}
EMPTY = ["empty", "empty words"]


@pytest.fixture(scope="module")
def wide():
    """Return a table of columns of each type, and what was fitted to it."""
    table = pd.DataFrame(KINDS)
    return table, TableAutoencoderTransformer(1, autoencoder=TINY, random_state=0).fit(table)


def test_columns_of_each_type_and_each_kind_of_hole_come_back_as_they_were(wide):
    table, model = wide
    assert np.isfinite(model.transform(table)).all()
    back, filled = model.inverse_transform(model.transform(table)), model.impute(table)
    for result in (back, filled):
        pd.testing.assert_series_equal(result.dtypes, table.dtypes)
        assert result.drop(columns=EMPTY).notna().all(axis=None)
        assert result[EMPTY].isna().all(axis=None)
        for name in ("category", "ordered", "numbered"):
            assert result[name].dtype == table[name].dtype  # categories, and whether in order
        assert not (result["category"] == "no").any()
        assert (result["constant"] == "same").all()
        assert (result["constant number"] == 2.5).all()
    known = table.notna()
    assert all((filled[name] == table[name])[known[name]].all() for name in table)
    np.testing.assert_array_equal(model.reconstruction_error(table, per_feature=True)[~known], 0)


def test_columns_in_another_order_are_the_same_and_others_are_refused(wide):
    table, model = wide
    turned = table[table.columns[::-1]]
    np.testing.assert_array_equal(model.transform(turned), model.transform(table))
    assert model.score(turned) == model.score(table)
    assert list(model.impute(turned)) == list(turned)
    with pytest.raises(ValueError, match=r"X lacks the columns \['int8'\]"):
        model.transform(table.drop(columns="int8"))
    with pytest.raises(ValueError, match=r"has the columns \['more'\] beyond"):
        model.transform(table.assign(more=1))
    twice = pd.concat([table, table[["int8"]]], axis=1)
    for method in (model.transform, clone(model).fit):
        with pytest.raises(ValueError, match=r"several columns of the names \['int8'\]"):
            method(twice)


def test_a_level_that_was_not_seen_is_a_hole(wide):
    table, model = wide
    new, hole = table[:3].copy(), table[:3].copy()
    new["string"] = pd.Series(["new"] * 3, dtype="string")
    hole["string"] = pd.Series([pd.NA] * 3, dtype="string")
    with pytest.warns(UnknownCategoryWarning, match=r"{'string': \['new'\]}"):
        codes = model.transform(new)
    np.testing.assert_array_equal(codes, model.transform(hole))
    with pytest.warns(UnknownCategoryWarning):
        assert model.score(new) == model.score(hole)


def test_rows_one_by_one_and_none(wide):
    table, model = wide
    one = np.vstack([model.transform(table[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(one, model.transform(table)[:4], rtol=1e-5, atol=1e-6)
    for method in (model.transform, model.score, clone(model).fit):
        with pytest.raises(ValueError, match=r"X has 0 rows \(shape=\(0, 19\)\)"):
            method(table[:0])


def test_a_table_of_another_library_has_the_same_codes_but_can_not_be_filled(wide):
    table = people()
    model = fitted(table)
    other = pl.from_pandas(table)
    np.testing.assert_array_equal(model.transform(other), model.transform(table))
    with pytest.raises(ValueError, match="X comes from polars, but what was fitted from pandas"):
        model.impute(other)


def test_codes_come_in_the_container_that_is_asked_for(wide):
    table, model = wide
    expected = model.transform(table)
    for library in ("pandas", "polars"):
        framed = pickle.loads(pickle.dumps(model)).set_output(transform=library)
        codes = framed.transform(table)
        assert type(codes).__module__.startswith(library)
        assert list(codes.columns) == ["tableautoencodertransformer0"]
        np.testing.assert_array_equal(codes, expected)
        pd.testing.assert_frame_equal(
            framed.inverse_transform(codes), model.inverse_transform(expected)
        )


CELLS = {
    "float": st.none() | st.floats(-1e6, 1e6),
    "int": st.integers(-(2**40), 2**40),
    "flag": st.booleans(),
    "word": st.none() | st.sampled_from("abc"),
    "category": st.none() | st.sampled_from("abc"),
    "date": st.none() | st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)),
}
CATEGORIES = [*"cab", "nobody"]


@st.composite
def tables(draw):
    """Draw columns of any types, of pandas or polars."""
    kinds = draw(st.lists(st.sampled_from([*CELLS]), min_size=1, max_size=4))
    columns = {"one that varies": range(6)}
    for i, kind in enumerate(kinds):
        values = draw(st.lists(CELLS[kind], min_size=6, max_size=6))
        types = {"float": float, "word": object, "date": "datetime64[us]"}
        series = pd.Series(values, dtype=types.get(kind))
        columns[f"{kind} {i}"] = (
            pd.Categorical(values, CATEGORIES) if kind == "category" else series
        )
    table = pd.DataFrame(columns)
    if draw(st.booleans()):
        return table
    names = [name for name in table if name.startswith("category")]
    enums = [pl.col(name).cast(pl.Enum(CATEGORIES)) for name in names]
    return pl.from_pandas(table).with_columns(*enums)


@given(tables(), st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_whatever_the_codes_the_table_has_its_types_and_categories(table, seed):
    encoder = TableEncoder().fit(table)
    n_columns = len(encoder.get_feature_names_out())
    matrix = 3 * np.random.RandomState(seed).normal(size=(5, n_columns))
    back = encoder.inverse_transform(matrix)
    assert list(back.columns) == list(table.columns)
    assert dict(zip(back.columns, back.dtypes, strict=True)) == dict(
        zip(table.columns, table.dtypes, strict=True)
    )
    for name, levels in encoder.categories_.items():
        assert set(back[name]) <= ({*levels} if len(levels) else {None, np.nan})
