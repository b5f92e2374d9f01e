"""Stacks of convolutions for rows that are images: an encoder and its mirror image."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ._image_shape import MapShape
from ._mlp import ACTIVATIONS, linear, without_start
from ._random import Dropout


class ConvolutionLevel(NamedTuple):
    """A convolution of the encoder and the pooling after it; the decoder has its mirror image."""

    n_filters: int
    kernel_size: int
    pool_size: int  # 1 is none


def convolution_levels(channels, kernel_size, pool_size) -> list[ConvolutionLevel]:
    """Return the levels from the image to the code, of the parameters of these names."""
    filters = _positive_ints("channels", channels)
    if not filters:
        raise ValueError(f"channels={channels!r} has no level; give the filters of at least one.")
    sizes = []
    for name, value in (("kernel_size", kernel_size), ("pool_size", pool_size)):
        given = _positive_ints(name, value)
        if isinstance(value, Integral):
            given *= len(filters)
        if len(given) != len(filters):
            raise ValueError(
                f"{name}={value!r} has {len(given)} numbers, but channels={channels!r} has "
                f"{len(filters)} levels. Give one number for all levels, or one for each."
            )
        sizes.append(given)
    return [ConvolutionLevel(*level) for level in zip(filters, *sizes, strict=True)]


def check_all_pixels_are_seen(
    levels: Sequence[ConvolutionLevel], pooling: str, upsampling: str
) -> None:
    """Refuse convolutions with a stride that is larger than their kernel."""
    for name, value, strides in (
        ("pooling", pooling, "stride"),
        ("upsampling", upsampling, "transposed"),
    ):
        for number, level in enumerate(levels, start=1):
            if value == strides and level.kernel_size < level.pool_size:
                raise ValueError(
                    f"{name}={value!r} with kernel_size={level.kernel_size} and "
                    f"pool_size={level.pool_size} in level {number} leaves out pixels. Take a "
                    f"kernel_size of at least the pool_size, or another {name}."
                )


def check_levels_fit(image_shape: MapShape, levels: Sequence[ConvolutionLevel], pool_size) -> None:
    """Refuse levels that pool more pixels than there are left."""
    shapes = map_shapes(image_shape, levels)
    for number, (level, shape) in enumerate(zip(levels, shapes, strict=False), start=1):
        if level.pool_size > max(shape.height, shape.width):
            raise ValueError(
                f"pool_size={pool_size!r} is {level.pool_size} in level {number}, where the image "
                f"is {shape.height} by {shape.width} pixels. Take fewer levels, or a smaller "
                "pool_size there."
            )


def _positive_ints(name: str, value) -> tuple[int, ...]:
    """Return one number or several as a tuple of ints, each at least 1."""
    numbers = (value,) if isinstance(value, Integral) else tuple(value)
    for number in numbers:
        if not isinstance(number, Integral) or number < 1:
            raise ValueError(f"{name} must be of positive integers; got {number!r} in {value!r}.")
    return tuple(int(number) for number in numbers)


# Mean or maximum of each window; the last ones may reach beyond the image.
POOLINGS: dict[str, Callable[[tuple[int, int]], nn.Module]] = {
    "max": partial(nn.MaxPool2d, ceil_mode=True),
    "average": partial(nn.AvgPool2d, ceil_mode=True, count_include_pad=False),
}

UPSAMPLINGS = ("transposed", "nearest")


class ImageBatchNorm(nn.BatchNorm2d):
    """Batch normalization that takes one image of one place, by the running statistics."""

    def forward(self, X: Tensor) -> Tensor:
        if self.training and X.numel() == X.shape[1]:
            return F.batch_norm(
                X, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(X)


# What follows a convolution with some number of filters, before its activation.
IMAGE_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": partial(ImageBatchNorm, dtype=torch.float32),
    "layer": partial(nn.GroupNorm, 1, dtype=torch.float32),
}


class Convolution(nn.Conv2d):
    """A convolution after which images are as large as before, or as large divided by the stride.

    Zeros around the image make up for the kernel; where there is an odd number of them, one more
    is on the right and below. A kernel ends where it could only meet zeros: on a map of height 1
    it is a line.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        rows, columns = _reaches(kernel_size, size, stride)
        # torch's own padding is the same on both sides; what is too much is less than a step.
        padded = rows.is_even(stride[0]) and columns.is_even(stride[1])
        super().__init__(
            in_channels,
            out_channels,
            (rows.kernel_size, columns.kernel_size),
            stride,
            (rows.before, columns.before) if padded else (0, 0),
            device=device,
            dtype=dtype,
        )
        self.margins = None if padded else (*columns[1:], *rows[1:])
        self.whole_kernel_size, self.size = kernel_size, size  # from which one like it is built
        self.out_size = _divided(size, stride)
        self.n_places = math.prod(self.out_size)

    def forward(self, X: Tensor) -> Tensor:
        return super().forward(X if self.margins is None else F.pad(X, self.margins))


class TransposedConvolution(nn.ConvTranspose2d):
    """The transpose of a `Convolution` with a stride: it makes images of that size larger.

    Zeiler et al. 2010, doi:10.1109/CVPR.2010.5539957.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        size: tuple[int, int],
        stride: tuple[int, int],
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        rows, columns = _reaches(kernel_size, size, stride)
        super().__init__(
            in_channels,
            out_channels,
            (rows.kernel_size, columns.kernel_size),
            stride,
            (rows.before, columns.before),
            (rows.before - rows.after, columns.before - columns.after),
            device=device,
            dtype=dtype,
        )
        self.whole_kernel_size, self.size = kernel_size, size  # from which one like it is built
        self.out_size = size
        self.n_places = math.prod(_divided(size, stride))


class _Reach(NamedTuple):
    """How a kernel lies along one side of an image."""

    kernel_size: int
    before: int  # zeros
    after: int  # zeros

    def is_even(self, stride: int) -> bool:
        return 0 <= self.before - self.after < stride


def _divided(size: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
    """Return height and width divided by the steps, rounded up."""
    return -(-size[0] // stride[0]), -(-size[1] // stride[1])


def _reaches(
    kernel_size: int, size: tuple[int, int], stride: tuple[int, int]
) -> tuple[_Reach, _Reach]:
    """Return how a kernel lies along height and width such that all of an image is seen."""
    return _reach(kernel_size, size[0], stride[0]), _reach(kernel_size, size[1], stride[1])


def _reach(kernel_size: int, side: int, stride: int) -> _Reach:
    last_start = (-(-side // stride) - 1) * stride  # of the window of the last place
    n_zeros = max(last_start + kernel_size - side, 0)
    before = n_zeros // 2 if stride == 1 else -(-n_zeros // 2)
    first, last = max(before - last_start, 0), min(kernel_size - 1, before + side - 1)
    kernel_size, before = last - first + 1, before - first
    return _Reach(kernel_size, before, last_start + kernel_size - before - side)


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    size: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    *,
    generator: Generator,
    transposed: bool = False,
    zero: bool = False,
) -> Convolution | TransposedConvolution:
    """Return a convolution of images of some size, or a transposed one to that size.

    It starts as `linear` does, uniform up to ``1 / sqrt(n_in)`` for as many numbers as each
    number comes from, or at zero.
    """
    kind = TransposedConvolution if transposed else Convolution
    layer = without_start(kind, in_channels, out_channels, kernel_size, size, stride)
    n_in = layer.weight.numel() / out_channels / (math.prod(stride) if transposed else 1)
    with torch.no_grad():
        bound = 0.0 if zero else 1 / math.sqrt(n_in)
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


class Upsample(nn.Module):
    """Repeat each value by a factor, and cut images to the size that they had before pooling."""

    def __init__(self, factor: tuple[int, int], size: tuple[int, int]) -> None:
        super().__init__()
        self.factor = factor
        self.size = size

    def forward(self, X: Tensor) -> Tensor:
        height, width = self.size
        return F.interpolate(X, scale_factor=self.factor)[:, :, :height, :width]

    def extra_repr(self) -> str:
        return f"factor={self.factor}, size={self.size}"


def pool_sizes(level: ConvolutionLevel, shape: MapShape) -> tuple[int, int]:
    """Return height and width of a level's windows: on a map of height 1 they are lines."""
    return min(level.pool_size, shape.height), min(level.pool_size, shape.width)


def map_shapes(image_shape: MapShape, levels: Sequence[ConvolutionLevel]) -> list[MapShape]:
    """Return the shape of the image and of the map after each level."""
    shapes = [image_shape]
    for level in levels:
        size = _divided(shapes[-1][1:], pool_sizes(level, shapes[-1]))
        shapes.append(MapShape(level.n_filters, *size))
    return shapes


def convolutional_encoder(
    image_shape: MapShape,
    levels: Sequence[ConvolutionLevel],
    activation: str,
    *,
    n_components: int | None,
    generator: Generator,
    pooling: str = "stride",
    zero_last: bool = False,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return convolutions and poolings, and a dense layer to the code if its size is given.

    Without that layer the code is what the last level gives, flattened, and no activation,
    normalization or dropout follow the last convolution.
    """
    shapes = map_shapes(image_shape, levels)
    layers: list[nn.Module] = [nn.Unflatten(1, tuple(image_shape))]
    for number, (level, (before, _)) in enumerate(
        zip(levels, pairwise(shapes), strict=True), start=1
    ):
        windows = pool_sizes(level, before)
        pooled = windows != (1, 1)
        strided = pooled and pooling == "stride"
        layer = convolution(
            before.channels,
            level.n_filters,
            level.kernel_size,
            before[1:],
            windows if strided else (1, 1),
            generator=generator,
        )
        hidden = n_components is not None or number < len(levels)
        layers.append(layer)
        if hidden:
            layers += _normalized(level.n_filters, activation, normalization)
        if pooled and not strided:
            layers.append(POOLINGS[pooling](windows))
        if hidden and dropout:
            layers.append(Dropout(dropout))
    layers.append(nn.Flatten())
    if n_components is not None:
        n_values = math.prod(shapes[-1])
        layers.append(linear(n_values, n_components, generator=generator, zero=zero_last))
    return nn.Sequential(*layers)


def convolutional_decoder(
    image_shape: MapShape,
    levels: Sequence[ConvolutionLevel],
    activation: str,
    *,
    n_components: int | None,
    generator: Generator,
    upsampling: str = "transposed",
    zero_last: bool = False,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return the mirror image of an encoder: a convolution and an upsampling for each level.

    The two are one where convolutions are transposed.

    A last level without pooling has none, as its mirror image is the first layer of this
    decoder: the dense one from the code, or the convolution of the level before. The last
    convolution goes to the channels of the image, with the kernel of the first level.
    """
    shapes = map_shapes(image_shape, levels)
    code_shape = shapes[-1]
    layers: list[nn.Module] = [nn.Unflatten(1, tuple(code_shape))]

    def hidden(n_filters: int) -> list[nn.Module]:
        dropouts = [Dropout(dropout)] if dropout else []
        return [*_normalized(n_filters, activation, normalization), *dropouts]

    if n_components is not None:
        dense = linear(n_components, math.prod(code_shape), generator=generator)
        layers = [dense, *layers, *hidden(code_shape.channels)]
    n_channels = code_shape.channels
    mirrored = list(zip(levels, pairwise(shapes), strict=True))[::-1]
    if pool_sizes(levels[-1], shapes[-2]) == (1, 1):
        mirrored = mirrored[1:]
    for level, (after, before) in mirrored:
        factor = pool_sizes(level, after)
        transposed = factor != (1, 1) and upsampling == "transposed"
        layer = convolution(
            n_channels,
            level.n_filters,
            level.kernel_size,
            after[1:] if transposed else before[1:],
            factor if transposed else (1, 1),
            generator=generator,
            transposed=transposed,
        )
        layers += [layer, *hidden(level.n_filters)]
        if factor != (1, 1) and not transposed:
            layers.append(Upsample(factor, after[1:]))
        n_channels = level.n_filters
    layer = convolution(
        n_channels,
        image_shape.channels,
        levels[0].kernel_size,
        image_shape[1:],
        generator=generator,
        zero=zero_last,
    )
    return nn.Sequential(*layers, layer, nn.Flatten())


def _normalized(n_filters: int, activation: str, normalization: str | None) -> list[nn.Module]:
    """Return what follows a hidden convolution: its normalization and its activation."""
    layers = [] if normalization is None else [IMAGE_NORMALIZATIONS[normalization](n_filters)]
    return [*layers, ACTIVATIONS[activation]()]


def multiplications(network: nn.Module) -> int:
    """Return about how many multiplications a network takes for a row.

    A parameter is one, but in a convolution one for each place that it is applied to. The work
    of a module that is not skae's is underrated where it uses a parameter several times.
    """
    return sum(
        sum(p.numel() for p in module.parameters(recurse=False)) * getattr(module, "n_places", 1)
        for module in network.modules()
    )


def values_per_row(network: nn.Module) -> int:
    """Return how many values the largest map of a network's convolutions holds for a row."""
    maps = [
        module.out_channels * math.prod(module.out_size)
        for module in network.modules()
        if isinstance(module, Convolution | TransposedConvolution)
    ]
    return max(maps, default=1)
