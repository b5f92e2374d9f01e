"""TableAutoencoderTransformer: a table in, a table back, each column with the same say."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from skae import (
    AutoencoderTransformer,
    TableAutoencoderTransformer,
    TableEncoder,
    VariationalAutoencoderTransformer,
)
from skae.exceptions import UnknownCategoryWarning
from skae.noise import MaskingNoise, SwapNoise
from skae.penalty import NeighborPreservation

QUICK = AutoencoderTransformer(max_iter=5, init="pca", noise=None, validation_fraction=0.2)
TINY = AutoencoderTransformer(hidden_layer_sizes=(4,), max_iter=3, early_stopping=False)

VARIATIONAL = VariationalAutoencoderTransformer(
    hidden_layer_sizes=(8,), max_iter=3, early_stopping=False
)
CONDITIONAL = clone(VARIATIONAL).set_params(conditional=True)


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


@pytest.mark.slow
@parametrize_with_checks([TableAutoencoderTransformer()])
def test_by_default_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        TableAutoencoderTransformer(1, autoencoder=QUICK, random_state=0),
        TableAutoencoderTransformer(1, autoencoder=VARIATIONAL, random_state=0),
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


@pytest.mark.parametrize("noise", ["masking", MaskingNoise(0.2), SwapNoise()])
def test_all_of_a_category_is_hidden_at_once(noise):
    table = pd.DataFrame({"size": np.arange(40.0), "color": list("abcd") * 10})
    autoencoder = AutoencoderTransformer(noise=noise, max_iter=2, early_stopping=False)
    fitted = TableAutoencoderTransformer(1, autoencoder=autoencoder, random_state=0).fit(table)
    assert fitted.autoencoder_.noise.groups.tolist() == ["size", *["color"] * 4]
    assert autoencoder.noise is noise
    assert getattr(noise, "groups", None) is None  # what was given stays as it was


def test_groups_of_the_users_own_stay():
    table = pd.DataFrame({"size": np.arange(40.0), "color": list("abcd") * 10})
    noise = MaskingNoise(groups=[0, 0, 0, 1, 1])
    autoencoder = AutoencoderTransformer(noise=noise, max_iter=2, early_stopping=False)
    fitted = TableAutoencoderTransformer(1, autoencoder=autoencoder, random_state=0).fit(table)
    assert fitted.autoencoder_.noise.groups == [0, 0, 0, 1, 1]


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


def untrained(table, n_components=2, **parameters):
    """Return a matrix and a variational autoencoder of it that is next to its start."""
    encoder = TableEncoder().fit(table)
    matrix = encoder.transform(table)
    model = clone(VARIATIONAL).set_params(max_iter=1, learning_rate_init=1e-9, **parameters)
    model.set_params(n_components=n_components, likelihood=encoder.likelihood(), missing="mask")
    return matrix, model.set_params(random_state=0).fit(matrix)


def test_of_numbers_alone_the_start_is_factor_analysis():
    random = np.random.RandomState(0)
    codes, loadings = random.normal(size=(300, 2)), random.uniform(-1, 1, (2, 6))
    X = codes @ loadings + random.uniform(0.3, 0.8, 6) * random.normal(size=(300, 6))
    matrix, model = untrained(X)
    expected = FactorAnalysis(2, svd_method="lapack").fit(matrix).score(matrix)
    assert model.score_samples(matrix).mean() == pytest.approx(expected, abs=0.01)
    bound = model.evidence_lower_bound(matrix, n_draws=1000).mean()
    assert bound == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("init", ["pca", "random"])
def test_the_start_is_no_less_likely_than_columns_by_themselves(init):
    table = people()
    matrix, model = untrained(table, init=init)
    known = table.notna().sum()
    alone = -0.5 * np.log(2 * np.pi * np.e) * known[["height", "weight", "shoe"]].sum()
    for name in ("size", "tall", "team"):
        alone -= known[name] * entropy(table[name].value_counts())
    found = model.evidence_lower_bound(matrix, n_draws=50).mean()
    assert found > alone / len(table) + (1.0 if init == "pca" else -1.0)


def test_numbers_that_follow_from_others_leave_no_density_without_a_bound():
    table = people().assign(twice=lambda rows: 2 * rows["shoe"])
    model = clone(VARIATIONAL).set_params(max_iter=40)
    model = TableAutoencoderTransformer(2, autoencoder=model, random_state=0).fit(table)
    variance = model.autoencoder_.module_.likelihood.variance()
    sources = model.encoder_.source_columns_
    step = 1 / table["shoe"].std(ddof=0)
    assert variance[sources == "shoe"].item() >= 0.99 * step**2 / 12
    assert np.isfinite(model.autoencoder_.loss_curve_).all()


def test_networks_side_by_side_are_those_that_are_trained_in_turn():
    encoder = TableEncoder().fit(people())
    model = clone(VARIATIONAL).set_params(early_stopping=True, random_state=0, missing="mask")
    model.set_params(likelihood=encoder.likelihood())
    matrix = encoder.transform(people())
    together = clone(model).fit(matrix)
    in_turn = clone(model).set_params(callbacks=[Callback()]).fit(matrix)
    curves = together.validation_loss_curve_, in_turn.validation_loss_curve_
    np.testing.assert_allclose(*curves, rtol=1e-4)
    assert curves[0][0] != curves[0][-1]


def test_new_rows_are_like_those_of_the_table():
    table = people()
    model = fitted(table, autoencoder=clone(VARIATIONAL).set_params(max_iter=100))
    new = model.sample(1000, random_state=0)
    pd.testing.assert_series_equal(new.dtypes, table.dtypes)
    assert list(new["size"].cat.categories) == [*"SMLX"]
    assert not new.isna().any().any()
    pd.testing.assert_frame_equal(new, model.sample(1000, random_state=0))
    assert not new.equals(model.sample(1000, random_state=1))
    for name in ("height", "weight", "shoe"):
        assert new[name].std() == pytest.approx(table[name].std(), rel=0.1)
    assert new["weight"].corr(new["shoe"]) > 0.8
    assert new.groupby("tall")["weight"].mean().diff().iloc[1] > 8
    assert (new["team"] == "red").mean() == pytest.approx((table["team"] == "red").mean(), abs=0.1)
    assert not hasattr(TableAutoencoderTransformer(), "sample")


def test_the_kinds_of_scores_and_holes_are_those_of_any_autoencoder():
    table = people()
    model = fitted(table, autoencoder=clone(VARIATIONAL).set_params(max_iter=60))
    assert model.score(table) > 0.5
    assert not model.impute(table).isna().any().any()
    assert model.reconstruction_error(table, per_feature=True).shape == table.shape
    pd.testing.assert_series_equal(
        model.inverse_transform(model.transform(table)).dtypes, table.dtypes
    )


def test_polars_and_numbers_alone_and_categories_alone_have_new_rows():
    table = people()
    new = fitted(pl.from_pandas(table), autoencoder=VARIATIONAL).sample(5, random_state=0)
    assert new.schema == pl.from_pandas(table).schema
    for names in (["height", "shoe"], ["team", "size"]):
        new = fitted(table[names], autoencoder=VARIATIONAL).sample(5, random_state=0)
        assert list(new.columns) == names


def test_a_column_is_the_condition():
    table = people()
    trained = clone(CONDITIONAL).set_params(max_iter=30)
    model = TableAutoencoderTransformer(2, autoencoder=trained, random_state=0).fit(table, "tall")
    assert model.condition_ == "tall"
    new = [model.sample(200, tall, random_state=0) for tall in (False, True)]
    assert [some["tall"].unique().tolist() for some in new] == [[False], [True]]
    assert new[1]["weight"].mean() - new[0]["weight"].mean() > 8
    shares = model.sample(300, random_state=0)["tall"].mean()
    assert shares == pytest.approx(table["tall"].mean(), abs=0.1)
    each = np.arange(10) % 2 == 0
    assert (model.sample(10, each, random_state=0)["tall"] == each).all()
    assert model.score(table) > 0.5
    assert model.impute(table)["size"].notna().all()
    codes = model.transform(table)
    assert model.inverse_transform(codes, ~table["tall"])["tall"].equals(~table["tall"])
    assert model.inverse_transform(codes).shape == table.shape


@pytest.mark.slow
def test_labels_or_numbers_beside_the_table_are_the_condition():
    table = people()
    labels = np.where(table["weight"] > 70, "heavy", "light")
    trained = clone(CONDITIONAL).set_params(max_iter=30)
    model = TableAutoencoderTransformer(2, autoencoder=trained, random_state=0).fit(table, labels)
    heavy, light = (model.sample(100, y, random_state=0)["weight"] for y in ("heavy", "light"))
    assert heavy.mean() > light.mean() + 8
    assert model.score(table, labels) > 0.5
    with pytest.raises(ValueError, match="y is None, but the autoencoder was fitted with cond"):
        model.score(table)
    for y in (table["weight"].to_numpy(), "weight"):
        model = clone(model).fit(table, y)
        heavy, light = (model.sample(100, y, random_state=0)["shoe"] for y in (85.0, 55.0))
        assert heavy.mean() > light.mean() + 1
    assert np.allclose(model.sample(3, 60.0, random_state=0)["weight"], 60)
    with pytest.raises(ValueError, match="conditions that are numbers must be given"):
        model.sample(3)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"column_weight": {"shoe": 2}}, None, "column_weight={'shoe': 2} does not go with a var"),
        ({"autoencoder": clone(VARIATIONAL).set_params(missing="mask")}, None, "has missing='mas"),
        ({}, "team", "y='team' names a condition, and the autoencoder has none"),
        ({"autoencoder": CONDITIONAL}, "tea", "There is no column 'tea'; expected one of"),
        ({"autoencoder": CONDITIONAL}, "size", "'size' of X has no value in 12 rows, the first"),
        ({"autoencoder": CONDITIONAL}, None, "requires y to be passed"),
    ],
)
def test_what_a_variational_autoencoder_of_a_table_refuses(parameters, y, message):
    model = TableAutoencoderTransformer(autoencoder=VARIATIONAL).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(people(), y)


def test_what_can_not_be_drawn_is_refused():
    model = fitted(autoencoder=VARIATIONAL)
    with pytest.raises(ValueError, match="n_samples=0 must be a positive integer"):
        model.sample(0)
    with pytest.raises(ValueError, match="y='red' has no effect, because there is no condition"):
        model.sample(2, "red")
    conditional = TableAutoencoderTransformer(autoencoder=CONDITIONAL).fit(people(), "team")
    with pytest.raises(ValueError, match="y has the labels \\['green'\\]"):
        conditional.sample(2, "green")
    with pytest.raises(ValueError, match="y has 1 conditions for n_samples=2 rows"):
        conditional.sample(2, ["red"])


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


@pytest.mark.slow
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


def variational(**parameters):
    return VariationalAutoencoderTransformer(
        max_iter=3, early_stopping=False, random_state=0, **parameters
    )


def test_new_numbers_that_repeat_are_exactly_those_of_the_table():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "paid": np.where(
                random.uniform(size=200) < 0.6, 0.0, random.choice([7.9, 71.2833], 200)
            ),
            "when": random.choice(pd.date_range("2020-01-01", periods=20, freq="37h"), 200),
            "kind": random.choice([*"uvw"], 200),
        }
    )
    drawn = fitted(table, autoencoder=variational()).sample(300, random_state=0)
    assert drawn["paid"].isin(table["paid"]).all()
    assert drawn["when"].isin(table["when"]).all()
    assert (drawn["paid"] == 0).mean() == pytest.approx((table["paid"] == 0).mean(), abs=0.1)


@pytest.mark.parametrize(
    "y",
    [
        "2020-02-03",
        dt.datetime(2020, 2, 3),
        pd.Timestamp("2020-02-03"),
        np.datetime64("2020-02-03"),
        pd.DatetimeIndex(["2020-02-03"] * 3),
        pd.DatetimeIndex(["2020-02-03"] * 3, tz="UTC"),
        1580688000,
    ],
)
def test_a_date_as_condition_is_given_as_dates_are(y):
    random = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=60)
    table = pd.DataFrame({"day": days, "a": np.arange(60) + random.normal(size=60)})
    estimator = TableAutoencoderTransformer(1, autoencoder=variational(conditional=True))
    estimator.fit(table, "day")
    assert (estimator.sample(3, y)["day"] == pd.Timestamp("2020-02-03")).all()
    codes = estimator.transform(table[:3])
    rebuilt = estimator.inverse_transform(codes, estimator.encoder_.known_values(table[:3], "day"))
    assert rebuilt["day"].tolist() == days[:3].tolist()
    with pytest.raises(ValueError, match="y='soon' should be dates"):
        estimator.sample(3, "soon")


def test_a_level_among_many_as_condition_is_the_one_that_is_given():
    random = np.random.default_rng(0)
    towns = [f"t{number:02}" for number in random.permutation(np.arange(300) % 75)]
    table = pd.DataFrame({"a": random.choice([0.0, 1.0], 300), "town": towns})
    estimator = TableAutoencoderTransformer(1, autoencoder=variational(conditional=True))
    drawn = estimator.fit(table, "town").sample(3, ["t04", "t74", "t04"], random_state=0)
    assert drawn["town"].tolist() == ["t04", "t74", "t04"]


def test_a_column_of_huge_numbers_is_a_column():
    random = np.random.default_rng(0)
    one = random.normal(size=80)
    table = pd.DataFrame({"a": one, "huge": 1e200 * one, "kind": [*"uv"] * 40})
    table.loc[3, "huge"] = np.nan
    estimator = TableAutoencoderTransformer(2, random_state=0).fit(table)
    assert np.isfinite(estimator.impute(table)["huge"]).all()
    small = table.assign(huge=table["huge"] / 2.0**600)
    np.testing.assert_array_equal(
        estimator.encoder_.transform(table), TableEncoder().fit(small).transform(small)
    )
    table["huge"] = np.where(np.arange(80) == 7, 1e200, one)  # what stands for "none"
    assert np.isfinite(TableEncoder().fit(table).transform(table)).all()


def test_columns_of_several_names_and_of_nothing_but_missing_dates():
    random = np.random.default_rng(0)
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["kind", "number"])
    table = pd.DataFrame(random.normal(size=(30, 3)), columns=names)
    table["b", 1] = pd.to_datetime(pd.Series([None] * 30))
    table["c", 1] = [*"uv"] * 15
    table.loc[0, ("a", 1)] = np.nan
    estimator = TableAutoencoderTransformer(
        1, autoencoder=AutoencoderTransformer(noise="masking", max_iter=2, early_stopping=False)
    )
    full = estimator.fit(table).impute(table)
    pd.testing.assert_frame_equal(full[1:], table[1:])
    assert full.columns.names == ["kind", "number"]
    assert not full.drop(columns=[("b", 1)]).isna().any(axis=None)


@pytest.mark.parametrize("by_name", [False, True])
def test_labels_are_those_of_a_penalty_that_needs_them(by_name):
    table = people(60)
    labels = np.where(table["tall"], "tall", "small")
    table = table.assign(group=labels)
    estimator = TableAutoencoderTransformer(
        2,
        autoencoder=AutoencoderTransformer(
            penalty=NeighborPreservation(supervised=1.0), max_iter=2, early_stopping=False
        ),
        random_state=0,
    )
    assert get_tags(estimator).target_tags.required
    codes = estimator.fit(table, "group" if by_name else labels).transform(table)
    other = estimator.fit(table, labels[::-1]).transform(table)
    assert estimator.condition_ is None
    assert not np.allclose(codes, other)
