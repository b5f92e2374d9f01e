"""Stacks of convolutions for rows that are images: an encoder and its mirror image."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ._mlp import ACTIVATIONS, linear
from ._random import Dropout


class ConvolutionLevel(NamedTuple):
    """A convolution of the encoder and the pooling after it; the decoder has its mirror image."""

    n_filters: int
    kernel_size: int
    pool_size: int  # 1 is none


class MapShape(NamedTuple):
    """Of an image, or of what a level makes of it."""

    channels: int
    height: int
    width: int


# Mean or maximum of each window; the last ones may reach beyond the image.
POOLINGS: dict[str, Callable[[tuple[int, int]], nn.Module]] = {
    "max": partial(nn.MaxPool2d, ceil_mode=True),
    "average": partial(nn.AvgPool2d, ceil_mode=True, count_include_pad=False),
}

UPSAMPLINGS = ("nearest", "bilinear")

# What follows a convolution with some number of filters, before its activation.
IMAGE_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "batch": partial(nn.BatchNorm2d, dtype=torch.float32),
    "layer": partial(nn.GroupNorm, 1, dtype=torch.float32),
}


class Convolution(nn.Conv2d):
    """A convolution after which images are as large as before, or as large divided by the stride.

    Zeros around the image make up for the kernel; an even one reaches further to the right and
    down. A kernel ends where it could only meet zeros: on a map of height 1 it is a line.
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
        (top, bottom), (left, right) = (_margins(kernel_size, side) for side in size)
        kernel = (top + 1 + bottom, left + 1 + right)
        even = (top, left) != (bottom, right)
        padding = (0, 0) if even else (top, left)
        super().__init__(
            in_channels, out_channels, kernel, stride, padding, device=device, dtype=dtype
        )
        self.margins = (left, right, top, bottom) if even else None
        self.out_size = tuple(-(-side // step) for side, step in zip(size, stride, strict=True))

    def forward(self, X: Tensor) -> Tensor:
        return super().forward(X if self.margins is None else F.pad(X, self.margins))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    size: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    *,
    generator: Generator,
    zero: bool = False,
) -> Convolution:
    """Return a convolution of images of some size that starts as `linear` does, or at zero."""
    # skip_init: the constructor of nn.Conv2d draws from torch's global generator.
    layer = nn.utils.skip_init(
        Convolution, in_channels, out_channels, kernel_size, size, stride, dtype=torch.float32
    )
    with torch.no_grad():
        bound = 0.0 if zero else 1 / math.sqrt(layer.weight[0].numel())
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


def _margins(kernel_size: int, side: int) -> tuple[int, int]:
    """Return how far a kernel reaches before and behind a value, within a side of an image."""
    return min((kernel_size - 1) // 2, side - 1), min(kernel_size // 2, side - 1)


class Upsample(nn.Module):
    """Enlarge images by a factor, and cut them to the size that they had before the pooling."""

    def __init__(self, factor: tuple[int, int], size: tuple[int, int], mode: str) -> None:
        super().__init__()
        self.factor = factor
        self.size = size
        self.mode = mode

    def forward(self, X: Tensor) -> Tensor:
        height, width = self.size
        larger = F.interpolate(X, scale_factor=self.factor, mode=self.mode)
        return larger[:, :, :height, :width]

    def extra_repr(self) -> str:
        return f"factor={self.factor}, size={self.size}, mode={self.mode!r}"


def pool_sizes(level: ConvolutionLevel, shape: MapShape) -> tuple[int, int]:
    """Return height and width of a level's windows: on a map of height 1 they are lines."""
    return min(level.pool_size, shape.height), min(level.pool_size, shape.width)


def map_shapes(image_shape: MapShape, levels: Sequence[ConvolutionLevel]) -> list[MapShape]:
    """Return the shape of the image and of the map after each level."""
    shapes = [image_shape]
    for level in levels:
        height, width = pool_sizes(level, shapes[-1])
        _, rows, columns = shapes[-1]
        shapes.append(MapShape(level.n_filters, -(-rows // height), -(-columns // width)))
    return shapes


def convolutional_encoder(
    image_shape: MapShape,
    levels: Sequence[ConvolutionLevel],
    activation: str,
    *,
    n_components: int | None,
    generator: Generator,
    pooling: str = "max",
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
    upsampling: str = "nearest",
    zero_last: bool = False,
    normalization: str | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return the mirror image of an encoder: a convolution and an upsampling for each level.

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
        layer = convolution(
            n_channels, level.n_filters, level.kernel_size, before[1:], generator=generator
        )
        layers += [layer, *hidden(level.n_filters)]
        factor = pool_sizes(level, after)
        if factor != (1, 1):
            layers.append(Upsample(factor, after[1:], upsampling))
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

    A parameter is one, but in a convolution one for each place of the output. The work of a
    module that is not skae's is underrated where it uses a parameter several times.
    """
    return sum(
        sum(p.numel() for p in module.parameters(recurse=False)) * _n_places(module)
        for module in network.modules()
    )


def values_per_row(network: nn.Module) -> int:
    """Return how many values the largest map of a network's convolutions holds for a row."""
    maps = [m.out_channels * _n_places(m) for m in network.modules() if isinstance(m, Convolution)]
    return max(maps, default=1)


def _n_places(module: nn.Module) -> int:
    return math.prod(module.out_size) if isinstance(module, Convolution) else 1
