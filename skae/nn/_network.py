"""The autoencoder's network: standardize, encode, decode, and the start at PCA."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree


class AutoencoderOutput:
    """What one forward pass produces, and all that a loss may look at.

    Args:
        reconstruction: (batch, n_features), standardized; or a function that returns it, called
            when it is asked for first. Softmaxes of categories are a tenth of a step, and their
            loss needs only what they are applied to.
        code: (batch, n_components)
        preactivation: (batch, n_features), before the output activation
    """

    def __init__(
        self, reconstruction: Tensor | Callable[[], Tensor], code: Tensor, preactivation: Tensor
    ) -> None:
        self._reconstruction = reconstruction
        self.code = code
        self.preactivation = preactivation

    @property
    def reconstruction(self) -> Tensor:
        if not isinstance(self._reconstruction, Tensor):
            self._reconstruction = self._reconstruction()
        return self._reconstruction

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.reconstruction, self.code, self.preactivation))


# So that torch.export and others that look into what networks return know its tensors.
pytree.register_pytree_node(
    AutoencoderOutput,
    lambda output: (list(output), None),
    lambda tensors, _: AutoencoderOutput(*tensors),
)


class Standardize(nn.Module):
    """Subtract each column's mean and divide by one number for all columns.

    One number, so that the squared error of what comes out is minimized by what
    minimizes the squared error of what went in.
    """

    mean: Tensor  # (n_features,)
    scale: Tensor  # ()

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, X: Tensor) -> Tensor:
        return (X - self.mean) / self.scale

    def inverse(self, Z: Tensor) -> Tensor:
        return Z * self.scale + self.mean

    def extra_repr(self) -> str:
        return f"n_features={len(self.mean)}"


class SkipConnection(nn.Module):
    """A linear path plus a nonlinear one that starts at zero.

    With its linear path at the principal axes an encoder or a decoder begins as PCA's,
    and whatever the nonlinear path learns is a correction of it. Residual connections
    that start at the identity: He et al. 2016, arXiv:1603.05027; with a gate at zero:
    Bachlechner et al. 2020, arXiv:2003.04887.
    """

    def __init__(self, linear_path: nn.Module, correction: nn.Module) -> None:
        super().__init__()
        self.linear_path = linear_path
        self.correction = correction

    def forward(self, X: Tensor) -> Tensor:
        return self.linear_path(X) + self.correction(X)


class MissingFlags(nn.Module):
    """Rows with the mean in the place of NaN, and after them which values were NaN, as 0 and 1.

    Lipton, Kale & Wetzel 2016, arXiv:1606.04130.
    """

    columns: Tensor  # (n_flags,) of int, those that have a flag

    def __init__(self, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("columns", columns)

    def forward(self, Z: Tensor) -> Tensor:
        missing = Z.isnan()
        flags = missing[..., self.columns].to(Z.dtype)
        return torch.cat([Z.masked_fill(missing, 0.0), flags], dim=-1)

    def extra_repr(self) -> str:
        return f"n_flags={len(self.columns)}"


class Gate(nn.Module):
    """Multiply each output of a module by a learned number that starts at zero."""

    def __init__(self, module: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.module = module
        self.gain = nn.Parameter(torch.zeros(n_outputs, dtype=torch.float32))

    def forward(self, X: Tensor) -> Tensor:
        return self.module(X) * self.gain


class Encoder(nn.Module):
    """Rows in their own units in, codes out."""

    def __init__(self, standardize: Standardize, body: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.standardize = standardize
        self.body = body
        self.activation = activation

    def forward(self, X: Tensor) -> Tensor:
        return self.from_standardized(self.standardize(X))

    def from_standardized(self, Z: Tensor) -> Tensor:
        """Encode rows that are standardized already."""
        return self.activation(self.body(Z))


def knows_missing(encoder: nn.Module) -> bool:
    """Whether an encoder takes NaN for a value that is missing."""
    body = getattr(encoder, "body", None)
    return isinstance(body, nn.Sequential) and isinstance(body[0], MissingFlags)


def as_encoded(encoder: nn.Module, Z: Tensor) -> Tensor:
    """Return standardized rows as an encoder takes them: NaN is the mean, if it knows of none."""
    return Z if knows_missing(encoder) else Z.masked_fill(Z.isnan(), 0.0)


class Decoder(nn.Module):
    """Codes in, rows in their own units out.

    Without an output activation (``None``) the body's output is a standardized row. With
    one, the body's output is scaled to where the activation's argument lies, and the
    activation gives the row in its own units: a logistic output lies in [0, 1] whatever
    the mean and scale of the data.
    """

    def __init__(
        self,
        standardize: Standardize,
        body: nn.Module,
        activation: nn.Module | None = None,
        argument: Standardize | None = None,
    ) -> None:
        super().__init__()
        self.standardize = standardize
        self.body = body
        self.activation = activation
        self.argument = argument

    def forward(self, code: Tensor) -> Tensor:
        if self.activation is None:
            return self.standardize.inverse(self.body(code))
        return self.activation(self.preactivation(code))

    def preactivation(self, code: Tensor) -> Tensor:
        """Return what the output activation is applied to."""
        output = self.body(code)
        return output if self.argument is None else self.argument.inverse(output)

    def to_standardized(self, preactivation: Tensor) -> Tensor:
        """Return the standardized row that belongs to a preactivation."""
        if self.activation is None:
            return preactivation
        return self.standardize(self.activation(preactivation))


class CodeActivation(Protocol):
    """A part that a code passes through, such as `skae.activation.TopK`."""

    def activate(self, code: Tensor) -> Tensor:
        """Return the code, (batch, n_components), after the activation."""


class Activation(nn.Module):
    """An activation that is a part with a method ``activate``, as a layer."""

    def __init__(self, part: CodeActivation) -> None:
        super().__init__()
        self.part = part

    def forward(self, code: Tensor) -> Tensor:
        result = self.part.activate(code)
        if result.shape != code.shape:
            raise ValueError(
                f"{self.part!r} turned codes of shape {tuple(code.shape)} into "
                f"{tuple(result.shape)}; its method activate must keep the shape."
            )
        return result

    def extra_repr(self) -> str:
        return repr(self.part)


class FirstCodes(nn.Module):
    """The first numbers of a code."""

    def __init__(self, n_codes: int) -> None:
        super().__init__()
        self.n_codes = n_codes

    def forward(self, code: Tensor) -> Tensor:
        return code[:, : self.n_codes]

    def extra_repr(self) -> str:
        return f"n_codes={self.n_codes}"


class PadCodes(nn.Module):
    """A code with zeros in the place of the numbers that it lacks."""

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = n_components

    def forward(self, code: Tensor) -> Tensor:
        return F.pad(code, (0, self.n_components - code.shape[1]))

    def extra_repr(self) -> str:
        return f"n_components={self.n_components}"


class ColumnActivations(nn.Module):
    """An activation of its own for each group of columns."""

    columns: Tensor  # (n_features,), the group of each column

    def __init__(self, columns: Tensor, activations: Sequence[Callable[[], nn.Module]]) -> None:
        super().__init__()
        self.register_buffer("columns", columns)
        self.activations = nn.ModuleList(activation() for activation in activations)

    def forward(self, X: Tensor) -> Tensor:
        result = X
        for group, activation in enumerate(self.activations):
            if not isinstance(activation, nn.Identity):
                result = torch.where(self.columns == group, activation(X), result)
        return result


class AutoencoderNetwork(nn.Module):
    """An encoder and a decoder, each usable alone on rows and codes in their own units.

    ``between`` is what happens to a code on its way to the decoder while training.

    The forward pass itself, which is for training, takes standardized rows: they are
    standardized once, in double precision, and not anew in every batch.
    """

    def __init__(
        self, encoder: Encoder, decoder: Decoder, between: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.between = between

    def train(self, mode: bool = True) -> "AutoencoderNetwork":
        # Asked before every batch; a walk through all modules costs as much as a small layer.
        return self if mode == self.training else super().train(mode)

    def forward(self, Z: Tensor) -> AutoencoderOutput:
        code = self.encoder.from_standardized(Z)  # (batch, n_components)
        passed = code if self.between is None else self.between(code)
        preactivation = self.decoder.preactivation(passed)  # (batch, n_features)
        rebuild = partial(self.decoder.to_standardized, preactivation)
        return AutoencoderOutput(rebuild, code, preactivation)
