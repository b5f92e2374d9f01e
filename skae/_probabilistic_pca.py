"""Where a variational autoencoder starts: at probabilistic PCA, near it, or at the means."""

import numpy as np
import torch
from scipy.special import logit

from ._principal_axes import principal_axes
from ._rows import dense_chunks
from .nn import BernoulliLikelihood, GaussianLikelihood, MixedLikelihood

_EDGE = 0.01  # how near to 0 and 1 the probabilities start
_START_ROWS, _START_VALUES = 4096, 2**23  # that a start of other noise is fitted to
_ROUNDS = 10  # of axes and variances


def _start_at_random(network, X, indices, weight, mean, scale, beta):
    """Leave a network for normal noise as it is: standardized rows have zero mean."""


def _start_at_mean(network, X, indices, weight, mean, scale, beta):
    """Let a decoder of probabilities begin with those of the columns."""
    with torch.no_grad():
        network.decoder.body[-1].bias.copy_(
            torch.from_numpy(logit(np.clip(mean, _EDGE, 1 - _EDGE)))
        )


def _start_at_frequencies(network, X, indices, weight, mean, scale, beta):
    """Let a decoder of numbers and categories begin with means and frequencies."""
    with torch.no_grad():
        network.decoder.body[-1].bias.copy_(_constant(network.likelihood, mean))


def _constant(likelihood, mean):
    """Return what a decoder of numbers and categories has to give for means and frequencies."""
    return likelihood.levels.beside(torch.from_numpy(mean), likelihood.levels.frequency.log())


def _start_at_probabilistic_pca(network, X, indices, weight, mean, scale, beta):
    """Set the linear paths to probabilistic PCA: where a linear network can't get better.

    With a weight of the divergence, the posterior is that for a noise of ``beta`` times the
    variance. Lucas et al. 2019, arXiv:1911.02469.
    """
    into, out_of = network.encoder.body.linear_path, network.decoder.body.linear_path
    axes, variances, noise = _probabilistic_pca(
        X, indices, weight, mean, scale, beta, into.out_features // 2
    )
    network.likelihood.set_variance(noise)
    _start_encoder(into, axes, variances, beta * noise)
    with torch.no_grad():
        loadings = axes * np.sqrt(variances - beta * noise)[:, None]  # (n_codes, n_features)
        out_of.weight[:, : len(axes)] = torch.from_numpy(loadings.T)


def _start_near_probabilistic_pca(network, X, indices, weight, mean, scale, beta):
    """Set the linear paths to what is best where the likelihood is expanded about the means.

    To second order in the logits, the likelihood of probabilities p is that of normal noise of
    variance p (1 - p) in each column: probabilistic PCA of columns divided by its root.
    """
    rows, share = _some_rows(X, indices, weight)
    n_rows = len(rows)
    p = np.clip(mean, _EDGE, 1 - _EDGE)
    deviation = np.sqrt(p * (1 - p))
    T = (rows - mean) / deviation
    into, out_of = network.encoder.body.linear_path, network.decoder.body.linear_path
    n_components = into.out_features // 2
    axes = principal_axes(T, np.arange(n_rows), share, np.zeros_like(mean), n_components)
    variances = share @ np.square(T @ axes.T)
    if network.binarize is not None:
        variances += np.square(axes) @ (share @ (rows * (1 - rows)) / deviation**2)
    used = variances > beta
    axes, variances, n_codes = axes[used], variances[used], np.count_nonzero(used)
    with torch.no_grad():
        _start_encoder(into, axes * scale / deviation, variances, beta)
        loadings = axes * np.sqrt(variances - beta)[:, None] / deviation
        out_of.weight[:, :n_codes] = torch.from_numpy(loadings.T)
        out_of.bias[:] = torch.from_numpy(logit(p))


def _start_near_factor_analysis(network, X, indices, weight, mean, scale, beta):
    """Set the linear paths to what is best for numbers and, about their frequencies, categories.

    To second order in the logits, the likelihood of a category is that of normal noise of variance
    1 in its indicators less their frequencies f, divided by the roots of f. With as many variances
    as there are numbers, probabilistic PCA is factor analysis; its equations are solved in turn
    (Jöreskog 1967, doi:10.1007/BF02289658).
    """
    likelihood, levels = network.likelihood, network.likelihood.levels
    root = levels.frequency.sqrt()
    ones = torch.ones(len(mean))
    in_units = levels.beside(ones, levels.scale * root).double().numpy()  # of what is divided
    counts = (likelihood.is_number | levels.is_level).numpy()
    is_number, least = likelihood.is_number.numpy(), likelihood.least_variance.double().numpy()
    rows, share = _some_rows(X, indices, weight)
    T = np.where(counts, (rows - mean) / in_units, 0.0)
    into, out_of = network.encoder.body.linear_path, network.decoder.body.linear_path
    n_components, noise = into.out_features // 2, np.ones(len(mean))
    everywhere, none = np.arange(len(T)), np.zeros(len(mean))
    total = share @ np.square(T)
    for _ in range(_ROUNDS):
        whitened = T / np.sqrt(noise)
        axes = principal_axes(whitened, everywhere, share, none, n_components)
        variances = share @ np.square(whitened @ axes.T)
        used = variances > beta
        axes, variances = axes[used], variances[used]
        loadings = axes * np.sqrt((variances - beta)[:, None] * noise)  # (n_codes, n_columns)
        left = np.maximum(total - np.square(loadings).sum(axis=0), 2 * least)
        noise = np.where(is_number, left, 1.0)
    likelihood.set_variance(torch.from_numpy(noise).float())
    per_logit = levels.beside(ones, root).double().numpy()
    with torch.no_grad():
        deviation = in_units * np.sqrt(noise) / scale
        _start_encoder(into, np.where(counts, axes / deviation, 0.0), variances, beta)
        out_of.weight[:, : len(axes)] = torch.from_numpy((loadings / per_logit).T)
        out_of.bias[:] = _constant(likelihood, mean)


def _some_rows(X, indices, weight):
    """Return rows that a start is fitted to, and their shares."""
    n_rows = min(len(indices), _START_ROWS, max(64, _START_VALUES // X.shape[1]))
    sample = np.linspace(0, len(indices) - 1, n_rows).astype(int)
    rows = np.concatenate([rows for _, rows in dense_chunks(X, indices[sample])])
    return rows, weight[sample] / weight[sample].sum()


def _probabilistic_pca(X, indices, weight, mean, scale, beta, n_components):
    """Return the axes, their variances and the variance of the noise, in standardized units.

    An axis is left out if its variance is no larger than that of the noise (times ``beta``).
    """
    n_features = len(mean)
    axes = principal_axes(X, indices, weight, mean, n_components)  # (rank, n_features)
    variances = np.zeros(len(axes))
    total = 0.0
    for chunk, rows in dense_chunks(X, indices):
        Z = (rows - mean) / scale
        variances += weight[chunk] @ np.square(Z @ axes.T)
        total += weight[chunk] @ np.square(Z).sum(axis=1)
    variances, total = variances / weight.sum(), total / weight.sum()
    least = 2 * GaussianLikelihood.least_variance
    noise, n_codes = max(total / n_features, least), 0
    for n in range(len(axes), 0, -1):
        left, freedom = total - variances[:n].sum(), n_features - n * beta
        if left <= least * n_features and freedom >= 0:
            found = least
        elif freedom > 0:
            found = max(left / freedom, least)
        else:
            continue
        if variances[n - 1] > beta * found:
            noise, n_codes = found, n
            break
    return axes[:n_codes], variances[:n_codes], noise


def _start_encoder(into, axes, variances, noise):
    """Set an encoder to the posterior of codes along axes of some variance, noise included."""
    n_components, n_codes = into.out_features // 2, len(axes)
    with torch.no_grad():
        gain = np.sqrt(variances - noise) / variances
        into.weight[:n_codes] = torch.from_numpy(axes * gain[:, None])
        log_variance = torch.from_numpy(np.log(noise / variances))
        into.bias[n_components : n_components + n_codes] = log_variance


# Where a network of random layers begins, by ``init`` and the kind of its likelihood.
STARTS = {
    ("pca", GaussianLikelihood): _start_at_probabilistic_pca,
    ("pca", BernoulliLikelihood): _start_near_probabilistic_pca,
    ("pca", MixedLikelihood): _start_near_factor_analysis,
    ("random", GaussianLikelihood): _start_at_random,
    ("random", BernoulliLikelihood): _start_at_mean,
    ("random", MixedLikelihood): _start_at_frequencies,
}
