"""What an image shape is read as: in numbers, in words, and where numbers are not enough."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skae.nn import ChannelsLast, MapShape, read_image_shape

SIDES = st.integers(1, 40)


@pytest.mark.parametrize(
    ("image_shape", "expected"),
    [
        ((50,), MapShape(1, 1, 50)),
        ((28, 28), MapShape(1, 28, 28)),
        ((2, 50), MapShape(2, 1, 50)),
        ((50, 2), ChannelsLast(1, 50, 2)),
        ((1, 50), MapShape(1, 1, 50)),
        ((50, 1), MapShape(1, 50, 1)),
        ((4, 32), MapShape(4, 1, 32)),
        ((4, 31), MapShape(1, 4, 31)),
        ((12, 90), MapShape(1, 12, 90)),
        ({"height": 2, "width": 50}, MapShape(1, 2, 50)),
        ({"channels": 12, "length": 1000}, MapShape(12, 1, 1000)),
        ((1, 1, 50), MapShape(1, 1, 50)),
        ((2, 1, 50), MapShape(2, 1, 50)),
        ((1, 28, 28), MapShape(1, 28, 28)),
        ((3, 32, 32), MapShape(3, 32, 32)),
        ((3, 4, 4), MapShape(3, 4, 4)),
        ((16, 7, 7), MapShape(16, 7, 7)),
        ((1, 9, 1), MapShape(1, 9, 1)),
        ((28, 28, 1), ChannelsLast(28, 28, 1)),
        ((16, 16, 3), ChannelsLast(16, 16, 3)),
        ((16, 16, 4), ChannelsLast(16, 16, 4)),
        ((5, 90, 3), ChannelsLast(5, 90, 3)),
        ((9, 4, 3), ChannelsLast(9, 4, 3)),
        ((28, 1, 1), ChannelsLast(28, 1, 1)),
        ({"channels": 28, "height": 28, "width": 1}, MapShape(28, 28, 1)),
        ({"height": 3, "width": 8, "channels": 3}, ChannelsLast(3, 8, 3)),
        ({"channels": 3, "height": 8, "width": 3}, MapShape(3, 8, 3)),
        ({"height": 8, "width": 8}, MapShape(1, 8, 8)),
        ({"length": 50}, MapShape(1, 1, 50)),
        ({"channels": 2, "length": 50}, MapShape(2, 1, 50)),
        ({"length": 50, "channels": 2}, ChannelsLast(1, 50, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_a_shape_is_read_in_the_order_of_the_values_of_a_row(image_shape, expected, kind):
    found = read_image_shape(image_shape if isinstance(image_shape, dict) else kind(image_shape))
    assert type(found) is type(expected)
    assert found == expected
    assert all(type(number) is int for number in found)


@pytest.mark.parametrize(
    "image_shape",
    [
        (3, 8, 3),
        (4, 10, 3),
        (3, 3, 3),
        (4, 4, 4),
        (2, 50, 1),  # two channels of a series, or two lines of grey?
        (3, 8, 1),
        (1, 50, 3),  # a column three pixels wide, or a line in color?
        (64, 3, 3),  # the map of a convolution, or a column?
        (64, 64, 2),  # pixels with two numbers each, such as their movement?
    ],
    ids=str,
)
def test_a_shape_that_may_be_meant_in_two_ways_is_an_error_with_both(image_shape):
    with pytest.raises(ValueError, match="may be meant in two ways") as error:
        read_image_shape(image_shape)
    assert repr(image_shape) in str(error.value)
    written = re.findall(r"{.*?}", str(error.value))
    first, last = (read_image_shape(eval(words)) for words in written)
    assert first == MapShape(*image_shape)
    assert last == ChannelsLast(*image_shape)
    assert type(first) is not type(last)


@pytest.mark.parametrize("image_shape", [(12, 1000), (1000, 12), (5, 40)])
def test_a_long_image_or_a_series_is_an_error_with_both(image_shape):
    with pytest.raises(ValueError, match="may be meant in two ways") as error:
        read_image_shape(image_shape)
    series, image = (
        read_image_shape(eval(words)) for words in re.findall("{.*?}", str(error.value))
    )
    assert image == MapShape(1, *image_shape)
    assert series.channels == min(image_shape)
    assert series.height == 1


@given(SIDES, SIDES, st.sampled_from([1, 3, 4]))
def test_no_image_with_its_channels_last_is_taken_for_another_in_silence(height, width, channels):
    if height > channels:
        try:
            found = read_image_shape((height, width, channels))
        except ValueError:
            return
        assert isinstance(found, ChannelsLast)


@given(st.sampled_from([MapShape, ChannelsLast]), SIDES, SIDES, SIDES)
def test_what_was_read_is_read_again_as_the_same(kind, channels, height, width):
    shape = kind(channels=channels, height=height, width=width)
    for again in (shape, shape._asdict(), pickle.loads(pickle.dumps(shape)), copy.deepcopy(shape)):
        found = read_image_shape(again)
        assert (type(found), found) == (kind, shape)


@given(SIDES, SIDES, SIDES)
def test_the_columns_of_channels_last_are_those_of_a_transpose(height, width, channels):
    shape = ChannelsLast(height, width, channels)
    row = torch.randn(math.prod(shape), generator=torch.Generator().manual_seed(0))
    expected = row.numpy().reshape(shape).transpose(2, 0, 1).ravel()
    np.testing.assert_array_equal(row[shape.columns], expected)
    assert shape.map_shape.channels_last == shape
    assert shape.map_shape.map_shape == shape.map_shape
    assert shape.channels_last == shape


@pytest.mark.parametrize(
    ("image_shape", "message"),
    [
        ((), "has 0 numbers"),
        ((1, 1, 8, 8), "has 4 numbers"),
        ((8, 8.0), r"positive integers; got 8.0 in \(8, 8.0\)"),
        ((8, -8), "positive integers; got -8"),
        (("8", "8"), "positive integers; got '8'"),
        ("8x8", r"'8x8' is no shape: an image has a \(height, width\)"),
        (64, "64 is no shape"),
        ({"channels": 3, "height": 0, "width": 8}, "positive integers; got 0"),
        ({"width": 8, "height": 8}, r"keys \['width', 'height'\]; expected one of \['length'\]"),
        ({"colors": 3, "height": 8, "width": 8}, r"in the order of the values of a row"),
    ],
)
def test_what_is_no_shape_is_an_error_that_says_what_one_is(image_shape, message):
    with pytest.raises(ValueError, match=message):
        read_image_shape(image_shape)
