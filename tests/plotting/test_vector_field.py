"""VectorFieldDisplay: the field of PCA is a projection, minus the point."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.axes import Axes
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer
from skae.datasets import make_noisy_curve
from skae.plotting import VectorFieldDisplay


class Half(BaseEstimator):
    """A reconstruction halfway to the origin."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)

    def inverse_transform(self, X):
        return X / 2

    def __sklearn_is_fitted__(self):
        return True


class Same(Half):
    def inverse_transform(self, X):
        return X


@pytest.fixture(autouse=True)
def few_streams(request, monkeypatch):
    """Draw fewer streams, which take long, except in tests of the streams themselves."""
    if "all_streams" in request.fixturenames:
        return
    streamplot = Axes.streamplot
    monkeypatch.setattr(
        Axes,
        "streamplot",
        lambda *args, **kwargs: streamplot(*args, **{**kwargs, "density": 0.2}),
    )


@pytest.fixture
def all_streams():
    """Mark a test of the streams."""


@pytest.fixture(scope="module")
def plane():
    return make_noisy_curve(80, random_state=0)[0]


@pytest.fixture(scope="module")
def field_of_pca(plane):
    """Return numbers alone, so that no figure stays."""
    from matplotlib import pyplot as plt

    display = VectorFieldDisplay.from_estimator(PCA(1).fit(plane), plane, n_points=8)
    plt.close(display.figure_)
    return display


def test_the_field_of_pca_is_the_projection_minus_the_point(field_of_pca, plane):
    pca = PCA(1).fit(plane)
    (axis,) = pca.components_
    assert field_of_pca.field.shape == (8, 8, 2)
    for i, j in np.ndindex(8, 8):
        point = np.array([field_of_pca.x[j], field_of_pca.y[i]])
        along = pca.mean_ + ((point - pca.mean_) @ axis) * axis
        np.testing.assert_allclose(field_of_pca.field[i, j], along - point, atol=1e-9)
        assert field_of_pca.field[i, j] @ axis == pytest.approx(0, abs=1e-9)


def test_the_grid_reaches_evenly_a_little_beyond_the_data(field_of_pca, plane):
    for grid, values in zip((field_of_pca.x, field_of_pca.y), plane.T, strict=True):
        reach = 0.15 * np.ptp(values)
        assert grid[0] == pytest.approx(values.min() - reach)
        assert grid[-1] == pytest.approx(values.max() + reach)
        np.testing.assert_allclose(np.diff(grid), np.diff(grid)[0])


@pytest.mark.usefixtures("all_streams")
def test_streams_flow_along_the_field_in_the_colors_of_its_length(draw):
    random = np.random.RandomState(0)
    X = random.uniform(-1, 3, size=(50, 2)) + np.array([0, 2])
    display = VectorFieldDisplay.from_estimator(Half().fit(X), X, n_points=9, cmap="magma")
    draw(display.figure_)
    grid = np.stack(np.meshgrid(display.x, display.y), axis=-1)
    np.testing.assert_allclose(display.field, -grid / 2)
    points, streams = display.ax_.collections
    np.testing.assert_array_equal(points.get_offsets(), X)
    segments = np.array(streams.get_segments())
    middles, steps = segments.mean(axis=1), np.diff(segments, axis=1)[:, 0]
    long = np.linalg.norm(steps, axis=1) > 1e-6
    # To the origin, on straight lines through it.
    cosines = -(middles * steps).sum(axis=1) / (
        np.linalg.norm(middles, axis=1) * np.linalg.norm(steps, axis=1).clip(1e-12)
    )
    assert (np.abs(cosines[long & (np.linalg.norm(middles, axis=1) > 1)]) > 0.99).all()
    assert streams.get_cmap().name == "magma"
    lengths = np.linalg.norm(segments[:, 0], axis=1) / 2
    np.testing.assert_allclose(streams.get_array(), lengths, atol=0.05)


def test_the_axes_end_with_the_grid_and_have_the_names_of_the_columns(plane, draw):
    frame = pd.DataFrame(plane, columns=["$a$", "$\\frac$"])
    display = VectorFieldDisplay.from_estimator(PCA(1).fit(frame), frame, n_points=5)
    draw(display.figure_)
    ax = display.ax_
    assert len(display.figure_.axes) == 2  # and the scale of the lengths
    assert ax.get_xlim() == (display.x[0], display.x[-1])
    assert ax.get_ylim() == (display.y[0], display.y[-1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"\$a\$", r"\$\frac\$")
    assert display.figure_.axes[1].get_ylabel() == "length of the step"


def test_drawing_again_gives_the_same(plane, check_redrawing):
    display = VectorFieldDisplay.from_estimator(PCA(1).fit(plane), plane, n_points=4)
    check_redrawing(display)


def test_axes_that_are_given_are_drawn_in(plane, subplots, draw):
    figure, axes = subplots(1, 2)
    display = VectorFieldDisplay.from_estimator(PCA(1).fit(plane), plane, n_points=4, ax=axes[1])
    draw(figure)
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].collections


@pytest.mark.parametrize(
    "estimator", [Same(), PCA(2)], ids=["the identity", "the identity but for rounding"]
)
def test_a_field_that_vanishes_is_drawn(plane, estimator, draw):
    display = VectorFieldDisplay.from_estimator(estimator.fit(plane), plane, n_points=4)
    draw(display.figure_)
    np.testing.assert_allclose(display.field, 0, atol=1e-12)


@pytest.mark.parametrize("kind", ["constant", "one row", "far away", "two lines"])
def test_data_of_any_extent_is_drawn(plane, kind, draw):
    X = {
        "constant": plane * [1, 0] + 3,
        "one row": plane[:1],
        "far away": plane * 1e-3 + 1e6,
        "two lines": plane,
    }[kind]
    pca = PCA(1).fit(plane if len(X) == 1 else X)
    n_points = 2 if kind == "two lines" else 4
    display = VectorFieldDisplay.from_estimator(pca, X, n_points=n_points)
    draw(display.figure_)
    assert (np.diff(display.x) > 0).all()
    assert (np.diff(display.y) > 0).all()
    np.testing.assert_array_equal(display.ax_.collections[0].get_offsets(), X)


def test_twenty_thousand_rows_are_drawn(draw):
    X = np.random.RandomState(0).normal(size=(20000, 2))
    display = VectorFieldDisplay.from_estimator(PCA(1).fit(X), X, n_points=4)
    draw(display.figure_)
    assert len(display.ax_.collections[0].get_offsets()) == 20000


# What is given


# What scikit-learn 1.6 asks of polars, which has other words for it by now.
@pytest.mark.filterwarnings("ignore:Support for the dataframe interchange:DeprecationWarning")
def test_frames_and_sparse_matrices_are_taken(plane):
    for frame in (pd.DataFrame(plane, columns=["a", "b"]), pl.DataFrame(plane, ["a", "b"])):
        search = GridSearchCV(PCA(), {"n_components": [1]}, cv=2).fit(frame)
        display = VectorFieldDisplay.from_estimator(search, frame, n_points=3)
        pca = search.best_estimator_
        point = type(frame)({"a": display.x[2:], "b": display.y[:1]})
        expected = pca.inverse_transform(pca.transform(point))[0] - [display.x[2], display.y[0]]
        np.testing.assert_allclose(display.field[0, 2], expected)
        assert display.feature_names == ["a", "b"]
    svd = TruncatedSVD(1, random_state=0).fit(plane)
    display = VectorFieldDisplay.from_estimator(svd, sparse.csr_matrix(plane), n_points=3)
    np.testing.assert_array_equal(display.X, plane)


def test_rows_with_missing_values_are_drawn(plane, draw):
    X = plane.copy()
    X[::9, 0] = np.nan
    autoencoder = AutoencoderTransformer(
        1, hidden_layer_sizes=(8,), missing="mask", max_iter=2, early_stopping=False,
        random_state=0,
    ).fit(X)  # fmt: skip
    display = VectorFieldDisplay.from_estimator(autoencoder, X, n_points=3)
    draw(display.figure_)
    assert np.isfinite(display.field).all()
    point = np.array([[display.x[1], display.y[2]]])
    expected = autoencoder.inverse_transform(autoencoder.transform(point)) - point
    np.testing.assert_allclose(display.field[2, 1], expected[0], rtol=1e-4, atol=1e-4)


def test_bad_input_is_an_error(pca, digits, plane):
    with pytest.raises(ValueError, match="X has 64 columns, but VectorFieldDisplay draws data in"):
        VectorFieldDisplay.from_estimator(pca, digits[0])
    with pytest.raises(ValueError, match="n_points=1, but a grid has at least 2 lines"):
        VectorFieldDisplay.from_estimator(PCA(1).fit(plane), plane, n_points=1)
