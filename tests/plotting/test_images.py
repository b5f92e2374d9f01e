"""Rows as images, and mosaics of them: every tile against its image."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import pyplot as plt
from matplotlib.image import AxesImage
from matplotlib.offsetbox import OffsetImage

from skae import ConvolutionalAutoencoderTransformer
from skae.plotting import (
    ClusterDisplay,
    FeatureMapsDisplay,
    InterpolationDisplay,
    LatentSpaceDisplay,
    ManifoldDisplay,
    ReconstructionDisplay,
    WeightsDisplay,
)
from skae.plotting._images import (
    as_images,
    centers,
    check_image_shape,
    gap_between,
    mosaic,
    need_image_shape,
    pixels,
    show,
    stick,
    value_range,
)

SIDES = st.integers(1, 5)


@st.composite
def some_images(draw):
    channels = draw(st.sampled_from([(), (3,)]))
    shape = draw(st.tuples(st.integers(1, 9), SIDES, SIDES))
    return draw(arrays(float, shape + channels, elements=st.floats(-9, 9)))


# Rows as images


@given(
    st.sampled_from([None, 1, 3]),
    SIDES,
    st.integers(5, 9),
    st.sampled_from([tuple, list, np.array]),
)
def test_a_shape_that_fits_is_channels_height_and_width(channels, height, width, kind):
    given_shape = (height, width) if channels is None else (channels, height, width)
    n_features = math.prod(given_shape)
    expected = channels or 1, height, width
    found = check_image_shape(kind(given_shape), n_features)
    assert found == expected
    assert all(type(n) is int for n in found)
    with pytest.raises(ValueError, match=f"{n_features} pixels, but rows have {n_features + 1}"):
        check_image_shape(given_shape, n_features + 1)


def test_rows_without_a_shape_are_no_images():
    assert check_image_shape(None, 12) is None
    with pytest.raises(ValueError, match=r"Some draws rows as images: set image_shape=.*Or so\."):
        need_image_shape(None, "Some", "Or so.")
    need_image_shape((1, 2, 3), "Some", "Or so.")


@pytest.mark.parametrize(
    "image_shape", [64, (8.0, 8), (8, -8), (0, 8), (1, 1, 8, 8), "8x8", ("8", "8"), ()]
)
def test_what_is_no_shape_is_an_error_that_says_what_one_is(image_shape):
    with pytest.raises(ValueError, match=r"\(height, width\) or a \(channels, height, width\)"):
        check_image_shape(image_shape, 64)


def test_two_channels_are_no_colors():
    with pytest.raises(ValueError, match=r"2 channels; drawn are images of one channel or of 3"):
        check_image_shape((2, 4, 8), 64)


@pytest.mark.parametrize("image_shape", [(2, 4, 8), {"height": 4, "width": 8, "channels": 2}])
def test_two_channels_are_no_colors_in_any_order(image_shape):
    with pytest.raises(ValueError, match="2 channels"):
        check_image_shape(image_shape, 64)


@given(st.sampled_from([1, 3, 4]), SIDES, SIDES, st.integers(1, 4))
def test_pixels_of_rows_lie_channel_by_channel_and_line_by_line(channels, height, width, n):
    rows = np.random.RandomState(0).normal(size=(n, channels * height * width))
    images = as_images(rows, {"channels": channels, "height": height, "width": width})
    for i, c, h, w in np.ndindex(n, channels, height, width):
        value = rows[i, c * height * width + h * width + w]
        assert (images[i, h, w] if channels == 1 else images[i, h, w, c]) == value


@given(st.sampled_from([1, 3, 4]), SIDES, SIDES, st.integers(1, 4))
def test_pixels_with_their_channels_together_are_the_images_as_they_were(
    channels, height, width, n
):
    images = np.random.RandomState(0).normal(size=(n, height, width, channels))
    shape = {"height": height, "width": width, "channels": channels}
    found = as_images(images.reshape(n, -1), shape)
    np.testing.assert_array_equal(found, images[..., 0] if channels == 1 else images)


def test_a_fourth_channel_is_opacity():
    image = np.random.RandomState(0).uniform(size=(2, 3, 4))
    np.testing.assert_array_equal(pixels(image, (0.0, 1.0)), image)
    image[0, 0] = np.nan  # between the images of a mosaic
    np.testing.assert_array_equal(pixels(image, (0.0, 1.0))[0, 0], np.zeros(4))


def drawn(display):
    """Return the pixels of all images in the figure of a display, thumbnails among them."""
    found = []
    for artist in display.figure_.findobj(lambda artist: isinstance(artist, AxesImage)):
        found.append(np.ma.filled(artist.get_array(), np.nan))
    for artist in display.figure_.findobj(lambda artist: isinstance(artist, OffsetImage)):
        found.append(np.ma.filled(artist.get_data(), np.nan))
    return found


DISPLAYS = {
    "reconstruction": lambda model, X, shape: ReconstructionDisplay.from_estimator(
        model, X, image_shape=shape
    ),
    "given": lambda model, X, shape: ReconstructionDisplay.from_predictions(
        X, X[::-1], image_shape=shape or model.image_shape_
    ),
    "interpolation": lambda model, X, shape: InterpolationDisplay.from_estimator(
        model, X[:2], image_shape=shape
    ),
    "manifold": lambda model, X, shape: ManifoldDisplay.from_estimator(
        model, X, n_points=3, image_shape=shape
    ),
    "weights": lambda model, X, shape: WeightsDisplay.from_estimator(model, image_shape=shape),
    "components": lambda model, X, shape: WeightsDisplay(
        X, np.arange(len(X)), image_shape=shape or model.image_shape_
    ).plot(),
    "feature maps": lambda model, X, shape: FeatureMapsDisplay.from_estimator(
        model, X[:2], image_shape=shape
    ),
    "thumbnails": lambda model, X, shape: LatentSpaceDisplay.from_estimator(
        model, X, thumbnails=5, image_shape=shape
    ),
    "clusters": lambda model, X, shape: ClusterDisplay.from_estimator(
        model, X, n_clusters=2, n_leaves=5, image_shape=shape
    ),
}


@pytest.fixture(scope="module")
def orders():
    """Models of the same images with channels last and first, these as rows, and their shapes."""
    images = np.random.RandomState(0).uniform(size=(30, 6, 5, 3))
    found = []
    for shape, X in (((6, 5, 3), images), ((3, 6, 5), np.moveaxis(images, -1, 1))):
        model = ConvolutionalAutoencoderTransformer(
            2, image_shape=shape, channels=4, max_iter=2, early_stopping=False, random_state=0
        )
        rows = X.reshape(30, -1)
        found.append((model.fit(rows), rows, shape))
    return found


@pytest.mark.parametrize("told", [False, True], ids=["shape of the estimator", "shape given"])
@pytest.mark.parametrize("name", DISPLAYS)
def test_channels_last_are_drawn_as_channels_first(orders, name, told):
    last, first = (
        drawn(DISPLAYS[name](model, X, shape if told else None)) for model, X, shape in orders
    )
    assert len(last) == len(first) > 0
    for image, expected in zip(last, first, strict=True):
        np.testing.assert_array_equal(image, expected)


def test_a_display_that_is_made_by_hand_takes_any_shape():
    images = np.random.RandomState(0).uniform(size=(2, 5, 4, 3))
    display = InterpolationDisplay(*2 * [images.reshape(2, -1)], image_shape=(5, 4, 3)).plot()
    left = display.axes_[0].images[0].get_array()[:5, :4, :3]
    low, high = images.min(), images.max()
    np.testing.assert_allclose(left, (images[0] - low) / (high - low))


# Mosaics


@given(some_images(), st.integers(1, 6), st.integers(0, 3))
def test_every_tile_of_a_mosaic_is_its_image_and_all_else_is_missing(images, n_columns, gap):
    before = images.copy()
    canvas = mosaic(images, n_columns, gap)
    height, width = images.shape[1:3]
    n_lines = -(-len(images) // n_columns)
    assert canvas.shape[0] == n_lines * height + (n_lines - 1) * gap
    assert canvas.shape[1] == n_columns * width + (n_columns - 1) * gap
    for i, image in enumerate(images):
        line, column = divmod(i, n_columns)
        down, right = line * height + line * gap, column * width + column * gap
        np.testing.assert_array_equal(canvas[down : down + height, right : right + width], image)
        canvas[down : down + height, right : right + width] = np.nan
    assert np.isnan(canvas).all()
    np.testing.assert_array_equal(images, before)


@given(st.integers(1, 9), SIDES, st.integers(0, 3))
def test_the_center_of_a_tile_is_the_mean_of_its_pixels(n_images, size, gap):
    numbers = np.arange(n_images)[:, None, None] * np.ones((n_images, 1, size))
    line = mosaic(numbers, n_images, gap)[0]
    expected = [np.flatnonzero(line == i).mean() for i in range(n_images)]
    np.testing.assert_allclose(centers(n_images, size, gap), expected)


@pytest.mark.parametrize(("size", "gap"), [((1, 64), 1), ((8, 8), 1), ((28, 40), 2), ((96, 64), 5)])
def test_the_gap_grows_with_the_smaller_side(size, gap):
    assert gap_between(np.zeros((2, *size))) == gap
    assert gap_between(np.zeros((2, *size, 3))) == gap


# Colors


def test_the_range_of_values_leaves_out_what_is_missing():
    assert value_range(np.array([[3.0, np.nan], [-1.0, 2.0]])) == (-1.0, 3.0)


@pytest.mark.parametrize("rows", [np.full((2, 2), 7.0), np.full((2, 2), np.nan)])
def test_the_range_of_values_is_never_empty(rows):
    low, high = value_range(rows)
    assert low < high
    assert np.isnan(rows).all() or low < 7 < high


def test_pixels_without_color_stay_numbers_and_missing_ones_are_masked():
    canvas = np.array([[1.0, np.nan], [3.0, 4.0]])
    shown = pixels(canvas, (1.0, 4.0))
    np.testing.assert_array_equal(shown.mask, np.isnan(canvas))
    np.testing.assert_array_equal(shown.filled(np.nan), canvas)


@given(arrays(float, (2, 3, 3), elements=st.one_of(st.floats(-3, 5), st.just(np.nan))))
def test_pixels_in_color_are_shares_of_the_range_and_missing_ones_are_transparent(canvas):
    shown = pixels(canvas, (-2.0, 2.0))
    assert shown.shape == (2, 3, 4)
    missing = np.isnan(canvas).any(axis=-1)
    np.testing.assert_array_equal(shown[..., 3], ~missing)
    expected = np.clip((canvas[~missing] + 2) / 4, 0, 1)
    np.testing.assert_allclose(shown[~missing][:, :3], expected)
    assert (shown[missing] == 0).all()


# Drawing


def test_an_image_is_shown_in_its_range_without_ticks(subplots, draw):
    figure, ax = subplots()
    shown = show(ax, np.array([[0.0, np.nan], [2.0, 3.0]]), limits=(-1, 4), cmap="magma")
    draw(figure)
    assert shown.get_clim() == (-1, 4)
    assert shown.get_cmap().name == "magma"
    assert shown.get_interpolation() == "nearest"
    assert not len(ax.get_xticks())
    assert not len(ax.get_yticks())
    assert not any(spine.get_visible() for spine in ax.spines.values())


def test_an_image_with_an_extent_keeps_its_ticks(subplots):
    _, ax = subplots()
    shown = show(ax, np.eye(2), limits=(0, 1), cmap="gray", extent=(-3, 3, 0, 6))
    assert list(shown.get_extent()) == [-3, 3, 0, 6]
    assert len(ax.get_xticks()) > 1


@pytest.mark.parametrize("hang", [False, True])
def test_a_stuck_image_is_as_wide_as_asked_and_lies_at_its_point(subplots, hang):
    figure, ax = subplots(dpi=200)
    ax.set(xlim=(0, 4), ylim=(0, 4))
    image = np.arange(12.0).reshape(3, 4)
    box = stick(
        ax, image, (1, 3), limits=(0, 11), cmap="gray", width=36, color="#bd1f01", hang=hang
    )
    figure.savefig(io.BytesIO())
    place = box.offsetbox.get_window_extent()
    assert place.width == pytest.approx(36 / 72 * 200, abs=1)
    assert place.height == pytest.approx(0.75 * place.width, abs=1)
    x, y = ax.transData.transform((1, 3))
    assert (place.x0 + place.x1) / 2 == pytest.approx(x, abs=1)
    if hang:
        assert place.y1 == pytest.approx(y, abs=1)
    else:
        assert (place.y0 + place.y1) / 2 == pytest.approx(y, abs=1)
    assert box.patch.get_edgecolor() == plt.matplotlib.colors.to_rgba("#bd1f01")
    np.testing.assert_array_equal(box.offsetbox.get_data(), image)


def test_a_stuck_image_without_a_color_has_no_frame(subplots, draw):
    figure, ax = subplots()
    box = stick(ax, np.ones((2, 2, 3)), (0.5, 0.5), limits=(0, 1), cmap=None, width=20)
    draw(figure)
    assert not box.patch.get_visible()
    assert box.offsetbox.get_data().shape == (2, 2, 4)
