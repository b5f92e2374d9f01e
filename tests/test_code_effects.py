"""What codes do to columns: against an explicit loop, and against what is known of PCA."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skae import AutoencoderTransformer, TableAutoencoderTransformer, TableEncoder
from skae._code_effects import code_effects

QUICK = AutoencoderTransformer(hidden_layer_sizes=(4,), max_iter=3, early_stopping=False)


def table(n_rows=80):
    random = np.random.RandomState(0)
    hidden = random.normal(size=n_rows)
    return pd.DataFrame(
        {
            "height": 170 + 10 * hidden + random.normal(size=n_rows),
            "shoe": (42 + 2 * hidden).round().astype(int),
            "size": pd.Categorical(
                np.array([*"SML"])[np.digitize(hidden, [-0.5, 0.5])], [*"SML", "XL"], ordered=True
            ),
            "born": pd.Timestamp("2000-01-01") - pd.to_timedelta((hidden * 999).round(), "D"),
            "team": random.choice(["red", "blue"], n_rows),
            "same": "word",
        }
    )


@pytest.fixture(scope="module")
def fitted():
    return TableAutoencoderTransformer(2, autoencoder=QUICK, random_state=0).fit(table())


def effects_of(estimator, X, **how):
    return {(one.code, one.column): one for one in code_effects(estimator, X, **how)}


def test_an_effect_is_the_average_of_what_is_decoded_with_the_other_codes_as_they_are(fitted):
    X = table()
    effects = effects_of(fitted, X, n_steps=5, n_rows=100)
    codes = fitted.transform(X)
    places = [*fitted.encoder_.get_feature_names_out()]
    for code in range(2):
        for step, value in enumerate(np.linspace(*np.percentile(codes[:, code], [5, 95]), 5)):
            moved = codes.copy()
            moved[:, code] = value
            matrix = fitted.autoencoder_.inverse_transform(moved)
            height = matrix[:, places.index("height")].mean()
            height = height * X["height"].std(ddof=0) + X["height"].mean()
            np.testing.assert_allclose(effects[code, "height"].decoded[step], height, rtol=1e-5)
            small = matrix[:, places.index("size=S")].mean()
            frequency = (X["size"] == "S").mean()
            small = small * np.sqrt(frequency) + frequency
            np.testing.assert_allclose(effects[code, "size"].decoded[step, 0], small, atol=1e-6)
            assert effects[code, "size"].grid[step] == value


def test_columns_are_in_their_own_units_with_the_levels_in_the_order_of_their_type(fitted):
    effects = effects_of(fitted, table())
    assert [*effects] == [(code, name) for code in range(2) for name in table()]
    size = effects[0, "size"]
    assert size.levels.tolist() == [*"SML"]
    assert size.decoded.shape == (25, 3)
    np.testing.assert_allclose(size.decoded.sum(axis=1), 1)
    born = effects[0, "born"]
    assert born.decoded.dtype == "datetime64[us]"
    assert born.decoded.min() > np.datetime64("1990-01-01")
    assert effects[1, "same"].decoded.tolist() == [[1.0]] * 25
    assert effects[1, "same"].share == 0


def test_shares_tell_the_columns_that_a_code_decides_from_those_that_it_does_not():
    X = table()
    estimator = make_pipeline(TableEncoder(), PCA(1)).fit(X)
    effects = effects_of(estimator, X)
    strongest = sorted(effects.values(), key=lambda one: -one.share)
    assert {one.column for one in strongest[:4]} == {"height", "shoe", "size", "born"}
    assert 0.5 < effects[0, "height"].share < 1.5
    assert effects[0, "team"].share < 0.2


def test_the_effects_of_principal_components_are_lines_with_their_loadings():
    X = np.random.RandomState(0).normal(size=(90, 3)) @ [[3, 1, 0], [0, 1, 0], [0, 0, 0.5]]
    frame = pd.DataFrame(X, columns=[*"abc"])
    pca = PCA(2).fit(frame)
    for one in code_effects(pca, frame):
        line = LinearRegression().fit(one.grid[:, None], one.decoded)
        place = "abc".index(one.column)
        np.testing.assert_allclose(line.coef_[0], pca.components_[one.code, place], atol=1e-12)
        share = one.decoded.var() / X[:, place].var()
        np.testing.assert_allclose(one.share, share)
        assert one.kind == "number"


def test_arrays_sparse_rows_and_holes_are_taken():
    X = np.random.RandomState(0).normal(size=(60, 3))
    pca = PCA(1).fit(X)
    first = code_effects(pca, X)
    assert [one.column for one in first] == ["feature 0", "feature 1", "feature 2"]
    sparse = code_effects(pca, sp.csr_matrix(X))
    np.testing.assert_allclose([e.share for e in sparse], [e.share for e in first])
    missing = AutoencoderTransformer(1, missing="mask", hidden_layer_sizes=(4,), max_iter=2)
    missing.set_params(early_stopping=False, random_state=0).fit(X)
    X[0, 0] = np.nan
    assert np.isfinite([one.share for one in code_effects(missing, X)]).all()


def test_pipelines_and_searches_end_in_what_they_hold(fitted):
    X = table()
    first = code_effects(fitted, X)
    leave_out = FunctionTransformer(lambda frame: frame.drop(columns="index"))
    pipeline = make_pipeline(leave_out, TableAutoencoderTransformer(2, autoencoder=QUICK))
    pipeline.set_params(tableautoencodertransformer__random_state=0)
    wide = X.assign(index=range(len(X)))
    pipeline.fit(wide)
    for one, other in zip(first, code_effects(pipeline, wide), strict=True):
        np.testing.assert_array_equal(one.decoded, other.decoded)
    rows = X[["height", "shoe"]]
    search = GridSearchCV(make_pipeline(StandardScaler(), PCA()), {"pca__n_components": [1]}, cv=2)
    assert len(code_effects(search.fit(rows), rows)) == 2


def test_pandas_and_polars_agree(fitted):
    sizes = pl.Enum([*"SML", "XL"])
    X = pl.from_pandas(table()).with_columns(pl.col("size").cast(sizes))
    estimator = TableAutoencoderTransformer(2, autoencoder=QUICK, random_state=0).fit(X)
    for one, other in zip(code_effects(estimator, X), code_effects(fitted, table()), strict=True):
        np.testing.assert_array_equal(one.decoded, other.decoded)
        assert one.share == other.share


def test_what_has_no_way_back_or_no_numbers_is_refused():
    X = table()
    with pytest.raises(TypeError, match="Pipeline has no transform"):
        code_effects(make_pipeline(PCA(1), LinearRegression()).fit(X[["shoe"]], X["height"]), X)
    words = FunctionTransformer(lambda frame: frame, inverse_func=lambda codes: codes)
    words.set_params(check_inverse=False).fit(X)
    with pytest.raises(TypeError, match=r"no numbers.*begins with a TableEncoder"):
        code_effects(words, X)
