"""Networks side by side: several that are alike, as one module that trains all of them at once."""

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._losses import (
    AbsoluteError,
    ColumnLosses,
    Huber,
    LogLoss,
    ObservedLoss,
    PenalizedLoss,
    RowLoss,
    SquaredError,
)
from ._mixed import Levels, MixedLikelihood, MixedLoss, MixedOutput
from ._mlp import ACTIVATIONS, TransposedLinear
from ._network import (
    Activation,
    AutoencoderNetwork,
    ColumnActivations,
    Decoder,
    Encoder,
    MissingFlags,
    SkipConnection,
    Standardize,
)
from ._random import Dropout, NestedDropout, PrefixDropout, RandomLayer
from ._variational import (
    LIKELIHOODS,
    Binarize,
    DrawCode,
    EvidenceLoss,
    VariationalEncoder,
    VariationalNetwork,
)


class LayerNormSideBySide(nn.Module):
    """A layer normalization of each network, for rows of its own.

    Parameters
    ----------
    weight, bias : Parameter of shape (n_networks, 1, n_features)
    eps : float
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter, eps: float) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = weight, bias, eps

    def forward(self, X: Tensor) -> Tensor:
        return F.layer_norm(X, X.shape[-1:], eps=self.eps) * self.weight + self.bias


class LinearSideBySide(nn.Module):
    """A linear layer of each network, for rows of its own.

    Parameters
    ----------
    weight : Parameter of shape (n_networks, n_out, n_in)
    bias : Parameter of shape (n_networks, 1, n_out) or None
    transposed : bool
        Whether the layers are those with the transposed weights, from ``n_out`` to ``n_in``.
    present : Tensor of shape (n_networks, 1, 1), optional
        1 for the networks that have such a layer; to others, where 0 stands, it adds nothing.
    """

    present: Tensor | None

    def __init__(
        self,
        weight: nn.Parameter,
        bias: nn.Parameter | None,
        transposed: bool,
        present: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.bias = bias
        self.transposed = transposed
        self.register_buffer("present", present)

    def forward(self, X: Tensor) -> Tensor:
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if self.present is not None:
            weight = weight * self.present
            bias = None if bias is None else bias * self.present
        weight = weight if self.transposed else weight.mT
        return torch.bmm(X, weight) if bias is None else torch.baddbmm(bias, X, weight)


# What takes (n_networks, batch, n) as it takes (batch, n), if its tensors broadcast.
_BROADCAST = (
    nn.Identity,
    nn.Sequential,
    nn.ModuleList,
    *ACTIVATIONS.values(),
    Standardize,
    MissingFlags,
    SkipConnection,
    Activation,
    Encoder,
    Decoder,
    ColumnActivations,
    AutoencoderNetwork,
    SquaredError,
    AbsoluteError,
    Huber,
    LogLoss,
    ObservedLoss,
    PenalizedLoss,
    ColumnLosses,
    Levels,
    MixedOutput,
    MixedLoss,
    MixedLikelihood,
    Dropout,
    NestedDropout,
    PrefixDropout,
    VariationalEncoder,
    VariationalNetwork,
    DrawCode,
    Binarize,
    *LIKELIHOODS.values(),
    EvidenceLoss,
)


def likeness(module: nn.Module) -> Hashable | None:
    """Return what modules have in common that can stand side by side: all but their numbers.

    None is that of a module that can't, as it has parts of which it is not known that they can be
    stacked: a user's, or those that take statistics of a batch. A network with a linear path is
    like one without.
    """
    kind = type(module)
    if isinstance(module, SkipConnection) and isinstance(module.linear_path, nn.Linear):
        return likeness(module.correction)
    if kind not in _BROADCAST and kind not in (nn.Linear, nn.LayerNorm, TransposedLinear):
        return None
    if isinstance(module, nn.LayerNorm):
        plain = module.bias is not None and len(module.normalized_shape) == 1
        return (kind, module.extra_repr()) if plain else None
    parts: list[Any] = module.penalties if isinstance(module, PenalizedLoss) else []
    if isinstance(module, Activation):
        parts = [module.part]
    if any(_is_foreign(part) for part in parts):
        return None
    children = [(name, child and likeness(child)) for name, child in module._modules.items()]
    if any(child is None and module._modules[name] is not None for name, child in children):
        return None
    tensors = [*module._parameters.items(), *module._buffers.items()]
    numbers = tuple((name, _likeness_of(tensor)) for name, tensor in tensors)
    return kind, module.extra_repr(), tuple(children), numbers


def _is_foreign(part: Any) -> bool:
    """Whether a part is not skae's, which take a dimension more."""
    return not type(part).__module__.startswith("skae.")


def _likeness_of(tensor: Tensor | None) -> Hashable:
    if tensor is None:
        return None
    # Integers are columns, which are the same in all networks.
    numbers = None if tensor.is_floating_point() else tuple(tensor.flatten().tolist())
    return tensor.shape, tensor.requires_grad, numbers


def side_by_side(modules: Sequence[nn.Module]) -> nn.Module:
    """Return one module that does what each of several does with rows of its own.

    They have one `likeness`. The module takes (n_modules, batch, n) instead of (batch, n), and has
    the same names for parameters and buffers, which are copies with one more dimension.
    """
    return _Stacking().module(modules)


class _Stacking:
    """What is stacked once, where networks have one module or parameter in two places."""

    def __init__(self) -> None:
        self.done: dict[tuple[int, ...], Any] = {}

    def module(self, modules: Sequence[nn.Module]) -> nn.Module:
        key = tuple(id(module) for module in modules)
        if key not in self.done:
            self.done[key] = self._new(modules)
        return self.done[key]

    def _new(self, modules: Sequence[Any]) -> nn.Module:
        first, kind = modules[0], type(modules[0])
        if any(isinstance(module, SkipConnection) for module in modules):
            return self._skip_connection(modules)
        if kind in (nn.Linear, TransposedLinear):
            weight = self._tensor([module.weight for module in modules])
            bias = self._tensor([module.bias for module in modules], broadcast=True)
            return LinearSideBySide(weight, bias, kind is TransposedLinear)
        if kind is nn.LayerNorm:
            weight = self._tensor([module.weight for module in modules], broadcast=True)
            bias = self._tensor([module.bias for module in modules], broadcast=True)
            return LayerNormSideBySide(weight, bias, first.eps)
        result = copy.copy(first)
        if isinstance(result, RandomLayer):
            result.side_by_side = True
        result._modules = {
            name: child and self.module([module._modules[name] for module in modules])
            for name, child in first._modules.items()
        }
        for tensors in ("_parameters", "_buffers"):
            stacked = {
                name: self._tensor([getattr(module, name) for module in modules], broadcast=True)
                for name in getattr(first, tensors)
            }
            setattr(result, tensors, stacked)
        return result

    def _skip_connection(self, modules: Sequence[Any]) -> nn.Module:
        """Return the linear paths of networks beside what all of them have."""
        has_path = [isinstance(module, SkipConnection) for module in modules]
        correct = [module.correction if has_path[i] else module for i, module in enumerate(modules)]
        paths = [module.linear_path for module in modules if isinstance(module, SkipConnection)]
        if all(has_path):
            return SkipConnection(self.module(paths), self.module(correct))
        idle = copy.deepcopy(paths[0])
        for parameter in idle.parameters():
            parameter.data.zero_()
        some = iter(paths)
        path: Any = self.module([next(some) if has else copy.copy(idle) for has in has_path])
        present = torch.tensor(has_path, dtype=torch.float32)[:, None, None]
        path = LinearSideBySide(path.weight, path.bias, path.transposed, present)
        return SkipConnection(path, self.module(correct))

    def _tensor(self, tensors: Sequence[Tensor | None], *, broadcast: bool = False) -> Any:
        first = tensors[0]
        if first is None or not first.is_floating_point():
            return first
        key = tuple(id(tensor) for tensor in tensors)
        if key not in self.done:
            stacked = torch.stack([tensor.detach() for tensor in tensors if tensor is not None])
            if broadcast:
                stacked = stacked.reshape(len(tensors), 1, *(first.shape or (1,)))
            if isinstance(first, nn.Parameter):
                stacked = nn.Parameter(stacked, requires_grad=first.requires_grad)
            self.done[key] = stacked
        return self.done[key]


def part_of(stacked: nn.Module, number: int, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of one of several networks, from the module that they are in."""
    if isinstance(stacked, SkipConnection) and not isinstance(network, SkipConnection):
        return part_of(stacked.correction, number, network)
    state = {
        name: getattr(stacked, name)[number].reshape(tensor.shape)
        for name, tensor in (*network.named_parameters(recurse=False), *_floats(network))
    }
    for name, child in network.named_children():
        of_child = part_of(getattr(stacked, name), number, child)
        state |= {f"{name}.{key}": tensor for key, tensor in of_child.items()}
    return state


def _floats(module: nn.Module) -> list[tuple[str, Tensor]]:
    buffers = module.named_buffers(recurse=False)
    return [(name, tensor) for name, tensor in buffers if tensor.is_floating_point()]


class LossSideBySide(RowLoss):
    """The sum of the losses of networks side by side, such that each has the gradient of its own.

    Parameters
    ----------
    loss : RowLoss
        What `side_by_side` makes of their losses.
    network : Module
        What it makes of the networks.
    """

    def __init__(self, loss: nn.Module, network: Any) -> None:
        super().__init__()
        self.loss: Any = loss
        if isinstance(loss, PenalizedLoss):
            loss.encode_by(network.encoder.from_standardized)
        self.has_own_unit = bool(self.loss.has_own_unit)
        self._sum: Any = 0.0
        self._n_rows = 0

    def forward(self, output: Any, target: list[Tensor]) -> Tensor:
        weight = target[1]  # (n_networks, batch)
        self.loss.progress = self.progress
        losses = self.loss.weighted_rows(output, target).mean(dim=1)
        self._sum = self._sum + losses.detach() * weight.shape[1]
        self._n_rows += weight.shape[1]
        return losses.sum()

    def gather(self, sum_of_all: Callable[[Tensor], Tensor]) -> None:
        """Let the means be those of the rows of several processes, by what sums up a tensor."""
        self._sum = sum_of_all(self._sum)
        self._n_rows = int(sum_of_all(self._sum.new_tensor([self._n_rows], dtype=torch.int64)))

    def take_means(self) -> Tensor:
        """Return the mean losses of the batches since the last call, (n_networks,)."""
        means = self._sum / self._n_rows
        self._sum, self._n_rows = 0.0, 0
        return means

    def rows(self, output: Any, aim: Tensor, *more: Tensor) -> Tensor:
        return self.loss.rows(output, aim, *more)
