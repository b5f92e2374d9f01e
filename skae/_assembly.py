"""From layers to a network before its training: its linear path, its outputs, its start."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import logit
from torch import nn
from torch.nn import functional as F

from ._fitting import LEAST_SCALE
from ._principal_axes import principal_axes
from ._rows import dense_chunks, fill_holes, places_among
from ._threads import single_thread
from .nn import (
    ACTIVATIONS,
    AbsoluteError,
    Activation,
    AutoencoderNetwork,
    CallableLoss,
    ColumnActivations,
    ColumnLosses,
    Decoder,
    Encoder,
    Huber,
    LogLoss,
    MissingFlags,
    ReconstructionLoss,
    SkipConnection,
    SquaredError,
    Standardize,
    TransposedLinear,
    linear,
)

LOSSES: dict[str, Callable[[Standardize], ReconstructionLoss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "log_loss": LogLoss,
}

_EDGE = 0.01  # how near to its bounds a bounded output starts


class Output(NamedTuple):
    """What the last layer's output goes through, and what that has to be to give X."""

    activation: Callable[[], nn.Module]
    argument: Callable[[np.ndarray], np.ndarray]


# What an output activation is applied to, where it shall give X: where the start aims.
_INVERSES = {
    "logistic": lambda X: logit(np.clip(X, _EDGE, 1 - _EDGE)),
    "tanh": lambda X: np.arctanh(np.clip(X, _EDGE - 1, 1 - _EDGE)),
    "softplus": lambda X: np.log(np.expm1(np.clip(X, _EDGE, 500))),
}

_START_ROWS = 4096  # rows that the start of a nonlinear output is fitted to


class Layers(NamedTuple):
    """The nonlinear layers of an autoencoder, each ``None`` where it has none.

    With a linear path beside them they must start at zero.
    """

    encode: nn.Module | None
    decode: nn.Module | None
    tied: bool = False  # whether the decoder's weights are the encoder's, transposed
    flags: MissingFlags | None = None  # before the encoder's


class ColumnGroups(NamedTuple):
    """Losses, and the columns that each of them is for."""

    losses: list  # names or callables
    columns: list[np.ndarray]  # of int, together each column once


def column_groups(loss, n_features: int, names) -> ColumnGroups | None:
    """Return the columns of each loss, if the loss is a mapping to columns.

    Parameters
    ----------
    loss : str, callable or dict
    n_features : int
    names : ndarray of str of shape (n_features,) or None
    """
    if not isinstance(loss, dict):
        return None
    columns = [_columns(which, n_features, names) for which in loss.values()]
    for name in loss:
        if not callable(name) and name not in LOSSES:
            raise ValueError(
                f"loss={loss!r} has the key {name!r}; expected one of {sorted(LOSSES)} or a "
                "callable."
            )
    counts = np.bincount(np.concatenate([[], *columns]).astype(int), minlength=n_features)
    for problem, which in (("no loss", counts == 0), ("several losses", counts > 1)):
        if which.any():
            raise ValueError(
                f"loss={loss!r} gives {problem} to the columns "
                f"{np.flatnonzero(which).tolist()} of X; each column needs exactly one."
            )
    pairs = [pair for pair in zip(loss, columns, strict=True) if len(pair[1])]
    return ColumnGroups([name for name, _ in pairs], [which for _, which in pairs])


def _columns(which, n_features, names):
    """Return columns given as ints, a slice, a mask or names as an array of int."""
    if isinstance(which, slice):
        return np.arange(n_features)[which]
    which = np.atleast_1d(np.asarray(which))
    if which.dtype.kind in "UO" and len(which):
        known = {} if names is None else {name: i for i, name in enumerate(names)}
        unknown = [name for name in which.tolist() if name not in known]
        if unknown:
            raise ValueError(
                f"loss names the columns {unknown}, but X has "
                + (f"only {list(known)}." if known else "no column names: give a DataFrame.")
            )
        return np.array([known[name] for name in which])
    if which.dtype.kind == "b":
        if len(which) != n_features:
            raise ValueError(
                f"loss has a mask of {len(which)} columns, but X has {n_features} columns."
            )
        return np.flatnonzero(which)
    if which.dtype.kind not in "iu" and len(which):
        raise ValueError(
            f"loss has the columns {which!r}; expected integers, a slice, a boolean mask or names."
        )
    which = which.astype(int)
    beyond = which[(which < -n_features) | (which >= n_features)]
    if len(beyond):
        raise ValueError(f"loss has the columns {beyond.tolist()}, but X has {n_features} columns.")
    return which % n_features


def outputs_of(loss, output_activation: str | None, groups: ColumnGroups | None) -> list[Output]:
    """Return the outputs of a loss, one for each group of columns if there are several."""
    if has_own_output(loss):
        return [Output(loss.output, loss.argument)]
    if groups is not None:
        return [_output("logistic" if one == "log_loss" else "identity") for one in groups.losses]
    return [_output("logistic" if loss == "log_loss" else output_activation or "identity")]


def _output(name: str) -> Output:
    return Output(ACTIVATIONS[name], _INVERSES.get(name, np.asarray))


def has_own_output(loss) -> bool:
    """Whether a loss says what its outputs are, as that of a table's columns does."""
    return hasattr(loss, "output")


def reconstruction_loss(
    standardize: Standardize, loss, groups: ColumnGroups | None
) -> ReconstructionLoss:
    """Return the loss that a name, a callable or a mapping to columns stands for."""
    if groups is None:
        return _loss(loss)(standardize)
    pairs = zip(groups.losses, groups.columns, strict=True)
    return ColumnLosses(
        standardize, [(_loss(one), torch.from_numpy(columns)) for one, columns in pairs]
    )


def _loss(loss) -> Callable[[Standardize], ReconstructionLoss]:
    if isinstance(loss, str):
        return LOSSES[loss]
    if has_own_output(loss):
        return loss.of
    return lambda standardize: CallableLoss(standardize, loss)


def assemble(
    X,
    indices: np.ndarray,
    weight: np.ndarray,
    mean: np.ndarray,
    scale: float,
    layers: Layers,
    *,
    n_components: int,
    pca: bool,
    latent_activation,
    outputs: list[Output],
    groups: ColumnGroups | None,
    between: nn.Module | None,
) -> AutoencoderNetwork:
    """Build a network from its layers, at PCA if that is where it starts.

    Parameters
    ----------
    X : {ndarray, csr_array} of shape (n_samples, n_features)
        May have holes.
    indices, weight : ndarray of shape (n_rows,)
        The rows that count.
    mean : ndarray of shape (n_features,)
    scale : float
    layers : Layers
    n_components : int
    pca : bool
        Whether there is a linear path, which starts at the principal axes.
    latent_activation : str or part
    outputs : list of Output
        What `outputs_of` returns.
    groups : ColumnGroups or None
    between : torch.nn.Module or None
    """
    standardize = standardization(mean, scale)
    encode, decode, tied, flags = layers
    if isinstance(latent_activation, str):
        activation = ACTIVATIONS[latent_activation]()
    else:
        activation = Activation(copy.deepcopy(latent_activation))
    axes = None
    if pca:
        X = fill_holes(X, mean)
        n_flags = 0 if flags is None else len(flags.columns)
        into = linear(len(mean) + n_flags, n_components, generator=torch.Generator(), zero=True)
        out_of: nn.Module = TransposedLinear(into)
        if not tied:
            out_of = linear(n_components, len(mean), generator=torch.Generator(), zero=True)
        encode, decode = _beside(into, encode), _beside(out_of, decode)
        axes = principal_axes(X, indices, weight, mean, n_components)
    assert encode is not None  # where there is no linear path
    assert decode is not None
    if flags is not None:
        encode = nn.Sequential(flags, encode)
    encoder = Encoder(standardize, encode, activation)
    plain = all(output.activation is nn.Identity for output in outputs)
    if plain and latent_activation == "identity":
        decoder = Decoder(standardize, decode)
        if axes is not None:
            _start_at_axes(into, out_of, axes)
        return AutoencoderNetwork(encoder, decoder, between)

    sample = places_among(len(indices), _START_ROWS)
    rows = np.concatenate([rows for _, rows in dense_chunks(X, indices[sample])])
    rows = fill_holes(rows, mean)
    center, spread = mean, scale
    if plain:
        decoder = Decoder(standardize, decode)
    else:
        argument = _argument(rows, outputs, groups)
        center, spread = argument.mean(axis=0), _spread(argument, groups)
        if groups is None:
            output = outputs[0].activation()
        else:
            group_of = torch.from_numpy(np.argsort(np.concatenate(groups.columns)))
            sizes = torch.tensor([len(columns) for columns in groups.columns])
            group_of = torch.repeat_interleave(torch.arange(len(sizes)), sizes)[group_of]
            output = ColumnActivations(group_of, [output.activation for output in outputs])
        decoder = Decoder(standardize, decode, output, standardization(center, spread))
    if axes is not None:
        Z = (rows - mean) / scale  # (n_sampled, n_features)
        wanted = _argument(Z @ axes.T @ axes * scale + mean, outputs, groups)
        target = (wanted - center) / spread
        if tied:
            _start_tied(into, out_of, axes, Z, target, decoder)
        else:
            _start_near_axes(into, out_of, activation, axes, Z, target, weight[sample])
    return AutoencoderNetwork(encoder, decoder, between)


def _beside(path: nn.Module, correction: nn.Module | None) -> nn.Module:
    """Return a linear path with a correction beside it, if there is one."""
    if correction is None:
        return nn.Sequential(OrderedDict(linear_path=path))
    return SkipConnection(path, correction)


def _argument(rows: np.ndarray, outputs: list[Output], groups: ColumnGroups | None) -> np.ndarray:
    """Return what the output activations would have to be applied to, to give these rows."""
    if groups is None:
        return outputs[0].argument(rows)
    argument = np.array(rows, dtype=np.float64)
    for output, columns in zip(outputs, groups.columns, strict=True):
        argument[:, columns] = output.argument(argument[:, columns])
    return argument


def _spread(argument: np.ndarray, groups: ColumnGroups | None):
    """Return the root mean variance of the arguments, one for each group of columns."""
    if groups is None:
        return argument.std() or 1.0
    spread = np.ones(argument.shape[1])
    for columns in groups.columns:
        spread[columns] = np.sqrt(argument[:, columns].var(axis=0).mean()) or 1.0
    return spread


def n_codes_of(network) -> int:
    """Return how many numbers a code of a network has."""
    rows = torch.zeros(1, len(network.encoder.standardize.mean), dtype=torch.float32)
    with single_thread(True), torch.inference_mode():
        return network.encoder.from_standardized(rows).shape[1]


def standardization(mean, scale) -> Standardize:
    """Return the module that standardizes by these, in single precision."""
    return Standardize(
        torch.as_tensor(mean, dtype=torch.float32), torch.as_tensor(scale, dtype=torch.float32)
    )


def _start_at_axes(into, out_of, axes):
    """Set the linear paths to principal axes (rank, n_features) and back: the start is PCA.

    Where the rank is less than the number of codes, the other codes start at zero.
    """
    with torch.no_grad():
        into.weight[: len(axes), : axes.shape[1]] = torch.from_numpy(axes)
        if isinstance(out_of, nn.Linear):
            out_of.weight[:, : len(axes)] = torch.from_numpy(axes.T)


def _start_near_axes(into, out_of, activation, axes, Z, target, weight):
    """Set the linear paths as near to PCA as activations of code and output let them be.

    The encoder's takes the principal axes, scaled to codes of unit variance if an
    activation follows. The decoder's takes the least-squares map from the codes of some
    rows to what the output activation would have to be applied to.

    Parameters
    ----------
    into, out_of : torch.nn.Linear
        The linear paths of encoder and decoder.
    activation : torch.nn.Module
        What follows the first.
    axes : ndarray of shape (rank, n_features)
    Z : ndarray of shape (n_rows, n_features)
        Some standardized rows.
    target : ndarray of shape (n_rows, n_features)
        What the decoder's linear path should give for them.
    weight : ndarray of shape (n_rows,)
    """
    if not isinstance(activation, nn.Identity):
        spread = (Z @ axes.T).std(axis=0)
        axes = axes / np.where(spread > LEAST_SCALE, spread, 1)[:, None]
    with torch.no_grad():
        into.weight[: len(axes), : axes.shape[1]] = torch.from_numpy(axes)
        without_flags = into.weight[:, : axes.shape[1]]
        codes = F.linear(torch.from_numpy(Z).float(), without_flags, into.bias)
        codes = activation(codes).double().numpy()
        design = np.column_stack([codes, np.ones(len(codes))])
        root = np.sqrt(weight)[:, None]
        solution = np.linalg.lstsq(root * design, root * target, rcond=None)[0]
        out_of.weight[:] = torch.from_numpy(solution[:-1].T)
        out_of.bias[:] = torch.from_numpy(solution[-1])


def _start_tied(into, out_of, axes, Z, target, decoder):
    """Set tied paths to the principal axes, and the one scale of the outputs to what fits best."""
    with torch.no_grad():
        into.weight[: len(axes)] = torch.from_numpy(axes)
        if decoder.argument is not None:
            linear_map = Z @ axes.T @ axes
            gain = (linear_map * target).sum() / max(np.square(linear_map).sum(), 1e-12)
            decoder.argument.scale *= max(gain, 1e-3)


def missing_flags(estimator, n_features: int) -> tuple[MissingFlags | None, int]:
    """Return flags of missing values, if there are any, and how many columns an encoder has then.

    With the loss of a table there is one for each column of the table.
    """
    if estimator.missing != "flag":
        return None, n_features
    columns = torch.tensor(getattr(estimator.loss, "first_columns", range(n_features)))
    return MissingFlags(columns), n_features + len(columns)


def check_module(name, module, n_in, n_out):
    """Refuse a user's part that is no module or does not give the columns that it has to."""
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{name} must be a torch.nn.Module or a function of the number of columns in and "
            f"out that returns one; the function returned {type(module).__name__}."
        )
    with torch.no_grad():
        try:
            shape = tuple(module.eval()(torch.zeros(2, n_in)).shape)
        except RuntimeError as error:
            raise ValueError(
                f"{name} fails on a batch of shape (2, {n_in}), as it will be given: {error}"
            ) from error
    module.train()
    if shape != (2, n_out):
        raise ValueError(
            f"{name} turns a batch of shape (2, {n_in}) into one of shape {shape}, but "
            f"(2, {n_out}) is expected."
        )
