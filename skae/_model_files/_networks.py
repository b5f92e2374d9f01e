"""Networks as values: which layer, with which settings, on top of which others.

A layer in a file is the name of a kind from a closed list, its settings, the numbers of the layers
that it is made of, which come before it, and its tensors. It is built again by its constructor, on
torch's device "meta", where tensors have a shape and take no memory; only if all shapes are those
of the tensors in the file do these take their places.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from .._value_files import ValueWriter
from ..nn import (
    Activation,
    AutoencoderNetwork,
    BernoulliLikelihood,
    Binarize,
    ClassifierNetwork,
    ColumnActivations,
    Convolution,
    Decoder,
    DrawCode,
    Dropout,
    Encoder,
    FirstCodes,
    Gate,
    GaussianLikelihood,
    LadderLayer,
    LadderNetwork,
    MissingFlags,
    MixedLikelihood,
    MixedOutput,
    NestedDropout,
    PadCodes,
    Reorder,
    ReorderedNetwork,
    SkipConnection,
    Standardize,
    TransposedConvolution,
    TransposedLinear,
    Upsample,
    VariationalEncoder,
    VariationalNetwork,
)
from ..nn._convolution import ImageBatchNorm
from ..nn._ladder import Combinator
from ..nn._mlp import BatchNorm

Number = (int, float)
Numbers = tuple

# What a layer remembers of a training that is over.
_PASSING = {"generator", "training"}


class Kind(NamedTuple):
    """A kind of layer: what describes one, and how one is built from that.

    ``build`` is called with the settings and the layers below by their names.
    """

    module: type[nn.Module]
    settings: Mapping[str, Any] = MappingProxyType({})  # types by name
    children: tuple[str, ...] | None = ()  # names of the layers below; None is any
    build: Callable[..., nn.Module] | None = None
    describe: Callable[[Any], dict[str, Any]] | None = None  # settings, if not attributes


def _attributes(kind: Kind, module: nn.Module) -> dict[str, Any]:
    """Return settings that are attributes of a layer, whose bias counts as whether it has one."""
    values = {name: getattr(module, name) for name in kind.settings}
    if kind.settings.get("bias") is bool:
        values["bias"] = values["bias"] is not None
    return values


def _blank(kind: type[nn.Module]) -> Any:
    """Return a layer of which only what torch needs is there.

    For those whose constructors draw starting weights, which takes memory.
    """
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    return module


def _sequential(**layers):
    return nn.Sequential(OrderedDict(layers))


def _module_list(**layers):
    if [*layers] != [str(i) for i in range(len(layers))]:
        raise ValueError(f"a list of layers has the names {[*layers]}")
    return nn.ModuleList(layers.values())


def _transposed_linear(in_features, out_features):
    return TransposedLinear(nn.Linear(out_features, in_features, bias=False))


def _standardize(n_features, scale_shape):
    return Standardize(torch.empty(n_features), torch.empty(scale_shape))


def _column_activations(n_features, activations):
    columns = torch.empty(n_features, dtype=torch.int64)
    return ColumnActivations(columns, [partial(copy.copy, part) for part in activations])


def _mixed_output(n_columns, shape):
    output = _blank(MixedOutput)
    output.allocate(n_columns, shape)
    return output


def _mixed_likelihood(standardize, levels, n_columns):
    likelihood = _blank(MixedLikelihood)
    likelihood.standardize, likelihood.levels = standardize, levels
    likelihood.allocate(n_columns)
    return likelihood


def _reorder(module, n_before, n_after):
    columns = [
        None if n is None else torch.empty(n, dtype=torch.int64) for n in (n_before, n_after)
    ]
    return Reorder(module, before=columns[0], after=columns[1])


def _reordered_network(encoder, decoder, between, n_features):
    network = _blank(ReorderedNetwork)
    AutoencoderNetwork.__init__(network, encoder, decoder, between)
    network.register_buffer("columns", torch.empty(n_features, dtype=torch.int64))
    return network


def _classifier_network(encoder, head, decoder, frozen):
    network = ClassifierNetwork(encoder, head, decoder)
    network.frozen = frozen
    return network


def _variational_network(encoder, decoder, likelihood, binarize, draw):
    network = VariationalNetwork(encoder, decoder, likelihood, binarize)
    network.draw = draw
    return network


def _ladder_layer(width, **layers):
    layer = _blank(LadderLayer)
    layer.shift, layer.gain = (nn.Parameter(torch.empty(width)) for _ in range(2))
    for name, below in layers.items():
        setattr(layer, name, below)
    return layer


def _ladder_network(noise, weights, outputs, **layers):
    network = _blank(LadderNetwork)
    network.noise, network.weights, network.outputs = noise, weights, outputs
    network.lowest = next((i for i, weight in enumerate(weights) if weight), len(weights))
    for name, below in layers.items():
        setattr(network, name, below)
    return network


_OF_BATCHES = {
    "num_features": int,
    "eps": float,
    "momentum": float,
    "affine": bool,
    "track_running_stats": bool,
}
_OF_CONVOLUTIONS = {
    "in_channels": int,
    "out_channels": int,
    "whole_kernel_size": int,
    "size": Numbers,
    "stride": Numbers,
}


def _convolution(kind):
    def build(whole_kernel_size, **settings):
        return kind(kernel_size=whole_kernel_size, **settings)

    return build


KINDS: dict[str, Kind] = {
    "Identity": Kind(nn.Identity),
    "ReLU": Kind(nn.ReLU),
    "LeakyReLU": Kind(nn.LeakyReLU, {"negative_slope": Number}),
    "ELU": Kind(nn.ELU, {"alpha": Number}),
    "GELU": Kind(nn.GELU, {"approximate": str}),
    "SiLU": Kind(nn.SiLU),
    "Tanh": Kind(nn.Tanh),
    "Sigmoid": Kind(nn.Sigmoid),
    "Softplus": Kind(nn.Softplus, {"beta": Number, "threshold": Number}),
    "Linear": Kind(nn.Linear, {"in_features": int, "out_features": int, "bias": bool}),
    "TransposedLinear": Kind(
        TransposedLinear,
        {"in_features": int, "out_features": int},
        build=_transposed_linear,
        describe=lambda layer: dict(
            zip(("in_features", "out_features"), layer.weight.shape, strict=True)
        ),
    ),
    "LayerNorm": Kind(
        nn.LayerNorm, {"normalized_shape": Numbers, "eps": float, "elementwise_affine": bool}
    ),
    "GroupNorm": Kind(
        nn.GroupNorm, {"num_groups": int, "num_channels": int, "eps": float, "affine": bool}
    ),
    "BatchNorm": Kind(BatchNorm, _OF_BATCHES),
    "ImageBatchNorm": Kind(ImageBatchNorm, _OF_BATCHES),
    "Dropout": Kind(Dropout, {"rate": Number}),
    "NestedDropout": Kind(NestedDropout),
    "Flatten": Kind(nn.Flatten, {"start_dim": int, "end_dim": int}),
    "Unflatten": Kind(nn.Unflatten, {"dim": int, "unflattened_size": Numbers}),
    "Convolution": Kind(Convolution, _OF_CONVOLUTIONS, build=_convolution(Convolution)),
    "TransposedConvolution": Kind(
        TransposedConvolution, _OF_CONVOLUTIONS, build=_convolution(TransposedConvolution)
    ),
    "MaxPool2d": Kind(nn.MaxPool2d, {"kernel_size": Numbers, "stride": Numbers, "ceil_mode": bool}),
    "AvgPool2d": Kind(
        nn.AvgPool2d,
        {"kernel_size": Numbers, "stride": Numbers, "ceil_mode": bool, "count_include_pad": bool},
    ),
    "Upsample": Kind(Upsample, {"factor": Numbers, "size": Numbers}),
    "Sequential": Kind(nn.Sequential, children=None, build=_sequential),
    "ModuleList": Kind(nn.ModuleList, children=None, build=_module_list),
    "Standardize": Kind(
        Standardize,
        {"n_features": int, "scale_shape": Numbers},
        build=_standardize,
        describe=lambda layer: {
            "n_features": len(layer.mean),
            "scale_shape": tuple(layer.scale.shape),
        },
    ),
    "MissingFlags": Kind(
        MissingFlags,
        {"n_flags": int},
        build=lambda n_flags: MissingFlags(torch.empty(n_flags, dtype=torch.int64)),
        describe=lambda layer: {"n_flags": len(layer.columns)},
    ),
    "SkipConnection": Kind(SkipConnection, children=("linear_path", "correction")),
    "Gate": Kind(
        Gate,
        {"n_outputs": int},
        ("module",),
        describe=lambda layer: {"n_outputs": len(layer.gain)},
    ),
    "Encoder": Kind(Encoder, children=("standardize", "body", "activation")),
    "Decoder": Kind(Decoder, children=("standardize", "body", "activation", "argument")),
    "Activation": Kind(Activation, {"part": object}),
    "FirstCodes": Kind(FirstCodes, {"n_codes": int}),
    "PadCodes": Kind(PadCodes, {"n_components": int}),
    "ColumnActivations": Kind(
        ColumnActivations,
        {"n_features": int},
        ("activations",),
        build=_column_activations,
        describe=lambda layer: {"n_features": len(layer.columns)},
    ),
    "MixedOutput": Kind(
        MixedOutput,
        {"n_columns": int, "shape": Numbers},
        build=_mixed_output,
        describe=lambda layer: {
            "n_columns": len(layer.back),
            "shape": tuple(layer.place.shape),
        },
    ),
    "AutoencoderNetwork": Kind(AutoencoderNetwork, children=("encoder", "decoder", "between")),
    "Reorder": Kind(
        Reorder,
        {"n_before": (int, type(None)), "n_after": (int, type(None))},
        ("module",),
        build=_reorder,
        describe=lambda layer: {
            "n_before": None if layer.before is None else len(layer.before),
            "n_after": None if layer.after is None else len(layer.after),
        },
    ),
    "ReorderedNetwork": Kind(
        ReorderedNetwork,
        {"n_features": int},
        ("encoder", "decoder", "between"),
        build=_reordered_network,
        describe=lambda network: {"n_features": len(network.columns)},
    ),
    "ClassifierNetwork": Kind(
        ClassifierNetwork,
        {"frozen": bool},
        ("encoder", "head", "decoder"),
        build=_classifier_network,
    ),
    "LadderLayer": Kind(
        LadderLayer,
        {"width": int},
        ("linear", "normalize", "activation"),
        build=_ladder_layer,
        describe=lambda layer: {"width": len(layer.gain)},
    ),
    "Combinator": Kind(
        Combinator,
        {"width": int},
        describe=lambda layer: {"width": layer.curves.shape[-1]},
    ),
    "LadderNetwork": Kind(
        LadderNetwork,
        {"noise": Numbers, "weights": Numbers, "outputs": object},
        ("encoder", "head", "down", "combinators"),
        build=_ladder_network,
    ),
    "VariationalEncoder": Kind(VariationalEncoder, children=("standardize", "body")),
    "VariationalNetwork": Kind(
        VariationalNetwork,
        children=("encoder", "decoder", "likelihood", "binarize", "draw"),
        build=_variational_network,
    ),
    "DrawCode": Kind(DrawCode),
    "Binarize": Kind(Binarize, children=("standardize",)),
    "GaussianLikelihood": Kind(GaussianLikelihood, children=("standardize",)),
    "BernoulliLikelihood": Kind(BernoulliLikelihood, children=("standardize",)),
    "MixedLikelihood": Kind(
        MixedLikelihood,
        {"n_columns": int},
        ("standardize", "levels"),
        build=_mixed_likelihood,
        describe=lambda layer: {"n_columns": len(layer.is_number)},
    ),
}
_NAMES = {kind.module: name for name, kind in KINDS.items()}

# The layers of encoder and decoder that the user may give, by the names of the parameters.
SIDES: dict[type[nn.Module], str] = {Encoder: "encoder", Decoder: "decoder"}


class GivenLayers(NamedTuple):
    """Layers of the user's, which a file leaves out but for their tensors."""

    parameter: str  # that they were given as
    n_in: int
    n_out: int


# ``given(side)``: whose the layers are that are not skae's, if it may leave them out.
WhoseLayers = Callable[[str | None], GivenLayers | None]


class NetworkWriter:
    """Turns layers into nodes, each once, however often it is used.

    ``layers`` are the nodes so far, those below before those that are made of them.
    """

    def __init__(self, writer: ValueWriter) -> None:
        self.layers: list[dict[str, Any]] = []
        self._writer = writer
        self._numbers: dict[int, int] = {}  # by identity

    def number(
        self, module: nn.Module, where: str, given: WhoseLayers, side: str | None = None
    ) -> int:
        """Return the number of a layer among those of the file."""
        if id(module) not in self._numbers:
            node = self._node(module, where, given, SIDES.get(type(module), side))
            self.layers.append(node)
            self._numbers[id(module)] = len(self.layers) - 1
        return self._numbers[id(module)]

    def _node(
        self, module: nn.Module, where: str, given: WhoseLayers, side: str | None
    ) -> dict[str, Any]:
        _refuse_hooks(module, where)
        write = self._writer.node
        name = _NAMES.get(type(module))
        if name is None:
            return self._node_of_given(module, where, given(side))
        kind = KINDS[name]
        describe = kind.describe or (lambda layer: _attributes(kind, layer))
        names = [*module._modules] if kind.children is None else kind.children
        if not {*module._modules} <= {*names}:
            raise ValueError(f"{where} is a {name} with other layers than such a one has.")
        below = {key: getattr(module, key) for key in names}
        children = {
            key: None if layer is None else self.number(layer, f"{where}.{key}", given, side)
            for key, layer in below.items()
        }
        tensors = {**module._parameters, **module._buffers}
        settings = describe(module).items()
        return {
            "kind": name,
            "settings": {key: write(value, f"{where}.{key}") for key, value in settings},
            "layers": children,
            "tensors": {
                key: write(tensor, f"{where}.{key}")
                for key, tensor in tensors.items()
                if tensor is not None
            },
            "training": module.training,
        }

    def _node_of_given(
        self, module: nn.Module, where: str, given: GivenLayers | None
    ) -> dict[str, Any]:
        if given is None:
            raise ValueError(
                f"{where} is a {type(module).__module__}.{type(module).__qualname__}, which is not "
                "among the layers that a file can hold."
            )
        state = module.state_dict()
        return {
            "given": [given.parameter, given.n_in, given.n_out],
            "tensors": {
                key: self._writer.node(tensor, f"{where}.{key}") for key, tensor in state.items()
            },
            "training": module.training,
        }


def _refuse_hooks(module: nn.Module, where: str) -> None:
    """Refuse a layer that runs something else than what it is."""
    hooks = [name for name in vars(module) if name.endswith("_hooks") and vars(module)[name]]
    if hooks or "forward" in vars(module):
        raise ValueError(
            f"{where} has {', '.join(hooks) or 'another forward'}, which a file can't hold. Take "
            "off what was hooked on."
        )


def read_layers(
    nodes: Any, value: Callable[[Any], Any], given: Mapping[str, Any]
) -> list[nn.Module]:
    """Return the layers of a file, from the first to the last.

    Parameters
    ----------
    nodes : list of dict
        As a `NetworkWriter` gathers them.
    value : callable
        Returns the value of a node.
    given : mapping
        The layers of the user's, or functions that return them, by their parameters.

    Raises
    ------
    ValueError
        If a layer is not in the closed list, or its tensors are not those of such a layer.
    """
    layers: list[nn.Module] = []
    if type(nodes) is not list:
        raise ValueError("the layers are not a list")
    for node in nodes:
        if "given" in node:
            layers.append(_given_layers(node, value, given))
            continue
        if {*node} != {"kind", "settings", "layers", "tensors", "training"}:
            raise ValueError(f"a layer has other keys: {sorted(node)}")
        layers.append(_layer(node, value, layers))
    return layers


def _layer(node: dict[str, Any], value: Callable[[Any], Any], below: list[nn.Module]) -> nn.Module:
    if node["kind"] not in KINDS:
        raise ValueError(f"{node['kind']!r} is not among the kinds of layers")
    kind = KINDS[node["kind"]]
    settings = {name: value(setting) for name, setting in node["settings"].items()}
    if {*settings} != {*kind.settings}:
        raise ValueError(f"a {node['kind']} has the settings {sorted(settings)}")
    for name, wanted in kind.settings.items():
        if not _is_a(settings[name], wanted):
            raise ValueError(f"{name} of a {node['kind']} is {settings[name]!r}")
    children = {}
    for name, number in node["layers"].items():
        if number is not None and (type(number) is not int or not 0 <= number < len(below)):
            raise ValueError(
                f"a {node['kind']} is made of layer {number!r}, which is not before it"
            )
        children[name] = None if number is None else below[number]
    if kind.children is not None and {*children} != {*kind.children}:
        raise ValueError(f"a {node['kind']} is made of {sorted(children)}")
    with torch.device("meta"):
        layer = (kind.build or kind.module)(**settings, **children)
    _take_places(layer, node, value)
    _set_training(layer, node)
    return layer


def _is_a(value: Any, wanted: Any) -> bool:
    """Whether a setting is of its type: numbers are finite, and truth values are none."""
    if wanted is Numbers:
        return isinstance(value, tuple) and all(_is_a(item, Number) for item in value)
    if isinstance(value, bool) and wanted is not bool:
        return False
    return isinstance(value, wanted) and not (isinstance(value, float) and not isfinite(value))


def _take_places(layer: nn.Module, node: dict[str, Any], value: Callable[[Any], Any]) -> None:
    """Put the tensors of a file in the places of those without memory, whose shapes they have."""
    tensors = {name: value(tensor) for name, tensor in node["tensors"].items()}
    places = {
        name: tensor
        for name, tensor in (*layer._parameters.items(), *layer._buffers.items())
        if tensor is not None
    }
    if {*tensors} != {*places}:
        raise ValueError(f"a {node['kind']} has the tensors {sorted(tensors)}")
    for name, place in places.items():
        tensor = tensors[name]
        if (
            type(tensor) is not (nn.Parameter if name in layer._parameters else torch.Tensor)
            or tensor.shape != place.shape
            or tensor.is_floating_point() != place.is_floating_point()
        ):
            raise ValueError(
                f"{name} of a {node['kind']} is of shape {tuple(place.shape)}, the tensor in the "
                f"file of {tuple(tensor.shape)} and {tensor.dtype}"
            )
        setattr(layer, name, tensor)


def _set_training(layer: nn.Module, node: dict[str, Any]) -> None:
    if type(node["training"]) is not bool:
        raise ValueError(f"training of a layer is {node['training']!r}")
    layer.training = node["training"]


def _given_layers(
    node: dict[str, Any], value: Callable[[Any], Any], given: Mapping[str, Any]
) -> nn.Module:
    """Return layers of the user's, with the tensors of the file."""
    if {*node} != {"given", "tensors", "training"}:
        raise ValueError(f"layers of the user's have other keys: {sorted(node)}")
    parameter, n_in, n_out = node["given"]
    part = given[parameter]
    layers = copy.deepcopy(part) if isinstance(part, nn.Module) else part(n_in, n_out)
    if not isinstance(layers, nn.Module):
        raise ValueError(f"parts[{parameter!r}] returned {type(layers).__name__}, no torch module")
    state = {name: value(tensor) for name, tensor in node["tensors"].items()}
    try:
        layers.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"parts[{parameter!r}] does not have the tensors that are in the file: {error}"
        ) from error
    return layers.train(node["training"])


def differences(one: nn.Module, other: nn.Module) -> list[str]:
    """Return what is not the same about two networks, beside their numbers.

    What is not the same about a network and what is built from its values is what these do not
    tell, so that it would be lost.
    """
    if type(one) is not type(other):
        return [f"{type(one).__name__} and {type(other).__name__}"]
    if type(one) not in _NAMES:  # the user's
        return []
    found = []
    if one.extra_repr() != other.extra_repr():
        found.append(f"{type(one).__name__}({one.extra_repr()}) and ({other.extra_repr()})")
    mine, theirs = (
        {name: item for name, item in vars(layer).items() if _is_plain(name, item)}
        for layer in (one, other)
    )
    found += [
        f"{name} of {type(one).__name__}"
        for name in sorted({*mine, *theirs})
        if name not in mine or name not in theirs or mine[name] != theirs[name]
    ]
    for name, below in one._modules.items():
        if below is not None:
            found += differences(below, other._modules[name])  # type: ignore[arg-type]
    return found


def _is_plain(name: str, item: Any) -> bool:
    if name in _PASSING or name.startswith("_"):
        return False
    return isinstance(item, bool | int | float | str | tuple | None)
