"""FeatureMapsDisplay: maps against the layers of the encoder applied by hand."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from skae import ConvolutionalAutoencoderTransformer
from skae.plotting import FeatureMapsDisplay

# How many modules of the encoder's nonlinear path lead to the maps of each convolution: one that
# makes images of rows, convolutions with their activation, and a pooling after the second.
N_APPLIED = {0: 3, 1: 5}


def maps_by_hand(autoencoder, X, layer):
    encoder = autoencoder.module_.encoder
    with torch.no_grad():
        maps = encoder.standardize(torch.as_tensor(X, dtype=torch.float32))
        for module in encoder.body.correction[: N_APPLIED[layer]]:
            maps = module(maps)
    return maps.double().numpy()


def test_the_modules_are_those_that_the_tests_believe_in(convolutional):
    kinds = [type(module) for module in convolutional.module_.encoder.body.correction]
    assert issubclass(kinds[1], nn.Conv2d)
    assert issubclass(kinds[3], nn.Conv2d)
    assert kinds[5] is nn.MaxPool2d


@pytest.mark.parametrize("layer", [0, 1])
def test_maps_are_what_the_layers_make_of_the_images(convolutional, digits, tiles, draw, layer):
    X = digits[0][:3]
    display = FeatureMapsDisplay.from_estimator(convolutional, X, layer=layer)
    draw(display.figure_)
    expected = maps_by_hand(convolutional, X, layer)
    n_maps = [3, 6][layer]
    assert expected.shape == (3, n_maps, 8, 8)
    np.testing.assert_allclose(display.maps, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(display.filters, np.arange(n_maps))

    assert display.axes_.shape == (3, 2)
    assert len(display.figure_.axes) == 3 * 2 + 1  # and the scale of the colors
    lines, columns = (1, 3) if n_maps == 3 else (2, 3)
    for image, maps, (left, right) in zip(X, display.maps, display.axes_, strict=True):
        np.testing.assert_array_equal(left.images[0].get_array(), image.reshape(8, 8))
        assert left.images[0].get_clim() == (X.min(), X.max())
        found = tiles(right.images[0], lines, columns, (8, 8))
        np.testing.assert_array_equal(found.reshape(-1, 8, 8), maps)
        assert right.images[0].get_clim() == (display.maps.min(), display.maps.max())
    assert display.axes_[0, 1].get_title() == f"{n_maps} maps of convolution {layer}"
    assert display.axes_[0, 0].get_title() == "image"


def test_without_room_for_all_the_maps_that_vary_most_are_shown(convolutional, digits, tiles):
    X = digits[0][:5]
    display = FeatureMapsDisplay.from_estimator(convolutional, X, layer=1, n_maps=5)
    maps = maps_by_hand(convolutional, X, 1)
    variances = maps.transpose(1, 0, 2, 3).reshape(6, -1).var(axis=1)
    expected = [i for i in range(6) if i != variances.argmin()]
    np.testing.assert_array_equal(display.filters, expected)
    found = tiles(display.axes_[2, 1].images[0], 2, 3, (8, 8))
    np.testing.assert_allclose(found[1, 1], maps[2, expected[4]], rtol=1e-5, atol=1e-6)
    assert np.isnan(found[1, 2]).all()  # no sixth one


def test_after_a_pipeline_the_images_are_the_rows_given_and_the_maps_those_of_its_end(digits):
    X = digits[0]
    autoencoder = ConvolutionalAutoencoderTransformer(
        2, channels=(3, 6), pool_size=(1, 2), max_iter=1, early_stopping=False, random_state=0
    )
    pipeline = make_pipeline(MinMaxScaler(), autoencoder).fit(X)
    display = FeatureMapsDisplay.from_estimator(pipeline, X[:2])
    np.testing.assert_array_equal(display.inputs, X[:2])
    expected = maps_by_hand(pipeline[-1], pipeline[0].transform(X[:2]), 0)
    np.testing.assert_allclose(display.maps, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("image_shape", [(3, 4, 6), (1, 8, 9), (2, 4, 9)])
def test_images_in_color_and_of_any_proportions_have_maps(image_shape, tiles, draw):
    X = np.random.RandomState(0).uniform(size=(60, 72))
    autoencoder = ConvolutionalAutoencoderTransformer(
        2, image_shape=image_shape, channels=2, max_iter=1, early_stopping=False, random_state=0
    ).fit(X)
    shown_as = (8, 9) if image_shape[0] == 2 else None  # two channels are no colors
    display = FeatureMapsDisplay.from_estimator(autoencoder, X[:1], image_shape=shown_as)
    draw(display.figure_)
    assert display.maps.shape == (1, 2, *image_shape[1:])
    found = tiles(display.axes_[0, 1].images[0], 1, 2, image_shape[1:])
    np.testing.assert_array_equal(found[0], display.maps[0])
    shown = display.axes_[0, 0].images[0].get_array()
    if image_shape[0] == 3:
        expected = np.moveaxis(X[0].reshape(image_shape), 0, -1)
        low, high = X[0].min(), X[0].max()
        np.testing.assert_allclose(shown[..., :3], (expected - low) / (high - low))
    else:
        np.testing.assert_array_equal(shown, X[0].reshape(8, 9))


def test_drawing_again_gives_the_same(convolutional, digits, check_redrawing):
    display = FeatureMapsDisplay.from_estimator(convolutional, digits[0][:2])
    check_redrawing(display)
    display.plot(cmap="magma", image_cmap="bone")
    left, right = display.axes_[1]
    assert left.images[0].get_cmap().name == "bone"
    assert right.images[0].get_cmap().name == "magma"


def test_axes_that_are_given_are_divided(convolutional, digits, subplots, draw):
    figure, (one, two) = subplots(1, 2, layout="constrained", figsize=(12, 4))
    display = FeatureMapsDisplay.from_estimator(convolutional, digits[0][:1], ax=one)
    draw(figure)
    assert display.figure_ is figure
    assert not one.axison
    assert two.axison
    with pytest.raises(ValueError, match="ax has been divided"):
        display.plot(ax=one)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layer": 2}, "layer=2, but the encoder has 2 convolutions, counted from 0"),
        ({"n_maps": 0}, "n_maps=0, but at least one map is to be shown"),
        ({"image_shape": (8, 9)}, "72 pixels, but rows have 64 features"),
    ],
)
def test_a_bad_parameter_is_an_error(convolutional, digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        FeatureMapsDisplay.from_estimator(convolutional, digits[0][:1], **parameters)


def test_ten_images_are_the_most(convolutional, digits):
    assert len(FeatureMapsDisplay.from_estimator(convolutional, digits[0][:10]).axes_) == 10
    with pytest.raises(ValueError, match=r"X has 11 rows, .*choose some, X\[:10\]"):
        FeatureMapsDisplay.from_estimator(convolutional, digits[0][:11])


def test_what_has_no_convolution_is_an_error(autoencoder, pca, digits):
    X = digits[0][:2]
    with pytest.raises(TypeError, match="no convolution, and so no feature maps; WeightsDisplay"):
        FeatureMapsDisplay.from_estimator(autoencoder, X, image_shape=(8, 8))
    with pytest.raises(TypeError, match="PCA has no module_"):
        FeatureMapsDisplay.from_estimator(pca, X, image_shape=(8, 8))
    with pytest.raises(ValueError, match="Only images have feature maps"):
        FeatureMapsDisplay.from_estimator(autoencoder, X)
