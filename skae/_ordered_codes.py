"""Codes that are sorted by what they are worth: how much that is, and how many are enough."""

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from ._rows import StandardizedRows
from ._training import evaluate
from ._warnings import warn
from .nn import AutoencoderNetwork, FirstCodes, PadCodes


def errors_of_prefixes(network: nn.Module, rows: StandardizedRows) -> np.ndarray:
    """Return the squared error of some rows by how many of their codes are used.

    Returns
    -------
    ndarray of shape (n_components + 1,)
        Weighted sums, in standardized units; the first is the error of the columns' means.
    """
    errors = evaluate(_errors_by_prefix, network, rows)  # (n_rows, n_components + 1)
    return rows.sample_weight @ errors.double().numpy()


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
