"""ManifoldDisplay: every tile and every point against `inverse_transform` of a single code."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.datasets import make_noisy_curve
from skae.plotting import ManifoldDisplay


@pytest.fixture(scope="module")
def plane():
    return make_noisy_curve(100, random_state=0)[0]


# The grid


def test_each_tile_is_what_its_code_stands_for(pca, digits, tiles, draw):
    X = digits[0]
    display = ManifoldDisplay.from_estimator(
        pca, X, n_points=5, components=(2, 0), image_shape=(8, 8)
    )
    draw(display.figure_)
    first, second = display.values
    assert display.decoded.shape == (5, 5, 64)
    (shown,) = display.ax_.images
    found = tiles(shown, 5, 5, (8, 8))
    for i, high in enumerate(second[::-1]):  # large values at the top
        for j, right in enumerate(first):
            code = np.median(pca.transform(X), axis=0)
            code[[2, 0]] = right, high
            expected = pca.inverse_transform(code[None])[0]
            np.testing.assert_allclose(found[i, j].ravel(), expected, atol=1e-9)
            np.testing.assert_allclose(display.decoded[4 - i, j], expected, atol=1e-9)
    assert shown.get_clim() == (X.min(), X.max())
    assert display.ax_.get_xlabel() == "code 2"
    assert display.ax_.get_ylabel() == "code 0"


def test_each_tile_lies_at_its_code(pca, digits, draw):
    display = ManifoldDisplay.from_estimator(
        pca, digits[0], n_points=4, region=[(-3, 3), (10, 16)], image_shape=(4, 16)
    )
    draw(display.figure_)
    np.testing.assert_array_equal(display.values, [[-3, -1, 1, 3], [10, 12, 14, 16]])
    np.testing.assert_array_equal(display.ax_.images[0].get_extent(), [-4, 4, 9, 17])
    # As tall as wide in pixels means 4 x 4 for 16 x 64.
    box = display.ax_.get_window_extent()
    assert box.height / box.width == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("coverage", [0.5, 0.95, 1.0])
def test_the_region_covers_a_share_of_the_codes(pca, digits, coverage):
    display = ManifoldDisplay.from_estimator(
        pca, digits[0], n_points=2, coverage=coverage, image_shape=(8, 8)
    )
    codes = pca.transform(digits[0])
    for values, code in zip(display.values, codes.T, strict=False):
        inside = (values[0] - 1e-9 <= code) & (code <= values[-1] + 1e-9)
        assert inside.mean() == pytest.approx(coverage, abs=0.02)
        assert (code < values[0] - 1e-9).sum() == pytest.approx(
            (code > values[-1] + 1e-9).sum(), abs=1
        )


def test_a_nonlinear_decoder_is_asked_for_each_code(autoencoder, digits):
    display = ManifoldDisplay.from_estimator(autoencoder, digits[0], n_points=3, image_shape=(8, 8))
    x, y = display.values
    for i, j in np.ndindex(3, 3):
        row = autoencoder.inverse_transform([[x[j], y[i]]])[0]
        np.testing.assert_allclose(display.decoded[i, j], row, rtol=1e-4, atol=1e-4)


def test_images_in_color_are_drawn_in_color(tiles, draw):
    X = np.random.RandomState(0).uniform(size=(40, 3 * 2 * 5))
    pca = PCA(2).fit(X)
    display = ManifoldDisplay.from_estimator(pca, X, n_points=3, image_shape=(3, 2, 5))
    draw(display.figure_)
    found = tiles(display.ax_.images[0], 3, 3, (2, 5))
    shares = np.clip((display.decoded - X.min()) / (X.max() - X.min()), 0, 1)
    for i, j in np.ndindex(3, 3):
        expected = np.moveaxis(shares[2 - i, j].reshape(3, 2, 5), 0, -1)
        np.testing.assert_allclose(found[i, j], expected)


@pytest.mark.parametrize("image_shape", [(1, 64), (64, 1)])
def test_lines_of_pixels_are_drawn_on_one_page(pca, digits, image_shape, tiles, draw):
    display = ManifoldDisplay.from_estimator(pca, digits[0], n_points=3, image_shape=image_shape)
    draw(display.figure_)
    assert display.figure_.get_size_inches().max() <= 12
    found = tiles(display.ax_.images[0], 3, 3, image_shape)
    np.testing.assert_array_equal(found[0, 2].ravel(), display.decoded[2, 2])


# One code


@pytest.mark.parametrize("image_shape", [(8, 8), (4, 16)])
def test_one_code_is_a_line_of_images(pca, digits, image_shape, tiles, draw):
    X = digits[0]
    display = ManifoldDisplay.from_estimator(
        pca, X, n_points=7, components=1, region=(-6, 6), image_shape=image_shape
    )
    draw(display.figure_)
    (shown,) = display.ax_.images
    (line,) = tiles(shown, 1, 7, image_shape)
    for value, image in zip([-6, -4, -2, 0, 2, 4, 6], line, strict=True):
        code = np.median(pca.transform(X), axis=0)
        code[1] = value
        np.testing.assert_allclose(image.ravel(), pca.inverse_transform(code[None])[0], atol=1e-9)
    left, right, bottom, top = shown.get_extent()
    assert (left, right) == (-7, 7)
    # Pixels are squares.
    height, width = image_shape
    assert (top - bottom) / height == pytest.approx((right - left) / (7 * width))
    assert display.ax_.get_aspect() == 1
    assert display.ax_.get_xlabel() == "code 1"
    assert not len(display.ax_.get_yticks())


def test_where_there_is_one_code_it_is_taken(digits):
    pca = PCA(1).fit(digits[0])
    display = ManifoldDisplay.from_estimator(pca, digits[0], n_points=3, image_shape=(8, 8))
    assert display.components == [0]
    assert display.decoded.shape == (3, 64)


def test_a_code_that_is_the_same_for_all_rows_has_a_region(pca, digits, draw):
    display = ManifoldDisplay.from_estimator(pca, digits[0][:1], n_points=3, image_shape=(8, 8))
    draw(display.figure_)
    code = pca.transform(digits[0][:1])[0]
    for i in (0, 1):
        np.testing.assert_allclose(display.values[i], code[i] + np.array([-0.5, 0, 0.5]))


# The curve


def test_the_curve_joins_decoded_points_over_the_data(plane, draw):
    autoencoder = AutoencoderTransformer(
        1, hidden_layer_sizes=(8,), max_iter=2, early_stopping=False, random_state=0
    ).fit(plane)
    display = ManifoldDisplay.from_estimator(autoencoder, plane)
    draw(display.figure_)
    ax = display.ax_
    assert len(display.figure_.axes) == 2  # and the scale of the codes
    (points,) = [c for c in ax.collections if not isinstance(c, LineCollection)]
    np.testing.assert_array_equal(points.get_offsets(), plane)
    (curve,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    segments = np.array(curve.get_segments())
    (values,) = display.values
    codes = autoencoder.transform(plane)
    assert (values[0], values[-1]) == pytest.approx((codes.min(), codes.max()))
    assert (np.diff(values) > 0).all()
    expected = autoencoder.inverse_transform(values[:, None])
    np.testing.assert_allclose(segments[:, 0], expected[:-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(segments[:, 1], expected[1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(curve.get_array(), (values[1:] + values[:-1]) / 2)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 0", "feature 1")
    assert display.figure_.axes[1].get_ylabel() == "code 0"


def test_the_curve_of_pca_is_its_axis(plane):
    pca = PCA(1).fit(plane)
    display = ManifoldDisplay.from_estimator(pca, plane, region=(-1, 2))
    np.testing.assert_allclose(display.decoded[0], pca.mean_ - pca.components_[0])
    np.testing.assert_allclose(display.decoded[-1], pca.mean_ + 2 * pca.components_[0])
    (values,) = display.values
    expected = pca.mean_ + values[:, None] * pca.components_[0]
    np.testing.assert_allclose(display.decoded, expected, atol=1e-12)


def test_the_curve_has_points_where_the_codes_are_and_colors_for_most_of_them():
    X = np.outer(np.append(np.linspace(0, 1, 99), 1000.0), [3.0, 4.0])
    display = ManifoldDisplay.from_estimator(PCA(1).fit(X), X)
    (values,) = display.values
    codes = PCA(1).fit_transform(X)
    assert (values[0], values[-1]) == pytest.approx((codes.min(), codes.max()))
    for code in codes[:, 0]:
        assert np.abs(values - code).min() < 0.03
    (curve,) = [c for c in display.ax_.collections if isinstance(c, LineCollection)]
    assert curve.get_clim() == pytest.approx(np.quantile(codes, [0.02, 0.98]))


def test_the_curve_goes_through_a_region_without_codes(plane, draw):
    pca = PCA(1).fit(plane)
    display = ManifoldDisplay.from_estimator(pca, plane, region=(100, 101))
    draw(display.figure_)
    np.testing.assert_allclose(display.decoded[0], pca.mean_ + 100 * pca.components_[0])


def test_columns_keep_their_names(plane, draw):
    frame = pd.DataFrame(plane, columns=["$a$", "$\\frac$"])
    display = ManifoldDisplay.from_estimator(PCA(1).fit(frame), frame)
    draw(display.figure_)
    assert display.ax_.get_xlabel() == r"\$a\$"
    assert display.ax_.get_ylabel() == r"\$\frac\$"


def test_rows_with_missing_values_are_drawn(plane, draw):
    X = plane.copy()
    X[::9, 0] = np.nan
    autoencoder = AutoencoderTransformer(
        1, hidden_layer_sizes=(8,), missing="mask", max_iter=2, early_stopping=False,
        random_state=0,
    ).fit(X)  # fmt: skip
    display = ManifoldDisplay.from_estimator(autoencoder, X)
    draw(display.figure_)
    assert np.isfinite(display.decoded).all()
    np.testing.assert_array_equal(display.X, X)


# Drawing


def test_drawing_again_gives_the_same(pca, digits, plane, check_redrawing):
    X = digits[0]
    grid = ManifoldDisplay.from_estimator(pca, X, n_points=4, image_shape=(8, 8))
    check_redrawing(grid)
    check_redrawing(ManifoldDisplay.from_estimator(pca, X, components=0, image_shape=(8, 8)))
    check_redrawing(ManifoldDisplay.from_estimator(PCA(1).fit(plane), plane))
    assert grid.plot(cmap="magma").ax_.images[0].get_cmap().name == "magma"


def test_axes_that_are_given_are_drawn_in(pca, digits, plane, subplots, draw):
    figure, axes = subplots(1, 3, layout="constrained", figsize=(12, 4))
    X = digits[0]
    shown = [
        ManifoldDisplay.from_estimator(pca, X, n_points=3, image_shape=(8, 8), ax=axes[0]),
        ManifoldDisplay.from_estimator(
            pca, X, n_points=3, components=0, image_shape=(8, 8), ax=axes[1]
        ),
        ManifoldDisplay.from_estimator(PCA(1).fit(plane), plane, ax=axes[2]),
    ]
    draw(figure)
    assert [display.ax_ for display in shown] == axes.tolist()
    assert all(display.figure_ is figure for display in shown)


def test_without_limits_those_of_the_decoded_rows_are_taken(tiles):
    decoded = np.arange(12.0).reshape(3, 4)
    display = ManifoldDisplay(
        [np.arange(3.0)], decoded, components=[0], image_shape=(1, 2, 2)
    ).plot()
    (shown,) = display.ax_.images
    assert shown.get_clim() == (0, 11)
    np.testing.assert_array_equal(tiles(shown, 1, 3, (2, 2)).reshape(3, 4), decoded)


# What is given


def test_any_estimator_of_any_rows_is_taken(digits, convolutional):
    X = digits[0]
    frame = pd.DataFrame(X).rename(columns=str)
    pipeline = make_pipeline(StandardScaler(), PCA()).set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"pca__n_components": [2]}, cv=2).fit(frame)
    display = ManifoldDisplay.from_estimator(search, frame, n_points=2, image_shape=(8, 8))
    x, y = display.values
    expected = search.best_estimator_.inverse_transform([[x[1], y[0]]])[0]
    np.testing.assert_allclose(display.decoded[0, 1], expected)

    svd = TruncatedSVD(2, random_state=0).fit(X)
    display = ManifoldDisplay.from_estimator(
        svd, sparse.csr_matrix(X), n_points=2, image_shape=(8, 8)
    )
    assert display.limits == (X.min(), X.max())
    # A convolutional estimator knows the shape of its images.
    display = ManifoldDisplay.from_estimator(convolutional, X, n_points=2)
    assert display.image_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": None}, "ManifoldDisplay draws rows as images: set image_shape"),
        ({"image_shape": (3, 3)}, "9 pixels, but rows have 64 features"),
        ({"n_points": 1}, "n_points=1, but at least 2 are needed"),
        ({"components": (0, 5)}, "codes have the numbers 0 to 4"),
        ({"components": (0, 0)}, "codes have the numbers 0 to 4"),
        ({"components": (0, 1, 2)}, "codes have the numbers 0 to 4"),
        ({"components": (0.0, 1.0)}, "codes have the numbers 0 to 4"),
        ({"components": ()}, "codes have the numbers 0 to 4"),
        ({"coverage": 0}, r"coverage=0, but a share of the rows lies in \(0, 1\]"),
        ({"coverage": 1.5}, r"coverage=1\.5, but a share"),
        ({"region": (0, 1)}, r"region=\(0, 1\), but the 2 codes shown each need a smallest"),
        ({"region": [(0, 1), (1, 1)]}, "each need a smallest and a largest value"),
        ({"region": [(0, 1), (2, 1)]}, "each need a smallest and a largest value"),
    ],
)
def test_a_bad_parameter_is_an_error(pca, digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        ManifoldDisplay.from_estimator(pca, digits[0], **{"image_shape": (8, 8), **parameters})


def test_two_codes_of_the_plane_are_no_curve(plane):
    with pytest.raises(ValueError, match="Only one code of data with two columns is drawn"):
        ManifoldDisplay.from_estimator(PCA(2).fit(plane), plane)
