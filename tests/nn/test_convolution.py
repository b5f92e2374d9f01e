"""Convolutions: against explicit loops, and the stacks against published networks."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from skae.nn import (
    IMAGE_NORMALIZATIONS,
    POOLINGS,
    UPSAMPLINGS,
    Convolution,
    ConvolutionLevel,
    Dropout,
    MapShape,
    TransposedConvolution,
    Upsample,
    convolution,
    convolutional_decoder,
    convolutional_encoder,
    map_shapes,
    mlp,
    multiplications,
    values_per_row,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape):
    return torch.randn(*shape, generator=generator(7))


def with_biases(layers):
    """Give the layers biases that are not zero."""
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-1, 1, generator=generator(3))
    return layers


def stacks(image_shape, levels, n_components=None, activation="relu", **parameters):
    """Return an encoder and a decoder."""
    image_shape = MapShape(*image_shape)
    levels = [ConvolutionLevel(*level) for level in levels]
    same = {"n_components": n_components, "generator": generator()}
    of_encoder = {"pooling": parameters.pop("pooling", "max")}
    of_decoder = {"upsampling": parameters.pop("upsampling", "nearest")}
    encode = convolutional_encoder(
        image_shape, levels, activation, **same, **of_encoder, **parameters
    )
    decode = convolutional_decoder(
        image_shape, levels, activation, **same, **of_decoder, **parameters
    )
    return with_biases(encode), with_biases(decode)


# A single layer


def zeros_before(side, kernel_size, stride):
    """Return how many zeros a side needs in front, so that all of it is seen."""
    zeros = max((-(-side // stride) - 1) * stride + kernel_size - side, 0)
    return zeros // 2 if stride == 1 else math.ceil(zeros / 2)


def explicit_convolution(X, weight, bias, kernel_size, stride):
    """Convolve images value by value, with zeros beyond the edges."""
    n_rows, _, height, width = X.shape
    top, left = (zeros_before(side, kernel_size, stride) for side in (height, width))
    out = np.zeros((n_rows, len(weight), -(-height // stride), -(-width // stride)))
    for i, j in product(range(out.shape[2]), range(out.shape[3])):
        out[:, :, i, j] = bias
        for a, b in product(range(kernel_size), repeat=2):
            row, column = i * stride + a - top, j * stride + b - left
            if 0 <= row < height and 0 <= column < width:
                out[:, :, i, j] += X[:, :, row, column] @ weight[:, :, a, b].T
    return out


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(5, 8), (6, 6)])
def test_a_convolution_is_an_explicit_loop(kernel_size, stride, size):
    layer = with_biases(
        convolution(3, 2, kernel_size, size, (stride, stride), generator=generator())
    )
    X = images(4, 3, *size)
    weight = layer.weight.detach().numpy()
    expected = explicit_convolution(
        X.numpy(), weight, layer.bias.detach().numpy(), kernel_size, stride
    )
    np.testing.assert_allclose(layer(X).detach(), expected, atol=1e-5)
    assert layer.out_size == expected.shape[2:]


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
def test_a_convolution_of_a_line_is_one_dimensional(kernel_size):
    layer = with_biases(convolution(2, 3, kernel_size, (1, 9), generator=generator()))
    X = images(4, 2, 1, 9)
    margins = (kernel_size - 1) // 2, kernel_size // 2
    expected = F.conv1d(F.pad(X[:, :, 0], margins), layer.weight[:, :, 0], layer.bias)
    torch.testing.assert_close(layer(X)[:, :, 0], expected)


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("size", [(5, 8), (4, 4), (1, 7), (9, 6), (3, 2), (1, 1)])
def test_a_transposed_convolution_is_the_transpose_and_both_reach_every_pixel(
    kernel_size, stride, size
):
    stride = min(stride, size[0], kernel_size), min(stride, size[1], kernel_size)
    if stride == (1, 1):
        return
    same = {"size": size, "stride": stride, "generator": generator()}
    layer = convolution(3, 2, kernel_size, **same)
    transposed = convolution(2, 3, kernel_size, **same, transposed=True)
    transposed.weight = layer.weight
    small, large = images(4, 2, *layer.out_size), images(4, 3, *size)
    assert transposed(small).shape == large.shape
    into, out_of = (layer(large) * small).sum(), (large * transposed(small)).sum()
    torch.testing.assert_close(into, out_of, rtol=1e-4, atol=1e-4)
    reached = nn.init.ones_(layer.weight), transposed(torch.ones_like(small))
    assert (reached[1] > 0).all()


@pytest.mark.parametrize("kernel_size", [4, 6, 7, 9])
def test_a_kernel_has_no_weights_that_meet_only_zeros(kernel_size):
    layer = convolution(1, 1, kernel_size, (2, 3), generator=generator())
    reach, height, width = (kernel_size - 1) // 2, *layer.weight.shape[2:]
    top, left = min(reach, 1), min(reach, 2)
    large = np.random.RandomState(0).normal(size=(1, 1, kernel_size, kernel_size))
    rows = slice(reach - top, reach - top + height)
    columns = slice(reach - left, reach - left + width)
    large[:, :, rows, columns] = layer.weight.detach()
    X = images(4, 1, 2, 3)
    expected = explicit_convolution(X.numpy(), large, np.zeros(1), kernel_size, 1)
    np.testing.assert_allclose(layer(X).detach(), expected, atol=1e-5)
    layer(X).sum().backward()
    assert layer.weight.grad.all()


def test_weights_are_uniform_as_those_of_torch_and_biases_zero():
    layer, of_torch = convolution(32, 64, 3, (9, 9), generator=generator()), nn.Conv2d(32, 64, 3)
    bound = 1 / math.sqrt(32 * 9)
    assert 0.99 * bound < layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(of_torch.weight.std().item(), rel=0.02)
    assert not layer.bias.any()


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 5), (1, 1)])
@pytest.mark.parametrize("pool", [(2, 2), (3, 3), (1, 2)])
@pytest.mark.parametrize("name", POOLINGS)
def test_windows_at_the_edge_pool_what_is_there(size, pool, name):
    pool = min(pool[0], size[0]), min(pool[1], size[1])
    X = images(2, 3, *size)
    summary = {"max": torch.amax, "average": torch.mean}[name]
    expected = [
        [
            summary(X[:, :, i : i + pool[0], j : j + pool[1]], dim=(2, 3))
            for j in range(0, size[1], pool[1])
        ]
        for i in range(0, size[0], pool[0])
    ]
    expected = torch.stack([torch.stack(line, dim=2) for line in expected], dim=2)
    torch.testing.assert_close(POOLINGS[name](pool)(X), expected)


def test_upsampling_repeats_each_value():
    X = images(2, 3, 3, 4)
    expected = X.repeat_interleave(2, dim=2).repeat_interleave(3, dim=3)[:, :, :5, :10]
    torch.testing.assert_close(Upsample((2, 3), (5, 10))(X), expected)


def test_transposed_weights_are_as_large_as_those_of_a_layer_with_as_many_inputs():
    layer = convolution(32, 16, 4, (8, 8), (2, 2), generator=generator(), transposed=True)
    bound = 1 / math.sqrt(32 * 4)  # 2 by 2 of 4 by 4 weights meet a value
    assert 0.99 * bound < layer.weight.abs().max().item() <= bound


# Published networks


class Padded(nn.Module):
    """Zeros on the right and below, as other libraries pad for even kernels."""

    def forward(self, X):
        return F.pad(X, (0, 1, 0, 1))


SMALL = {  # 32 filters of 3 × 3, max-pool, 32 filters, upsampling, 1 filter
    "levels": [(32, 3, 2)],
    "encoder": [nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2)],
    "decoder": [
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Conv2d(32, 1, 3, padding=1),
    ],
    "code_shape": (32, 14, 14),
    "n_parameters": 320 + 9248 + 289,
}
NARROW = {  # 128 filters of 7 × 7, pool, 32 of 2 × 2, pool, 1 of 7 × 7: 49 numbers
    "levels": [(128, 7, 2), (32, 2, 2), (1, 7, 1)],
    "encoder": [
        *(nn.Conv2d(1, 128, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Sequential(Padded(), nn.Conv2d(128, 32, 2)), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Conv2d(32, 1, 7, padding=3),
    ],
    "decoder": [
        nn.Sequential(Padded(), nn.Conv2d(1, 32, 2)),
        *(nn.ReLU(), nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(32, 128, 7, padding=3), nn.ReLU(), nn.Upsample(scale_factor=2)),
        nn.Conv2d(128, 1, 7, padding=3),
    ],
    "code_shape": (1, 7, 7),
    "n_parameters": 6400 + 16416 + 1569 + 160 + 200832 + 6273,
}


@pytest.mark.parametrize("published", [SMALL, NARROW], ids=["small", "narrow"])
def test_the_layers_are_those_of_a_published_network(published):
    encode, decode = stacks((1, 28, 28), published["levels"], upsampling="nearest")
    of_torch = [nn.Sequential(*published[name]) for name in ("encoder", "decoder")]
    for ours, theirs in zip((encode, decode), of_torch, strict=True):
        states = zip(theirs.parameters(), ours.parameters(), strict=True)
        with torch.no_grad():
            for to, value in states:
                to.copy_(value)
    X = images(3, 784)
    code, expected = encode(X), of_torch[0](X.reshape(3, 1, 28, 28))
    assert expected.shape[1:] == published["code_shape"]
    torch.testing.assert_close(code, expected.flatten(1))
    torch.testing.assert_close(decode(code), of_torch[1](expected).flatten(1))
    parameters = [*encode.parameters(), *decode.parameters()]
    assert sum(parameter.numel() for parameter in parameters) == published["n_parameters"]


# Stacks


@pytest.mark.parametrize(
    ("pooling", "upsampling"),
    [("max", "nearest"), ("average", "transposed"), ("stride", "transposed")],
)
@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 5, 7), (2, 1, 11), (1, 1, 1)])
@pytest.mark.parametrize(
    "levels", [[(4, 3, 2)], [(4, 5, 2), (3, 4, 3)], [(2, 2, 2), (5, 3, 1)], [(3, 3, 1)]]
)
@pytest.mark.parametrize("n_components", [None, 6])
def test_any_image_comes_back_in_its_size(pooling, upsampling, image_shape, levels, n_components):
    encode, decode = stacks(
        image_shape, levels, n_components, pooling=pooling, upsampling=upsampling
    )
    X = images(4, math.prod(image_shape))
    code = encode(X)
    shapes = map_shapes(MapShape(*image_shape), [ConvolutionLevel(*level) for level in levels])
    assert code.shape == (4, n_components or math.prod(shapes[-1]))
    assert decode(code).shape == X.shape
    filters = [layer.out_channels for layer in encode if isinstance(layer, Convolution)]
    assert filters == [level[0] for level in levels]
    if pooling == "stride":
        return
    kinds = Convolution | TransposedConvolution
    filters = [layer.out_channels for layer in decode if isinstance(layer, kinds)]
    mirrored = [level[0] for level in levels[::-1]]
    if levels[-1][2] == 1 or shapes[-1][1:] == shapes[-2][1:]:
        mirrored = mirrored[1:]
    assert filters == [*mirrored, image_shape[0]]


def test_shapes_of_maps_round_up():
    levels = [ConvolutionLevel(4, 3, 2), ConvolutionLevel(5, 3, 3), ConvolutionLevel(6, 3, 1)]
    assert map_shapes(MapShape(3, 1, 29), levels) == [(3, 1, 29), (4, 1, 15), (5, 1, 5), (6, 1, 5)]


def names(layers):
    return [type(layer).__name__ for layer in layers]


def test_hidden_layers_are_normalized_activated_pooled_and_dropped():
    levels = [(4, 3, 2), (5, 3, 1)]
    encode, _ = stacks((1, 8, 8), levels, 3, "tanh", normalization="batch", dropout=0.1)
    hidden = ["ImageBatchNorm", "Tanh"]
    assert names(encode) == [
        *("Unflatten", "Convolution", *hidden, "MaxPool2d", "Dropout"),
        *("Convolution", *hidden, "Dropout"),
        *("Flatten", "Linear"),
    ]
    for upsampling, layer in (("nearest", "Convolution"), ("transposed", "TransposedConvolution")):
        _, decode = stacks((1, 8, 8), levels, 3, "tanh", upsampling=upsampling, dropout=0.1)
        assert names(decode) == [
            *("Linear", "Unflatten", "Tanh", "Dropout"),
            *(layer, "Tanh", "Dropout", *(["Upsample"] if layer == "Convolution" else [])),
            *("Convolution", "Flatten"),
        ]
    assert isinstance(encode[5], Dropout)


def test_nothing_but_pooling_comes_between_the_last_convolution_and_a_code_that_is_a_map():
    encode, _ = stacks((1, 8, 8), [(4, 3, 2), (5, 3, 2)], normalization="layer", dropout=0.1)
    assert names(encode)[-3:] == ["Convolution", "MaxPool2d", "Flatten"]


def test_normalizations_are_of_each_filter_in_a_batch_or_of_each_image():
    X = images(6, 4, 3, 5)
    batch, layer = (IMAGE_NORMALIZATIONS[name](4)(X) for name in ("batch", "layer"))
    for normalized, axes in ((batch, (0, 2, 3)), (layer, (1, 2, 3))):
        variance, mean = torch.var_mean(X, dim=axes, correction=0, keepdim=True)
        torch.testing.assert_close(normalized, (X - mean) / (variance + 1e-5).sqrt())


def test_a_batch_of_one_value_a_filter_is_normalized_by_the_running_statistics():
    layer = IMAGE_NORMALIZATIONS["batch"](3)
    layer(images(6, 3, 4, 5) * 2 + 1)
    X = images(1, 3, 1, 1)
    mean, variance = (getattr(layer, f"running_{name}")[:, None, None] for name in ("mean", "var"))
    torch.testing.assert_close(layer(X), (X - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize("part", [0, 1])
def test_a_last_layer_of_zeros_gives_zeros_and_learns(part):
    body = (convolutional_encoder, convolutional_decoder)[part](
        MapShape(2, 6, 5),
        [ConvolutionLevel(4, 3, 2)],
        "silu",
        n_components=3,
        generator=generator(),
        zero_last=True,
    )
    out = body(images(7, (60, 3)[part]))
    assert not out.any()
    out.sum().backward()
    assert [p for p in body.parameters() if p.ndim > 1][-1].grad.any()


def test_the_channels_of_an_image_are_one_after_the_other():
    encode, _ = stacks((3, 4, 5), [(2, 1, 1)])
    encode[1].weight.data[:] = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[:, :, None, None]
    encode[1].bias.data.zero_()
    X = images(2, 60)
    torch.testing.assert_close(encode(X), torch.cat([X[:, :20], X[:, 40:]], dim=1))


def test_a_seed_decides_the_weights_and_the_global_generator_is_not_moved():
    before = torch.get_rng_state()
    one, same = (stacks((1, 8, 8), [(4, 3, 2)], 3)[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("normalization", [None, *IMAGE_NORMALIZATIONS])
def test_weights_are_single_whatever_the_default_dtype(normalization):
    found = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        encode, _ = stacks((1, 8, 8), [(4, 3, 2)], 3, normalization=normalization)
    finally:
        torch.set_default_dtype(found)
    assert {parameter.dtype for parameter in encode.parameters()} == {torch.float32}


# Work


@pytest.mark.parametrize("n_components", [None, 6])
@pytest.mark.parametrize(("pooling", "upsampling"), [("max", "nearest"), ("stride", "transposed")])
def test_multiplications_are_those_that_torch_counts(n_components, pooling, upsampling):
    levels = [(4, 3, 2), (5, 4, 3)]
    stack = stacks((2, 9, 10), levels, n_components, pooling=pooling, upsampling=upsampling)
    for body, n_in in zip(stack, (180, n_components or 20), strict=True):
        with FlopCounterMode(display=False) as counter:
            body(images(1, n_in))
        biases = sum(
            layer.bias.numel() * getattr(layer, "n_places", 1)
            for layer in body
            if hasattr(layer, "bias")
        )
        assert multiplications(body) == counter.get_total_flops() // 2 + biases


def test_multiplications_of_dense_layers_are_their_parameters():
    body = mlp((7, 5, 3), "tanh", generator=generator())
    assert multiplications(body) == sum(p.numel() for p in body.parameters())
    assert values_per_row(body) == 1


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_values_are_those_of_the_largest_map(upsampling):
    encode, decode = stacks((2, 9, 10), [(4, 3, 2), (50, 4, 3)], upsampling=upsampling)
    sizes = []
    for layer in (*encode, *decode):
        if isinstance(layer, Convolution | TransposedConvolution):
            layer.register_forward_hook(lambda layer, X, out: sizes.append(out[0].numel()))
    decode(encode(images(1, 180)))
    assert values_per_row(nn.Sequential(encode, decode)) == max(sizes)
