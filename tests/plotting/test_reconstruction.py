"""ReconstructionDisplay: rows, their reconstructions, and errors against explicit sums."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.plotting import ReconstructionDisplay

IRIS = load_iris().data
ERRORS = np.array([5.0, 1.0, 4.0, 2.0, 3.0])  # of five rows


@pytest.fixture
def five():
    """Five rows with known errors, and what they were reconstructed as."""
    X = np.random.RandomState(0).normal(size=(5, 6))
    wrong = np.zeros((5, 6))
    wrong[:, 2] = np.sqrt(ERRORS)
    return X, X + wrong


def titles(display):
    return [ax.get_title() for ax in display.axes_]


# Which rows


@pytest.mark.parametrize(
    ("select", "n_shown", "expected"),
    [
        ("best", 2, [1, 3]),
        ("worst", 2, [0, 2]),
        ("spread", 3, [1, 4, 0]),
        ("spread", 5, [1, 3, 4, 2, 0]),
        ("spread", 1, [1]),
        ("best", 99, [1, 3, 4, 2, 0]),
        ("worst", 99, [0, 2, 4, 3, 1]),
        ([4, 0, 4], 1, [4, 0, 4]),
        ([-1, -5], 8, [4, 0]),
        (np.array(2), 8, [2]),
    ],
)
def test_the_rows_asked_for_are_shown_with_their_errors(five, select, n_shown, expected):
    display = ReconstructionDisplay.from_predictions(
        *five, select=select, n_shown=n_shown, image_shape=(2, 3)
    )
    np.testing.assert_array_equal(display.indices, expected)
    np.testing.assert_allclose(display.errors, ERRORS[expected])
    np.testing.assert_array_equal(display.originals, five[0][expected])
    np.testing.assert_array_equal(display.reconstructions, five[1][expected])
    assert display.n_samples == 5


def test_panels_say_which_rows_they_show_and_how_large_their_error_is(five):
    bars = ReconstructionDisplay.from_predictions(*five, n_shown=3)
    assert titles(bars) == ["row 1: error 1", "row 4: error 3", "row 0: error 5"]
    wide = [np.tile(rows, 7) for rows in five]
    curves = ReconstructionDisplay.from_predictions(*wide, select=[2, 0])
    assert titles(curves) == ["row 2: error 28", "row 0: error 35"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"select": "beste"}, "select='beste' is none of 'spread', 'best', 'worst'; positions"),
        ({"select": [0, 5]}, "select has 5, but there are 5 rows"),
        ({"select": [-6]}, "select has -6, but there are 5 rows"),
        ({"select": [0.5]}, "positions of rows are whole numbers"),
        ({"select": []}, "positions of rows are whole numbers"),
        ({"select": [True] * 5}, "positions of rows are whole numbers"),
        ({"n_shown": 0}, "n_shown=0, but at least one row is to be shown"),
        ({"image_shape": (5, 5)}, "25 pixels, but rows have 6 features"),
    ],
)
def test_a_bad_parameter_is_an_error(five, parameters, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_predictions(*five, **parameters)


def test_a_reconstruction_has_the_shape_of_the_rows(five):
    with pytest.raises(ValueError, match=r"X has shape \(5, 6\), but X_reconstructed has shape"):
        ReconstructionDisplay.from_predictions(five[0], five[1][:, :4])


def test_no_rows_are_an_error(pca, digits):
    with pytest.raises(ValueError, match="0 sample"):
        ReconstructionDisplay.from_estimator(pca, digits[0][:0], image_shape=(8, 8))


# Images


@pytest.mark.parametrize("n_rows", [1, 2, 3, 150])
def test_images_are_rows_over_their_reconstructions(pca, digits, n_rows, tiles, draw):
    X = digits[0][:n_rows]
    display = ReconstructionDisplay.from_estimator(pca, X, image_shape=(4, 16))
    draw(display.figure_)
    rebuilt = pca.inverse_transform(pca.transform(X))
    n_shown = min(n_rows, 8)
    (ax,) = display.axes_
    assert display.figure_.axes == [ax]
    (shown,) = ax.images
    upper, lower = tiles(shown, 2, n_shown, (4, 16))
    errors = ((X - rebuilt) ** 2).sum(axis=1)
    for i, original, reconstruction in zip(display.indices, upper, lower, strict=True):
        np.testing.assert_array_equal(original.ravel(), X[i])
        np.testing.assert_allclose(reconstruction.ravel(), rebuilt[i])
    np.testing.assert_allclose(display.errors, errors[display.indices])
    assert (np.diff(display.errors) >= 0).all()
    assert display.errors[0] == pytest.approx(errors.min())
    if n_shown > 1:
        assert display.errors[-1] == pytest.approx(errors.max())
    texts = [label.get_text() for label in ax.get_xticklabels()]
    assert texts == [f"{error:.3g}" for error in display.errors]
    np.testing.assert_array_equal(ax.get_xticks(), 7.5 + 17 * np.arange(n_shown))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["row", "rebuilt"]
    assert shown.get_clim() == (display.originals.min(), display.originals.max())


def test_images_in_color_have_their_channels_first_in_rows(tiles, draw):
    X = np.random.RandomState(0).uniform(size=(30, 3 * 2 * 4))
    display = ReconstructionDisplay.from_estimator(
        PCA(3).fit(X), X, n_shown=3, image_shape=(3, 2, 4)
    )
    draw(display.figure_)
    found = tiles(display.axes_[0].images[0], 2, 3, (2, 4))
    low, high = display.originals.min(), display.originals.max()
    for line, rows in zip(found, (display.originals, display.reconstructions), strict=True):
        for image, row in zip(line, rows, strict=True):
            red, green, blue = np.clip((row - low) / (high - low), 0, 1).reshape(3, 2, 4)
            np.testing.assert_allclose(image, np.stack([red, green, blue], axis=-1))


def test_a_convolutional_estimator_knows_its_images(convolutional, digits):
    display = ReconstructionDisplay.from_estimator(convolutional, digits[0])
    assert display.image_shape == (1, 8, 8)
    assert len(display.axes_) == 1


# Bars


def test_bars_are_rows_and_points_reconstructions_in_standard_deviations(draw):
    pca = PCA(1).fit(IRIS)
    display = ReconstructionDisplay.from_estimator(pca, IRIS, n_shown=5)
    draw(display.figure_)
    rebuilt = pca.inverse_transform(pca.transform(IRIS))
    assert len(display.axes_) == 5
    hidden = [ax for ax in display.figure_.axes if ax not in display.axes_.tolist()]
    assert len(hidden) == 3  # of two lines of four
    assert not any(ax.get_visible() for ax in hidden)
    scaler = StandardScaler().fit(IRIS)
    for i, ax in zip(display.indices, display.axes_, strict=True):
        row, point = scaler.transform(IRIS[i][None])[0], scaler.transform(rebuilt[i][None])[0]
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], row)
        middles = [bar.get_y() + bar.get_height() / 2 for bar in ax.patches]
        np.testing.assert_allclose(middles, range(4))
        np.testing.assert_allclose(ax.lines[0].get_xydata(), np.column_stack([point, range(4)]))
        (errors,) = [c for c in ax.collections if isinstance(c, LineCollection)]
        for feature, segment in enumerate(errors.get_segments()):
            ends = [[row[feature], feature], [point[feature], feature]]
            np.testing.assert_allclose(segment, ends)
    assert display.axes_[0].yaxis_inverted()
    labels = [ax.get_xlabel() for ax in display.axes_]
    assert labels == ["", *["standard deviations"] * 4]  # below nothing but panels
    texts = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert sorted(texts) == ["rebuilt", "row"]


def test_columns_keep_their_names(draw):
    frame = pd.DataFrame(IRIS, columns=["a", "$b$", "$\\frac$", "d"])
    display = ReconstructionDisplay.from_estimator(PCA(1).fit(frame), frame, n_shown=2)
    draw(display.figure_)
    names = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert names == ["a", r"\$b\$", r"\$\frac\$", "d"]


def test_without_a_scale_bars_are_in_the_units_of_the_rows(five):
    X, rebuilt = five
    display = ReconstructionDisplay(X, rebuilt, ERRORS, np.arange(5), n_samples=5).plot()
    np.testing.assert_array_equal([bar.get_width() for bar in display.axes_[3].patches], X[3])
    assert display.axes_[-1].get_xlabel() == "value"
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels == [str(i) for i in range(6)]


def test_a_constant_column_has_no_deviation_that_others_are_small_beside(draw):
    X = np.random.RandomState(0).normal(size=(30, 4))
    X[:, 0] = 0.1
    display = ReconstructionDisplay.from_predictions(X, X + 1e-6)
    draw(display.figure_)
    assert display.scale[0] == 1
    np.testing.assert_allclose(display.scale[1:], X.std(axis=0)[1:])
    assert all(abs(ax.patches[0].get_width()) < 1e-12 for ax in display.axes_)


def test_few_rows_are_drawn_in_their_own_units(draw):
    X = np.array([[1.0, -20.0], [3.0, 50.0]])
    display = ReconstructionDisplay.from_predictions(X, X, select=[0, 1])
    draw(display.figure_)
    widths = [[bar.get_width() for bar in ax.patches] for ax in display.axes_]
    np.testing.assert_array_equal(widths, X)
    assert display.axes_[0].get_xlabel() == "value"


def test_a_reconstruction_that_is_missing_is_an_error_and_not_the_best(five):
    X, rebuilt = five
    with pytest.raises(ValueError, match="NaN"):
        ReconstructionDisplay.from_predictions(X, np.full_like(rebuilt, np.nan))


# Curves


@pytest.mark.parametrize("n_shown", [1, 2, 3])
def test_wide_rows_are_curves(pca, digits, n_shown, draw):
    display = ReconstructionDisplay.from_estimator(pca, digits[0], n_shown=n_shown)
    draw(display.figure_)
    assert len(display.axes_) == n_shown
    for i, ax in zip(display.indices, display.axes_, strict=True):
        row, rebuilt = ax.lines
        np.testing.assert_array_equal(row.get_ydata(), digits[0][i])
        expected = pca.inverse_transform(pca.transform(digits[0][[i]]))[0]
        np.testing.assert_allclose(rebuilt.get_ydata(), expected, atol=1e-9)
        np.testing.assert_array_equal(row.get_xdata(), np.arange(64))
        assert (row.get_label(), rebuilt.get_label()) == ("row", "rebuilt")
    assert sum(ax.get_xlabel() == "feature" for ax in display.axes_) == min(n_shown, 2)


def test_forty_columns_are_bars_and_more_are_curves():
    X = np.random.RandomState(0).normal(size=(3, 41))
    bars = ReconstructionDisplay.from_predictions(X[:, :40], X[:, :40])
    assert len(bars.axes_[0].patches) == 40
    curves = ReconstructionDisplay.from_predictions(X, X)
    assert not curves.axes_[0].patches


# Missing values


@pytest.fixture(scope="module")
def imputing():
    return AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), missing="mask", max_iter=2, early_stopping=False,
        random_state=0,
    ).fit(IRIS)  # fmt: skip


@pytest.mark.parametrize("n_rows", [1, 2, 150])
def test_a_missing_value_is_no_error_and_has_no_bar(imputing, n_rows, draw):
    X = IRIS[:n_rows].copy()
    X[0, 1] = np.nan
    before = X.copy()
    display = ReconstructionDisplay.from_estimator(imputing, X, select=[0])
    draw(display.figure_)
    rebuilt = imputing.inverse_transform(imputing.transform(X))
    known = [0, 2, 3]
    expected = ((X[0, known] - rebuilt[0, known]) ** 2).sum()
    assert display.errors[0] == pytest.approx(expected, rel=1e-5)
    widths = np.array([bar.get_width() for bar in display.axes_[0].patches])
    np.testing.assert_array_equal(np.isnan(widths), [False, True, False, False])
    assert np.isfinite(display.axes_[0].lines[0].get_xdata()).all()
    np.testing.assert_array_equal(X, before)


def test_a_column_without_any_value_is_drawn(imputing, draw):
    X = IRIS.copy()
    X[:, 2] = np.nan
    display = ReconstructionDisplay.from_estimator(imputing, X, n_shown=2)
    draw(display.figure_)
    known = [0, 1, 3]
    np.testing.assert_allclose(display.center[known], X[:, known].mean(axis=0))
    np.testing.assert_allclose(display.scale[known], X[:, known].std(axis=0))
    assert np.isfinite(display.center).all()


@pytest.mark.parametrize("n_features", [4, 50])
def test_missing_pixels_are_holes_in_images_and_curves(n_features, tiles, draw):
    X = np.arange(2.0 * n_features).reshape(2, n_features)
    X[0, :2] = np.nan
    shape = (2, 2) if n_features == 4 else None
    display = ReconstructionDisplay.from_predictions(
        X, np.ones_like(X), select=[0, 1], image_shape=shape
    )
    draw(display.figure_)
    if shape:
        (shown,) = display.axes_[0].images
        np.testing.assert_array_equal(tiles(shown, 2, 2, (2, 2))[0].reshape(2, 4), X)
        assert shown.get_clim() == (2, 7)
    else:
        np.testing.assert_array_equal(display.axes_[0].lines[0].get_ydata(), X[0])


@pytest.mark.parametrize("shape", [(2, 2), None])
def test_rows_without_any_value_are_drawn(shape, draw):
    display = ReconstructionDisplay.from_predictions(
        np.full((2, 4), np.nan), np.ones((2, 4)), image_shape=shape
    )
    draw(display.figure_)
    np.testing.assert_array_equal(display.errors, [0, 0])


# Drawing


@pytest.mark.parametrize("kind", ["images", "bars", "curves"])
def test_drawing_again_gives_the_same(pca, digits, kind, check_redrawing):
    if kind == "bars":
        display = ReconstructionDisplay.from_estimator(PCA(1).fit(IRIS), IRIS, n_shown=3)
    else:
        shape = (8, 8) if kind == "images" else None
        display = ReconstructionDisplay.from_estimator(pca, digits[0], n_shown=3, image_shape=shape)
    check_redrawing(display)


def test_images_need_one_axes_and_panels_divide_theirs(pca, digits, subplots, draw):
    figure, (one, two, three) = subplots(1, 3, figsize=(15, 6), layout="constrained")
    images = ReconstructionDisplay.from_estimator(pca, digits[0], image_shape=(8, 8), ax=one)
    curves = ReconstructionDisplay.from_estimator(pca, digits[0], n_shown=2, ax=two)
    bars = ReconstructionDisplay.from_estimator(PCA(1).fit(IRIS), IRIS, n_shown=2, ax=three)
    draw(figure)
    assert images.axes_.tolist() == [one]
    assert [ax.axison for ax in (one, two, three)] == [True, False, False]
    for display, ax in ((curves, two), (bars, three)):
        assert len(display.axes_) == 2
        assert display.figure_ is figure
        with pytest.raises(ValueError, match="ax has been divided"):
            display.plot(ax=ax)


def test_axes_without_a_place_in_a_grid_are_enough_for_images(pca, digits, subplots):
    figure, _ = subplots()
    free = figure.add_axes((0, 0, 1, 1))
    images = ReconstructionDisplay.from_estimator(pca, digits[0], image_shape=(8, 8), ax=free)
    assert images.axes_.tolist() == [free]
    with pytest.raises(ValueError, match="no place in a grid"):
        ReconstructionDisplay.from_estimator(pca, digits[0], ax=free)


# What is given


def test_rows_of_any_kind_are_reconstructed_by_any_estimator(digits):
    X = digits[0]
    svd = TruncatedSVD(3, random_state=0).fit(X)
    dense = ReconstructionDisplay.from_estimator(svd, X, image_shape=(8, 8))
    for rows in (sparse.csr_matrix(X), sparse.coo_array(X), X.tolist()):
        display = ReconstructionDisplay.from_estimator(svd, rows, image_shape=(8, 8))
        np.testing.assert_array_equal(display.indices, dense.indices)
        np.testing.assert_array_equal(display.originals, dense.originals)
        np.testing.assert_allclose(display.reconstructions, dense.reconstructions)

    frame = pd.DataFrame(X).rename(columns=str)
    pipeline = make_pipeline(StandardScaler(), PCA()).set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"pca__n_components": [3]}, cv=2).fit(frame)
    display = ReconstructionDisplay.from_estimator(search, frame, n_shown=2)
    best = search.best_estimator_
    rebuilt = best.inverse_transform(best.transform(frame))
    np.testing.assert_allclose(display.reconstructions, rebuilt[display.indices])


def test_an_estimator_that_cannot_go_back_is_an_error(digits):
    class Forward(PCA):
        inverse_transform = property()

    with pytest.raises(TypeError, match="Forward has no inverse_transform"):
        ReconstructionDisplay.from_estimator(Forward(2).fit(digits[0]), digits[0])
