"""WeightsDisplay: the components of PCA, the layers of networks, and one scale for all."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import NMF, PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import ConvolutionalAutoencoderTransformer
from skae.plotting import WeightsDisplay


def grid_of(display, height, width):
    """Return lines and columns of the mosaic that is shown."""
    shape = display.ax_.images[0].get_array().shape
    gap = max(1, round(0.08 * min(height, width)))
    return (shape[0] + gap) // (height + gap), (shape[1] + gap) // (width + gap)


# Images


@pytest.mark.parametrize("image_shape", [(8, 8), (4, 16), (16, 4)])
def test_tiles_are_the_components_of_pca_in_their_order(pca, image_shape, tiles, draw):
    display = WeightsDisplay.from_estimator(pca, image_shape=image_shape)
    draw(display.figure_)
    n_lines, n_columns = grid_of(display, *image_shape)
    (shown,) = display.ax_.images
    found = tiles(shown, n_lines, n_columns, image_shape).reshape(-1, 64)
    np.testing.assert_array_equal(found[:5], pca.components_)
    assert np.isnan(found[5:]).all()
    assert len(found) - 5 < n_columns
    np.testing.assert_array_equal(display.units, np.arange(5))


def test_zero_is_in_the_middle_of_the_colors_and_few_weights_are_beyond(digits):
    display = WeightsDisplay.from_estimator(PCA(30).fit(digits[0]), image_shape=(8, 8))
    low, high = display.ax_.images[0].get_clim()
    assert low == -high == -display.limit_
    beyond = (np.abs(display.weights) > display.limit_).mean()
    assert beyond == pytest.approx(0.01, abs=0.001)
    bar = display.figure_.axes[1]
    assert bar.get_ylim() == (low, high)
    assert bar.get_ylabel() == "weight"


def test_without_a_color_bar_there_is_one_axes(pca):
    display = WeightsDisplay.from_estimator(pca, image_shape=(8, 8), colorbar=False)
    assert display.figure_.axes == [display.ax_]


def test_channels_are_side_by_side_as_a_weight_is_no_color(tiles, draw):
    X = np.random.RandomState(0).uniform(size=(40, 3 * 2 * 4))
    pca = PCA(6).fit(X)
    display = WeightsDisplay.from_estimator(pca, image_shape=(3, 2, 4))
    draw(display.figure_)
    n_lines, n_columns = grid_of(display, 2, 12)
    found = tiles(display.ax_.images[0], n_lines, n_columns, (2, 12)).reshape(-1, 2, 12)
    for image, component in zip(found, pca.components_, strict=False):
        red, green, blue = component.reshape(3, 2, 4)
        np.testing.assert_array_equal(image, np.hstack([red, green, blue]))


@pytest.mark.parametrize("n_units", [1, 2, 3, 64])
def test_any_number_of_units_is_drawn(digits, n_units, draw):
    pca = PCA(n_units).fit(digits[0])
    display = WeightsDisplay.from_estimator(pca, image_shape=(8, 8))
    draw(display.figure_)
    n_lines, n_columns = grid_of(display, 8, 8)
    assert n_lines * n_columns >= n_units > (n_lines - 1) * n_columns


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_of_more_units_those_with_the_largest_weights_are_shown_in_the_order_of_the_layer(
    digits, scale
):
    pca = PCA(4).fit(digits[0])
    pca.components_ = pca.components_ * scale * np.array([[2], [5], [1], [3]])
    display = WeightsDisplay.from_estimator(pca, n_units=2)
    np.testing.assert_array_equal(display.units, [1, 3])
    np.testing.assert_array_equal(display.weights, pca.components_[[1, 3]])


def test_of_components_of_equal_norm_the_first_are_shown(digits):
    display = WeightsDisplay.from_estimator(PCA(20).fit(digits[0]), n_units=7)
    np.testing.assert_array_equal(display.units, np.arange(7))


def test_weights_that_are_all_zero_are_drawn(digits, draw):
    pca = PCA(2).fit(digits[0])
    pca.components_ = np.zeros_like(pca.components_)
    display = WeightsDisplay.from_estimator(pca, image_shape=(8, 8))
    draw(display.figure_)
    assert display.limit_ == 1


# A table


def test_weights_of_other_features_are_a_table(pca, draw):
    display = WeightsDisplay.from_estimator(pca)
    draw(display.figure_)
    (shown,) = display.ax_.images
    np.testing.assert_array_equal(shown.get_array(), pca.components_)
    assert shown.get_clim() == (-display.limit_, display.limit_)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == list("01234")
    assert display.ax_.get_xlabel() == "feature"
    assert display.ax_.get_ylabel() == "unit"


def test_a_table_of_some_units_has_their_numbers(digits):
    pca = PCA(4).fit(digits[0])
    pca.components_ = pca.components_ * np.array([[1], [5], [1], [3]])
    display = WeightsDisplay.from_estimator(pca, n_units=2)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["1", "3"]


@pytest.mark.parametrize(("n_features", "is_named"), [(40, True), (41, False)])
def test_up_to_forty_features_have_their_names(digits, n_features, is_named, draw):
    names = ["$a$", "$\\frac$", *(f"f{i}" for i in range(2, n_features))]
    frame = pd.DataFrame(digits[0][:, :n_features], columns=names)
    display = WeightsDisplay.from_estimator(PCA(3).fit(frame))
    draw(display.figure_)
    texts = [label.get_text() for label in display.ax_.get_xticklabels()]
    if is_named:
        assert texts[:3] == [r"\$a\$", r"\$\frac\$", "f2"]
        assert len(texts) == 40
    else:
        assert "f2" not in texts
        assert display.ax_.get_xlabel() == "feature"


# Estimators


def test_the_first_layer_of_an_autoencoder_is_shown(autoencoder, tiles, draw):
    display = WeightsDisplay.from_estimator(autoencoder, image_shape=(8, 8))
    draw(display.figure_)
    layer = autoencoder.module_.encoder.body.correction[0]
    expected = layer.weight.detach().numpy()
    n_lines, n_columns = grid_of(display, 8, 8)
    found = tiles(display.ax_.images[0], n_lines, n_columns, (8, 8)).reshape(-1, 64)
    np.testing.assert_array_equal(found[:8], expected)


def test_filters_of_a_convolution_are_images_with_their_channels_side_by_side(tiles, draw):
    X = np.random.RandomState(0).uniform(size=(40, 48))
    autoencoder = ConvolutionalAutoencoderTransformer(
        2, image_shape=(3, 4, 4), channels=5, max_iter=1, early_stopping=False, random_state=0
    ).fit(X)
    # The shape of the images is not that of the filters.
    display = WeightsDisplay.from_estimator(autoencoder, image_shape=(3, 4, 4))
    draw(display.figure_)
    filters = autoencoder.module_.encoder.body.correction[1].weight.detach().numpy()
    assert filters.shape == (5, 3, 3, 3)
    assert display.units.tolist() == [0, 1, 2, 3, 4]
    n_lines, n_columns = grid_of(display, 3, 9)
    found = tiles(display.ax_.images[0], n_lines, n_columns, (3, 9)).reshape(-1, 3, 9)
    for number, image in enumerate(found[:5]):
        np.testing.assert_array_equal(image, np.concatenate(list(filters[number]), axis=1))


def test_pipelines_and_searches_are_looked_into(digits):
    X, _ = digits
    pipeline = make_pipeline(StandardScaler(), PCA(3))
    search = GridSearchCV(pipeline, {"pca__n_components": [2]}, cv=2).fit(X)
    display = WeightsDisplay.from_estimator(search)
    np.testing.assert_array_equal(display.weights, search.best_estimator_[-1].components_)
    nmf = make_pipeline(MinMaxScaler(), NMF(2, init="nndsvda", tol=0.1, random_state=0)).fit(X)
    display = WeightsDisplay.from_estimator(nmf)
    np.testing.assert_array_equal(display.weights, nmf[-1].components_)


# Drawing


@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_drawing_again_gives_the_same(pca, image_shape, check_redrawing):
    display = WeightsDisplay.from_estimator(pca, image_shape=image_shape)
    before = pca.components_.copy()
    check_redrawing(display)
    np.testing.assert_array_equal(pca.components_, before)
    assert display.plot(cmap="PuOr").ax_.images[0].get_cmap().name == "PuOr"


def test_axes_that_are_given_are_drawn_in(pca, subplots, draw):
    figure, axes = subplots(1, 2, layout="constrained")
    images = WeightsDisplay.from_estimator(pca, image_shape=(8, 8), ax=axes[0])
    table = WeightsDisplay.from_estimator(pca, ax=axes[1], colorbar=False)
    draw(figure)
    assert [images.ax_, table.ax_] == axes.tolist()
    assert images.figure_ is table.figure_ is figure
    assert len(figure.axes) == 3


def test_bad_input_is_an_error(pca, digits):
    with pytest.raises(ValueError, match="n_units=0, but at least one unit is to be shown"):
        WeightsDisplay.from_estimator(pca, n_units=0)
    with pytest.raises(ValueError, match="81 pixels, but rows have 64 features"):
        WeightsDisplay.from_estimator(pca, image_shape=(9, 9))
    with pytest.raises(TypeError, match="StandardScaler has neither a network"):
        WeightsDisplay.from_estimator(StandardScaler().fit(digits[0]))
