"""Codes that are sorted by what they are worth: how much that is, and how many are enough."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from torch import nn

from ._contract import available_if
from ._fitting import Fit, Way, held_out_by_best, is_auto
from ._holding_out import FitRows, Split
from ._principal_axes import explained_along, n_principal_axes, principal_axes
from ._racing import LEVEL, is_proven
from ._rows import StandardizedRows, fill_holes, mean_and_scale
from ._training import evaluate
from ._warnings import warn
from .nn import AutoencoderNetwork, FirstCodes, PadCodes, PrefixDropout

N_CODES = [
    StrOptions({"auto"}),
    Interval(Integral, 1, None, closed="left"),
    Interval(RealNotInt, 0, 1, closed="neither"),
]

# Of the variance: a code that explains less is not asked for, be it never so sure.
_LEAST_SHARE = 0.01

_MOST_CODES = 64  # that are tried

# What is known of each number of codes.
_CURVE = "n_components", "r2", "r2_error", "pca_r2"


def errors_of_prefixes(network: nn.Module, rows: StandardizedRows) -> np.ndarray:
    """Return the squared error of some rows by how many of their codes are used.

    Returns
    -------
    ndarray of shape (n_components + 1,)
        Weighted sums, in standardized units; the first is the error of the columns' means.
    """
    return rows.sample_weight @ _errors_of_rows(network, rows)


def _errors_of_rows(network, rows):
    errors = evaluate(_errors_by_prefix, network, rows)  # (n_rows, n_components + 1)
    return errors.double().numpy()


def _errors_by_prefix(network, Z, target):
    missing = target.isnan()
    code = network.encoder.from_standardized(Z)
    order = torch.arange(code.shape[1])
    errors = [target]
    for n_codes in range(1, len(order) + 1):
        preactivation = network.decoder.preactivation(code * (order < n_codes))
        errors.append(network.decoder.to_standardized(preactivation) - target)
    squares = [error.square().masked_fill(missing, 0.0).sum(dim=1) for error in errors]
    return torch.stack(squares, dim=1)


def cut_codes(network: AutoencoderNetwork, ratio: np.ndarray, share: float) -> np.ndarray:
    """Keep the first codes of a network that explain a share of the variance.

    Parameters
    ----------
    network : AutoencoderNetwork
        Changed in place.
    ratio : ndarray of shape (n_codes,)
        What each code adds to the explained share.
    share : float
        In (0, 1). Where all codes explain less, a ConvergenceWarning is given, and all are kept.

    Returns
    -------
    ndarray of shape (n_kept,)
        What the codes that are kept add.
    """
    explained = np.cumsum(ratio)
    n_codes = len(explained)
    enough = np.flatnonzero(explained >= share)
    if len(enough) == 0:
        warn(
            f"{n_codes} codes explain {explained[-1]:.3f} of the variance of rows not trained "
            f"on, less than n_components={share}; all of them are kept. Train longer, or give a "
            "number of components.",
            ConvergenceWarning,
        )
        return ratio
    kept = int(enough[0]) + 1
    if kept < n_codes:
        encoder, decoder = network.encoder, network.decoder
        encoder.activation = nn.Sequential(encoder.activation, FirstCodes(kept))
        decoder.body = nn.Sequential(PadCodes(n_codes), decoder.body)
    return ratio[:kept]


def _has_number(estimator: Any) -> bool:
    """Say whether codes have a number or a share to explain, or raise an error."""
    if is_auto(estimator.n_components):
        raise AttributeError(
            "n_components='auto' is decided by rows held out, but partial_fit holds none out. Give "
            "a number of components, or use fit."
        )
    return True


# Decorates methods that hold no rows out: there are none where the number of codes is open.
numbered = available_if(_has_number)


def keep_curve(estimator: Any, curve: dict[str, list] | None, resumed: bool) -> None:
    """Set what was found of each number of codes, or forget what another fit has found."""
    if not resumed:
        vars(estimator).pop("components_curve_", None)
    if curve is not None:
        estimator.components_curve_ = curve


def n_to_train(
    fit: Fit, X, ways: Callable[..., Sequence[Way]] | None = None
) -> tuple[int, dict[str, list] | None]:
    """Return how many codes to train, and the curve that rows held out have decided it by, if any.

    A share of variance is that of PCA. It has some codes to spare where there are rows held out,
    which are explained worse.

    Parameters
    ----------
    fit : Fit
    X : {ndarray, csr_array, RowSource} of shape (n_samples, n_targets)
        What rows are to be rebuilt as.
    ways : callable, optional
        ``ways(n_codes, pretraining)`` returns the ways to fit a number of codes, where there is a
        whole fit.
    """
    n_components = fit.estimator.n_components
    if fit.resumed:
        return fit.estimator._n_features_out, None
    if is_auto(n_components):
        _refuse_what_is_not_open(fit.estimator)
        return _asked_for(fit, X, ways)
    if isinstance(n_components, Integral):
        return int(n_components), None
    given = fit.rows.indices, fit.rows.weight
    mean, _ = mean_and_scale(X, *given)
    share = n_components if ways is None else 1 - (1 - n_components) / 2
    return n_principal_axes(fill_holes(X, mean), *given, mean, share), None


def _asked_for(fit, X, ways):
    """Return how many codes rows held out ask for, and what they explain by the number of codes.

    One network is trained for all numbers: each row is decoded from the first of its codes only,
    how many being drawn. A number is enough if no larger one explains significantly more of the
    rows held out than as many directions would of noise that is alike in all dimensions that are
    left, and more than 1 % of the variance for each code. A network of fewer numbers has learnt
    each better, so those up to what was enough are tried again, until all are asked for.
    """
    if len(fit.rows) < 2:  # none of which can be held out
        return 1, {name: [] for name in _CURVE}
    mean, unit = mean_and_scale(X, fit.rows.indices, fit.rows.weight, scatter=True)
    n_most, n_columns = _most_codes(X, fit.rows, mean), X.shape[1]
    errors, splits = _held_out(fit, ways, n_most, unit)
    weight = np.concatenate([split.validation.weight for split in splits])
    given = [split.groups for split in splits if split.groups is not None]
    groups = np.concatenate(given) if given else None
    n_tried, n_codes = n_most, _n_enough(errors, weight, groups, n_columns)
    while n_codes < n_tried:
        n_tried = n_codes
        again, _ = _held_out(fit, ways, n_tried, unit)
        (better,) = np.nonzero(weight @ again < weight @ errors[:, : n_tried + 1])
        errors[:, better] = again[:, better]
        n_codes = _n_enough(errors, weight, groups, n_columns)
    of_pca = np.sum([_left_by_pca(X, split, n_most) for split in splits], axis=0)
    r2, pca_r2 = (1 - left[1:] / (left[0] or 1) for left in (weight @ errors, of_pca))
    values = np.arange(1, n_most + 1), r2, _standard_errors(errors, weight), pca_r2
    return n_codes, {name: some.tolist() for name, some in zip(_CURVE, values, strict=True)}


def _refuse_what_is_not_open(estimator: Any) -> None:
    """Raise an error where no rows are held out to ask, or codes have a number already."""
    if not estimator.early_stopping:
        raise ValueError(
            "n_components='auto' is decided by rows held out, and with early_stopping=False there "
            "are none. Hold rows out, or give a number of components."
        )
    for name in ("encoder", "decoder"):
        if isinstance(getattr(estimator, name, None), nn.Module):
            raise ValueError(
                f"n_components='auto' does not go with {name} as a module, whose codes have a "
                "number already. Give a function of n_features and n_components that returns a "
                "module, or a number of components."
            )


def _most_codes(X, rows: FitRows, mean: np.ndarray) -> int:
    """Return how many codes are tried: all that PCA has of use, or as many as explain half."""
    given = rows.indices, rows.weight
    X = fill_holes(X, mean)
    axes = principal_axes(X, *given, mean, min(_MOST_CODES, len(rows), X.shape[1]))
    explained, total = explained_along(axes, X, *given, mean)
    share = explained / (total or 1)
    n_worth, n_half = np.sum(share >= _LEAST_SHARE), np.sum(np.cumsum(share) < 0.5) + 1
    return max(1, min(len(share), int(max(n_worth, n_half))))


def _held_out(fit: Fit, ways, n_codes: int, unit: float) -> tuple[np.ndarray, list[Split]]:
    """Return the errors of rows held out by how many codes are used, (n_held_out, n_codes + 1).

    They are squares of a unit that is near to the scales of the rows trained on, as fourth powers
    of large or small values have no numbers.
    """
    fit = fit._replace(ways=[_of_prefixes(way) for way in ways(n_codes, [])])
    found = held_out_by_best(
        fit, lambda network, rows: _errors_of_rows(network, rows) * (rows.scale / (unit or 1)) ** 2
    )
    return np.vstack([some.measured for some in found]), [some.split for some in found]


def _of_prefixes(way: Way) -> Way:
    """Return a way to train one network for all numbers of codes."""

    def build(*training):
        start = way.build(*training)
        start.network.between = PrefixDropout()
        return start

    return way._replace(build=build)


def _left_by_pca(X, split: Split, n_codes: int) -> np.ndarray:
    """Return the squares of the rows held out that principal axes leave, by their number."""
    mean, _ = mean_and_scale(X, *split.training, scatter=True)
    X = fill_holes(X, mean)
    axes = principal_axes(X, *split.training, mean, n_codes)
    explained, total = explained_along(axes, X, *split.validation, mean)
    return total - np.cumsum(np.pad(explained, (1, n_codes - len(axes))))


def _standard_errors(errors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return those of the shares of variance that are explained, ratios of two means."""
    share = weight @ errors / (weight @ errors[:, 0] or 1)
    squares = np.average((errors - share * errors[:, :1]) ** 2, axis=0, weights=weight)
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    mean = np.average(errors[:, 0], weights=weight) or 1
    return np.sqrt(squares[1:] / max(n_effective - 1, 1)) / mean


def _n_enough(errors, weight, groups, n_columns: int) -> int:
    """Return the smallest number of codes to which no larger one adds what counts."""
    least = _LEAST_SHARE * np.average(errors[:, 0], weights=weight)
    n_most = errors.shape[1] - 1
    for number in range(1, n_most):
        left = errors[:, number]
        for more in range(number + 1, n_most + 1):
            n_more = more - number
            expected = left * (n_more / (n_columns - number)), n_more * least
            level = LEVEL / (n_most - number)  # as any of them might be enough by chance
            if all(
                is_proven(left - errors[:, more] - of_noise, weight, groups, level)
                for of_noise in expected
            ):
                break
        else:
            return number
    return n_most
