"""Penalties: what is added to the loss of a network in training.

A penalty is any object with a method ``penalize(batch)``, which returns a number for each row
of the batch, or one for the batch; derive it from `sklearn.base.BaseEstimator`, and its
parameters are those of a grid search. `batch` has these fields, all tensors but the last:
``code`` (batch, n_components); ``reconstruction`` and ``rows`` (batch, n_features), both
standardized; ``weight`` (batch,); and ``encode``, the encoder as a function of such rows.
"""

from collections.abc import Callable
from numbers import Real
from typing import ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from ._contract import BaseEstimator
from .nn import ACTIVATIONS, Penalty

__all__ = ["PENALTIES", "Contraction", "KLSparsity", "L1Sparsity"]

_EDGE = 1e-6  # of a probability
_WEIGHT = [Interval(Real, 0, None, closed="neither")]


class L1Sparsity(BaseEstimator):
    """The sum of the absolute values of a code, which draws each of them to zero.

    Parameters
    ----------
    weight : float, default=1e-3
        What the sum is multiplied by. The squared error that it is added to is the share of
        variance not explained, some number between 0 and 1.

    See Also
    --------
    KLSparsity : Codes that are seldom active.
    skae.activation.TopK : Codes of which a fixed number is not zero.

    References
    ----------
    .. [1] Ranzato, M. et al. (2007). Sparse feature learning for deep belief networks. NeurIPS
       20. https://papers.nips.cc/paper/2007/hash/c60d060b946d6dd6145dcbad5c4ccf6f-Abstract.html

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.penalty import L1Sparsity
    >>> X, _ = load_digits(return_X_y=True)
    >>> plain = AutoencoderTransformer(8, max_iter=5, early_stopping=False).fit_transform(X)
    >>> sparse = AutoencoderTransformer(
    ...     8, penalty=L1Sparsity(0.01), max_iter=5, early_stopping=False
    ... ).fit_transform(X)
    >>> bool(np.abs(sparse).sum() < np.abs(plain).sum())
    True
    """

    _parameter_constraints: ClassVar[dict] = {"weight": _WEIGHT}

    def __init__(self, weight=1e-3):
        self.weight = weight

    def penalize(self, batch) -> Tensor:
        """Return the penalty of each row.

        Parameters
        ----------
        batch : PenalizedBatch
            A batch in training.

        Returns
        -------
        torch.Tensor of shape (batch,)
            The weighted sum over codes.
        """
        return self.weight * batch.code.abs().sum(dim=-1)


class KLSparsity(BaseEstimator):
    """The divergence of the codes' mean activations from a small target.

    A code that is active with probability p on average over the mini-batch adds the
    Kullback-Leibler divergence of a coin of the target's probability from one of p. Codes must
    lie in [0, 1]: set ``latent_activation="logistic"``.

    Parameters
    ----------
    target : float, default=0.05
        The mean activation that each code is drawn to, in (0, 1).

    weight : float, default=0.01
        What the sum over codes is multiplied by.

    See Also
    --------
    L1Sparsity : For codes of any range.

    References
    ----------
    .. [1] Lee, H., Ekanadham, C. & Ng, A. (2007). Sparse deep belief net model for visual area
       V2. NeurIPS 20.
       https://papers.nips.cc/paper/2007/hash/4daa3db355ef2b0e64b472968cb70f0d-Abstract.html
    .. [2] Ng, A. (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.penalty import KLSparsity
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(
    ...     16, latent_activation="logistic", penalty=KLSparsity(0.1, weight=0.1), max_iter=10,
    ...     early_stopping=False,
    ... )
    >>> codes = autoencoder.fit_transform(X)
    >>> bool(codes.mean() < 0.3)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "target": [Interval(Real, 0, 1, closed="neither")],
        "weight": _WEIGHT,
    }

    def __init__(self, target=0.05, weight=0.01):
        self.target = target
        self.weight = weight

    def penalize(self, batch) -> Tensor:
        """Return the penalty of the batch.

        Parameters
        ----------
        batch : PenalizedBatch
            A batch in training.

        Returns
        -------
        torch.Tensor of shape ()
            The weighted sum over codes.

        Raises
        ------
        ValueError
            If a code is not in [0, 1].
        """
        low, high = batch.code.detach().aminmax()
        if low < 0 or high > 1:
            raise ValueError(
                f"KLSparsity expects codes in [0, 1], but they reach from {low:.3g} to "
                f"{high:.3g}. Set latent_activation='logistic', or use L1Sparsity."
            )
        share = batch.weight / batch.weight.sum(dim=-1, keepdim=True)
        mean = (share[..., None] * batch.code.float()).sum(dim=-2)  # (n_components,)
        mean = _EDGE + (1 - 2 * _EDGE) * mean  # finite where codes are never active, or always
        active = self.target * (self.target / mean).log()
        inactive = (1 - self.target) * ((1 - self.target) / (1 - mean)).log()
        return self.weight * (active + inactive).sum(dim=-1)


class Contraction(BaseEstimator):
    """The squared Frobenius norm of the encoder's Jacobian: codes that hardly move with X.

    The Jacobian is that of the code with respect to the standardized row, exact for every
    encoder: in closed form for a single linear layer and its activation, and by one backward
    pass a code, all of them at once, otherwise.

    Parameters
    ----------
    weight : float, default=1e-3
        What the squared norm is multiplied by. The encoder of PCA has the norm 1 for each
        code.

    See Also
    --------
    skae.noise.GaussianNoise : Small noise has a similar effect, on the reconstruction.

    References
    ----------
    .. [1] Rifai, S. et al. (2011). Contractive auto-encoders: explicit invariance during
       feature extraction. ICML. https://icml.cc/2011/papers/455_icmlpaper.pdf

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.penalty import Contraction
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(2, penalty=Contraction(0.01), max_iter=3)
    >>> autoencoder.fit_transform(X).shape
    (1797, 2)
    """

    _parameter_constraints: ClassVar[dict] = {"weight": _WEIGHT}

    def __init__(self, weight=1e-3):
        self.weight = weight

    def penalize(self, batch) -> Tensor:
        """Return the penalty of each row.

        Parameters
        ----------
        batch : PenalizedBatch
            A batch in training.

        Returns
        -------
        torch.Tensor of shape (batch,)
            The weighted squared norm.

        Raises
        ------
        ValueError
            If the rows of a batch share statistics, as with ``normalization="batch"``.
        """
        encoder = getattr(batch.encode, "__self__", None)
        if encoder is not None and _shares_statistics(encoder):
            raise ValueError(
                "Contraction needs the derivative of each code by its own row, but batch "
                "normalization makes it depend on the other rows of the mini-batch. Use "
                "normalization='layer' or another penalty."
            )
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            layer = None if encoder is None else _single_layer(encoder)
            if encoder is not None and layer is not None:
                squares = _of_one_layer(layer, encoder.activation, batch.rows)
            else:
                squares = _of_any_encoder(
                    batch.encode,
                    batch.rows,
                    create_graph=training,
                    one_by_one=encoder is not None and _has_group_norm(encoder),
                )
        return self.weight * (squares if training else squares.detach())


def _shares_statistics(encoder: nn.Module) -> bool:
    """Whether an encoder has a layer of batch normalization that is being trained."""
    kinds = (nn.modules.batchnorm._BatchNorm,)
    return any(isinstance(layer, kinds) and layer.training for layer in encoder.modules())


def _has_group_norm(encoder: nn.Module) -> bool:
    """Whether an encoder has a layer whose gradients torch 2.13 can't differentiate as a batch."""
    return any(isinstance(layer, nn.GroupNorm) for layer in encoder.modules())


def _single_layer(encoder: nn.Module) -> nn.Linear | None:
    """Return the linear layer of an encoder that has one, and an activation of each code alone."""
    layers = list(encoder.body) if isinstance(encoder.body, nn.Sequential) else [encoder.body]
    if len(layers) == 1 and isinstance(layers[0], nn.Linear):
        return layers[0] if type(encoder.activation) in ACTIVATIONS.values() else None
    return None


def _of_one_layer(layer: nn.Linear, activation: nn.Module, rows: Tensor) -> Tensor:
    """Return the squared norm of each row's Jacobian, (batch,): slopes times weights."""
    argument = layer(rows)  # (batch, n_components)
    if not argument.requires_grad:  # a layer of the user's whose weights are not trained
        argument.requires_grad_()
    code = activation(argument)
    (slope,) = torch.autograd.grad(code.sum(), argument, create_graph=True)
    return slope.square() @ layer.weight.square().sum(dim=1)


def _of_any_encoder(
    encode: Callable[[Tensor], Tensor],
    rows: Tensor,
    *,
    create_graph: bool,
    one_by_one: bool = False,
) -> Tensor:
    """Return the squared norm of each row's Jacobian, (batch,), of all codes at once if possible.

    Codes and rows may have a dimension more, that of networks side by side.

    A code's sum over rows has, by each row, the gradient of that row's code.
    """
    rows = rows.detach().requires_grad_()
    code = encode(rows)  # (batch, n_components)
    n_components = code.shape[-1]
    if one_by_one:
        squares = torch.zeros(len(rows), dtype=code.dtype, device=code.device)
        for sum_of_code in code.sum(dim=0):
            (gradient,) = torch.autograd.grad(
                sum_of_code, rows, create_graph=create_graph, retain_graph=True
            )
            squares = squares + gradient.square().sum(dim=1)
        return squares
    one_hot = torch.eye(n_components, dtype=code.dtype, device=code.device)
    (jacobian,) = torch.autograd.grad(
        code,
        rows,
        one_hot.reshape(n_components, *[1] * (code.ndim - 1), -1).expand(n_components, *code.shape),
        is_grads_batched=True,
        create_graph=create_graph,
    )  # (n_components, batch, n_features)
    return jacobian.square().sum(dim=(0, -1))


# A name stands for the part with its defaults.
PENALTIES: dict[str, Callable[[], Penalty]] = {
    "l1": L1Sparsity,
    "kl": KLSparsity,
    "contraction": Contraction,
}
