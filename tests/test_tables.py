"""TableAutoencoderTransformer: a table in, a table back, each column with the same say."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder

QUICK = AutoencoderTransformer(max_iter=5, init="pca", noise=None, validation_fraction=0.2)


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
