"""InterpolationDisplay: the ends are rows and decoded codes, with straight lines between."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV

from skae.plotting import InterpolationDisplay


class Forward(PCA):
    inverse_transform = property()


@pytest.fixture
def display(autoencoder, digits):
    return InterpolationDisplay.from_estimator(
        autoencoder, digits[0][[3, 14]], n_steps=7, image_shape=(8, 8)
    )


def test_the_ends_are_the_rows_and_what_their_codes_stand_for(display, autoencoder, digits):
    ends = digits[0][[3, 14]]
    np.testing.assert_array_equal(display.rows[[0, -1]], ends)
    codes = autoencoder.transform(ends)
    np.testing.assert_allclose(
        display.decoded[[0, -1]], autoencoder.inverse_transform(codes), rtol=1e-5, atol=1e-5
    )


def test_every_step_is_as_long_as_the_others(display, autoencoder, digits):
    np.testing.assert_allclose(
        np.diff(display.rows, axis=0), np.tile(np.diff(digits[0][[3, 14]], axis=0) / 6, (6, 1))
    )
    first, last = autoencoder.transform(digits[0][[3, 14]])
    for step in range(7):
        code = first + step / 6 * (last - first)
        np.testing.assert_allclose(
            display.decoded[step],
            autoencoder.inverse_transform(code[None])[0],
            rtol=1e-4,
            atol=1e-4,
        )


def test_both_lines_of_pca_are_a_projection_of_one_another(pca, digits):
    display = InterpolationDisplay.from_estimator(pca, digits[0][[3, 14]])
    assert len(display.rows) == 10
    projected = pca.inverse_transform(pca.transform(display.rows))
    np.testing.assert_allclose(display.decoded, projected, atol=1e-9)


def test_images_are_the_line_in_rows_over_the_line_in_codes(display, tiles, draw):
    draw(display.figure_)
    (ax,) = display.axes_
    assert display.figure_.axes == [ax]
    (shown,) = ax.images
    upper, lower = tiles(shown, 2, 7, (8, 8))
    np.testing.assert_array_equal(upper.reshape(7, 64), display.rows)
    np.testing.assert_array_equal(lower.reshape(7, 64), display.decoded)
    assert shown.get_clim() == (display.rows.min(), display.rows.max())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["in rows", "in codes"]
    texts = ["0%", "17%", "33%", "50%", "67%", "83%", "100%"]
    assert [label.get_text() for label in ax.get_xticklabels()] == texts
    np.testing.assert_array_equal(ax.get_xticks(), 3.5 + 9 * np.arange(7))
    np.testing.assert_array_equal(ax.get_yticks(), [3.5, 12.5])


@pytest.mark.parametrize(("image_shape", "n_steps"), [((3, 4, 4), 2), ((3, 2, 8), 5)])
def test_images_in_color_are_drawn_in_color(image_shape, n_steps, tiles, draw):
    X = np.random.RandomState(0).uniform(size=(30, 48))
    pca = PCA(20).fit(X)
    display = InterpolationDisplay.from_estimator(
        pca, X[:2], n_steps=n_steps, image_shape=image_shape
    )
    draw(display.figure_)
    (shown,) = display.axes_[0].images
    found = tiles(shown, 2, n_steps, image_shape[1:])
    low, high = X[:2].min(), X[:2].max()
    for line, rows in zip(found, (display.rows, display.decoded), strict=True):
        shares = np.clip((rows - low) / (high - low), 0, 1).reshape(n_steps, *image_shape)
        np.testing.assert_allclose(line, np.moveaxis(shares, 1, -1), atol=1e-12)


def test_other_rows_are_curves_in_the_colors_of_their_steps(pca, digits, draw):
    display = InterpolationDisplay.from_estimator(pca, digits[0][:2], n_steps=4)
    draw(display.figure_)
    assert len(display.axes_) == 2
    assert len(display.figure_.axes) == 3  # and the scale of the colors
    colors = colormaps["viridis"](np.linspace(0, 1, 4))
    for ax, rows, title in zip(
        display.axes_, (display.rows, display.decoded), ("in rows", "in codes"), strict=True
    ):
        assert ax.get_title() == title
        assert len(ax.lines) == 4
        for line, row, color in zip(ax.lines, rows, colors, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.column_stack([range(64), row]))
            assert tuple(line.get_color()) == tuple(color)
    assert display.axes_[0].get_ylim() == display.axes_[1].get_ylim()
    assert display.figure_.axes[2].get_ylabel() == "share of the way"


@pytest.mark.parametrize("image_shape", [None, (8, 8), (4, 16), (64, 1)])
def test_drawing_again_gives_the_same(pca, digits, check_redrawing, draw, image_shape):
    display = InterpolationDisplay.from_estimator(pca, digits[0][:2], image_shape=image_shape)
    draw(display.figure_)
    check_redrawing(display)


def test_images_need_one_axes_and_curves_divide_theirs(pca, digits, subplots, draw):
    figure, (one, two) = subplots(2, 1, layout="constrained")
    images = InterpolationDisplay.from_estimator(pca, digits[0][:2], image_shape=(8, 8), ax=one)
    curves = InterpolationDisplay.from_estimator(pca, digits[0][:2], ax=two)
    draw(figure)
    assert images.axes_.tolist() == [one]
    assert images.figure_ is curves.figure_ is figure
    assert one.axison
    assert not two.axison
    with pytest.raises(ValueError, match="ax has been divided"):
        curves.plot(ax=two)


def test_rows_may_be_frames_or_sparse_and_the_estimator_a_search(digits):
    X = digits[0]
    frame = pd.DataFrame(X).rename(columns=str)
    search = GridSearchCV(PCA(), {"n_components": [2, 3]}, cv=2).fit(frame)
    display = InterpolationDisplay.from_estimator(search, frame[:2])
    best = search.best_estimator_
    np.testing.assert_allclose(
        display.decoded[-1], best.inverse_transform(best.transform(frame[1:2]))[0]
    )
    svd = TruncatedSVD(3, random_state=0).fit(X)
    display = InterpolationDisplay.from_estimator(svd, sparse.csr_matrix(X[:2]))
    np.testing.assert_array_equal(display.rows[[0, -1]], X[:2])


def test_a_convolutional_estimator_knows_its_images(convolutional, digits):
    display = InterpolationDisplay.from_estimator(convolutional, digits[0][:2])
    assert display.image_shape == (1, 8, 8)


@pytest.mark.parametrize("n_rows", [1, 3])
def test_a_line_has_two_ends(pca, digits, n_rows):
    with pytest.raises(ValueError, match=f"X has {n_rows} rows, but a line has two ends"):
        InterpolationDisplay.from_estimator(pca, digits[0][:n_rows])


def test_bad_input_is_an_error(pca, digits):
    with pytest.raises(ValueError, match="n_steps=1, but a line has at least its two ends"):
        InterpolationDisplay.from_estimator(pca, digits[0][:2], n_steps=1)
    with pytest.raises(ValueError, match="63 pixels, but rows have 64 features"):
        InterpolationDisplay.from_estimator(pca, digits[0][:2], image_shape=(7, 9))
    with pytest.raises(TypeError, match="Forward has no inverse_transform"):
        InterpolationDisplay.from_estimator(Forward(2).fit(digits[0]), digits[0][:2])
