"""How a row is read as an image: the one place that knows what an `image_shape` means."""

import math
from collections.abc import Mapping
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor


class MapShape(NamedTuple):
    """Of an image, or of what a level makes of it: all of the first channel, then the second."""

    channels: int
    height: int
    width: int

    @property
    def map_shape(self) -> "MapShape":
        """Itself."""
        return self

    @property
    def channels_last(self) -> "ChannelsLast":
        """The same image with its channels last."""
        return ChannelsLast(self.height, self.width, self.channels)


class ChannelsLast(NamedTuple):
    """Of an image whose values are in the order of its pixels, all channels of each together."""

    height: int
    width: int
    channels: int

    @property
    def map_shape(self) -> MapShape:
        """The same image with its channels first."""
        return MapShape(self.channels, self.height, self.width)

    @property
    def channels_last(self) -> "ChannelsLast":
        """Itself."""
        return self

    @property
    def columns(self) -> Tensor:
        """Which values of a row come first, second, and so on with the channels first."""
        return torch.arange(math.prod(self)).reshape(tuple(self)).movedim(-1, 0).flatten()


# What a shape may be made of, in the order of the values of a row.
_READINGS: dict[tuple[str, ...], type[MapShape] | type[ChannelsLast]] = {
    ("length",): MapShape,
    ("height", "width"): MapShape,
    ("channels", "length"): MapShape,
    ("channels", "height", "width"): MapShape,
    ("length", "channels"): ChannelsLast,
    ("height", "width", "channels"): ChannelsLast,
}

_COLORS = 1, 3, 4  # channels of images in grey, in color, and in color with opacity
_MOST_COLORS = max(_COLORS)
_LONG = 8  # an image this many times as wide as high, or as high as wide, is a series, if anything
_ELONGATED = 4  # an image this many times as high as wide, and 4 pixels wide at most, is unlikely

_SHAPES = (
    "an image has a (height, width) or a (channels, height, width), or (height, width, channels) "
    "if its pixels have 1, 3 or 4 of them, and a series a (length,), or a (channels, length) or "
    "(length, channels) of 2 to 4 channels. A dictionary says it in words, in the order of the "
    "values of a row: {'channels': 12, 'length': 50}, for example"
)


def read_image_shape(image_shape) -> MapShape | ChannelsLast:
    """Return what a shape stands for, with the order of the values of a row in its type.

    Parameters
    ----------
    image_shape : array-like of int, or dict of str to int
        (length,), (height, width), (channels, length) or (length, channels) of a series of few
        channels, (channels, height, width) or (height, width, channels). A dictionary, or a tuple
        with names, as this function returns one, is read by its names.

    Raises
    ------
    ValueError
        If it is none of these, or if numbers may be meant in two ways.
    """
    if isinstance(image_shape, MapShape | ChannelsLast):
        image_shape = image_shape._asdict()
    if isinstance(image_shape, Mapping):
        names = tuple(image_shape)
        numbers = _positive(image_shape, tuple(image_shape.values()))
        if names not in _READINGS:
            raise ValueError(
                f"image_shape={image_shape!r} has the keys {list(names)}; expected one of "
                f"{', '.join(str(list(known)) for known in _READINGS)}, in the order of the values "
                "of a row."
            )
    else:
        numbers = _positive(image_shape, _plain(image_shape))
        names = _names_of(image_shape, numbers)
    named = {"channels": 1, "height": 1, **dict(zip(names, numbers, strict=True))}
    width = named["length" if "length" in named else "width"]
    return _READINGS[names](channels=named["channels"], height=named["height"], width=width)


def _plain(image_shape) -> tuple:
    """Return the numbers of an array-like."""
    values = image_shape.tolist() if hasattr(image_shape, "tolist") else image_shape
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ValueError(f"image_shape={image_shape!r} is no shape: {_SHAPES}.")
    return tuple(values)


def _positive(image_shape, numbers: tuple) -> tuple[int, ...]:
    for number in numbers:
        if not isinstance(number, Integral) or number < 1:
            raise ValueError(
                f"image_shape must be of positive integers; got {number!r} in {image_shape!r}: "
                f"{_SHAPES}."
            )
    return tuple(int(number) for number in numbers)


def _names_of(image_shape, numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Return what numbers without names are."""
    if len(numbers) not in (1, 2, 3):
        raise ValueError(f"image_shape={image_shape!r} has {len(numbers)} numbers; {_SHAPES}.")
    if len(numbers) == 1:
        return ("length",)
    if len(numbers) == 2:
        return _names_of_two(image_shape, numbers)
    first, last = ("channels", "height", "width"), ("height", "width", "channels")
    is_last = _channels_are_last(*numbers)
    if is_last is None:
        (c, h, w), (height, width, channels) = numbers, numbers
        raise ValueError(
            f"image_shape={image_shape!r} may be meant in two ways. Write "
            f"{dict(zip(first, numbers, strict=True))} for {c} channels of {h} by {w} pixels, one "
            f"after the other, and {dict(zip(last, numbers, strict=True))} for {height} by {width} "
            f"pixels of {channels} {'channels' if channels > 1 else 'channel'} each."
        )
    return last if is_last else first


def _names_of_two(image_shape, numbers: tuple[int, ...]) -> tuple[str, str]:
    """Return what two numbers without names are: the sides of an image, or a series' channels."""
    few, many = sorted(numbers)
    channels_first = numbers[0] == few
    series = ("channels", "length") if channels_first else ("length", "channels")
    if few == 1 or many < _LONG * few:
        return "height", "width"
    if few <= _MOST_COLORS:
        return series
    as_image = dict(zip(("height", "width"), numbers, strict=True))
    raise ValueError(
        f"image_shape={image_shape!r} may be meant in two ways. Write "
        f"{dict(zip(series, numbers, strict=True))} for a series of {few} channels, and {as_image} "
        "for an image."
    )


def _channels_are_last(first: int, middle: int, last: int) -> bool | None:
    """Return whether the last of three numbers is that of the channels, None if nobody knows."""
    if last not in _COLORS:
        # 64 by 64 pixels with 2 channels, or 64 channels of 64 by 2 pixels?
        return None if first == middle > last else False
    if first < last:  # 3 channels of 5 by 4 pixels, but 1 of 50 by 3?
        return None if middle >= _ELONGATED * last else False
    if first == last == 1:
        return False  # a line of pixels, either way
    if first <= _MOST_COLORS:
        return None
    return None if middle == last > 1 else True  # 64 channels of 3 by 3 pixels?
