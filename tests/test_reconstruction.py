"""What fitted autoencoders do with rows: encode, decode, explain, and fill holes."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector, AutoencoderTransformer


@pytest.fixture(scope="module")
def wine():
    return StandardScaler().fit_transform(load_wine().data)


def small(n_components=3, **parameters):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 3, "early_stopping": False}
    return AutoencoderTransformer(n_components, **defaults | {"random_state": 0} | parameters)


def untrained(n_components=3, **parameters):
    return small(n_components, max_iter=1, learning_rate_init=1e-12, **parameters)


def with_holes(X, share=0.2, seed=0):
    return np.where(np.random.RandomState(seed).uniform(size=X.shape) < share, np.nan, X)


# Errors, by row and by column


@pytest.mark.parametrize("parameters", [{}, {"output_activation": "softplus"}])
def test_errors_are_those_of_the_reconstruction_in_squared_units_of_X(parameters):
    X = load_iris().data
    model = small(2, **parameters).fit(X)
    expected = (X - model.inverse_transform(model.transform(X))) ** 2
    per_feature = model.reconstruction_error(X, per_feature=True)
    np.testing.assert_allclose(per_feature, expected, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(model.reconstruction_error(X), expected.sum(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(model.score_samples(X), -model.reconstruction_error(X))


def test_the_column_that_makes_a_row_unusual_has_the_largest_error(wine):
    model = small(3, max_iter=50).fit(wine)
    unusual = wine[:5].copy()
    unusual[:, 4] += 8
    assert (model.reconstruction_error(unusual, per_feature=True).argmax(axis=1) == 4).all()


# Holes


def test_a_hole_is_encoded_as_the_mean(wine):
    holes = with_holes(wine)
    model = small(missing="mask").fit(holes)
    filled = np.where(np.isnan(holes), model.mean_, holes)
    np.testing.assert_allclose(model.transform(holes), model.transform(filled), atol=1e-6)


def test_a_hole_has_no_error_and_no_variance(wine):
    holes = with_holes(wine)
    model = small(missing="mask").fit(holes)
    errors = model.reconstruction_error(holes, per_feature=True)
    rebuilt = model.inverse_transform(model.transform(holes))
    np.testing.assert_allclose(errors, np.nan_to_num((holes - rebuilt) ** 2), rtol=1e-4, atol=1e-8)
    variance = np.nansum((holes - np.nanmean(holes, axis=0)) ** 2)
    assert model.score(holes) == pytest.approx(1 - errors.sum() / variance)


def test_without_holes_the_mask_changes_nothing(wine):
    masked, plain = (small(missing=missing).fit(wine) for missing in ("mask", "error"))
    np.testing.assert_array_equal(masked.transform(wine), plain.transform(wine))
    np.testing.assert_array_equal(masked.impute(wine), wine)


def test_what_is_never_seen_is_not_learnt_from():
    """The value in a hole does not matter: the fit is the same whatever was there."""
    X = load_iris().data
    hole = np.random.RandomState(0).uniform(size=X.shape) < 0.3
    losses = []
    for loss in ("squared_error", "absolute_error", "huber"):
        model = small(2, missing="mask", loss=loss).fit(np.where(hole, np.nan, X))
        losses.append(model.loss_curve_[-1])
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_holes_are_filled_with_the_reconstruction_and_the_rest_is_kept(loss):
    X = load_digits().data[::4] / 16
    holes = with_holes(X)
    model = small(5, missing="mask", loss=loss).fit(holes)
    filled = model.impute(holes)
    there = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[there], holes[there])
    rebuilt = model.inverse_transform(model.transform(holes))
    np.testing.assert_allclose(filled[~there], rebuilt[~there], atol=1e-6)


def test_imputing_is_better_than_the_mean(wine):
    train, test = wine[::2], wine[1::2]
    holes = with_holes(test)
    model = AutoencoderTransformer(
        2, missing="mask", noise="masking", max_iter=60, random_state=0
    ).fit(with_holes(train, seed=1))
    hole = np.isnan(holes)
    error = np.square(model.impute(holes) - test)[hole].mean()
    assert error < 0.8 * np.square(model.mean_ - test)[hole].mean()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_imputed_rows_keep_their_dtype(wine, dtype):
    holes = with_holes(wine).astype(dtype)
    assert small(missing="mask").fit(holes).impute(holes).dtype == dtype


def test_rows_without_any_value_are_the_mean():
    X = load_iris().data.copy()
    X[3] = np.nan
    model = untrained(2, missing="mask").fit(X)
    np.testing.assert_allclose(model.impute(X)[3], np.nanmean(X, axis=0), atol=1e-5)
    assert model.reconstruction_error(X)[3] == 0


def test_what_holes_do_not_go_with_is_refused(wine):
    holes = with_holes(wine)
    with pytest.raises(ValueError, match="NaN"):
        small().fit(holes)
    with pytest.raises(ValueError, match="NaN"):
        small(missing="mask").fit(sp.csr_array(holes))
    with pytest.raises(TypeError, match=r"impute takes dense rows: give X.toarray\(\)"):
        small(missing="mask").fit(wine).impute(sp.csr_array(wine))
    with pytest.raises(ValueError, match="missing='error', but impute needs"):
        small().fit(wine).impute(holes)
    holes[:, 2] = np.nan
    with pytest.raises(ValueError, match=r"no value in column 2.*\[2\]"):
        small(missing="mask").fit(holes)
    with pytest.raises(ValueError, match="a number for each value"):
        small(missing="mask", loss=lambda a, b: (a - b).square().mean()).fit(with_holes(wine))


# Ordered codes


def test_ordered_codes_may_be_cut_like_principal_components():
    X = load_digits().data[::3] / 16
    model = untrained(6, ordered=True).fit(X)
    pca = PCA(6).fit(X)
    codes = model.transform(X)
    for n_codes in (1, 3, 6):
        expected = (pca.transform(X)[:, :n_codes] @ pca.components_[:n_codes]) + pca.mean_
        np.testing.assert_allclose(model.inverse_transform(codes[:, :n_codes]), expected, atol=1e-3)
    with pytest.raises(ValueError, match="expects codes with 6"):
        model.inverse_transform(np.zeros((2, 7)))


def test_at_pca_the_gain_of_each_code_is_its_explained_variance_ratio():
    X = load_digits().data[::3] / 16
    model = untrained(6, ordered=True).fit(X)
    np.testing.assert_allclose(
        model.explained_variance_ratio_, PCA(6).fit(X).explained_variance_ratio_, atol=1e-5
    )


def test_errors_are_summed_by_where_columns_come_from(wine):
    X = pd.DataFrame(wine[:, :5], columns=["age", "color_red", "color_white", "size", "color_rose"])
    sources = ["age", "color", "color", "size", "color"]
    model = AutoencoderTransformer(2, max_iter=2, early_stopping=False, random_state=0).fit(X)
    detector = AutoencoderOutlierDetector(model, n_folds=2, random_state=0).fit(X)
    for fitted in (model, detector):
        errors = fitted.reconstruction_error(X, per_feature=True)
        expected = np.column_stack([errors[:, 0], errors[:, [1, 2, 4]].sum(axis=1), errors[:, 3]])
        summed = fitted.reconstruction_error(X, per_feature=sources)
        np.testing.assert_allclose(summed, expected)
        frame = fitted.set_output(transform="pandas").reconstruction_error(X, per_feature=sources)
        assert list(frame.columns) == ["age", "color", "size"]
        fitted.set_output(transform="default")
        with pytest.raises(ValueError, match="per_feature has 3 names, but X has 5 columns"):
            fitted.reconstruction_error(X, per_feature=["a", "b", "c"])
