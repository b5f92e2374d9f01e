"""Activations of the code that have parameters of their own.

Such an activation is any object with a method ``activate(code)``; derive it from
`sklearn.base.BaseEstimator`, and its parameters are those of a grid search.
"""

from numbers import Integral
from typing import ClassVar

import torch
from sklearn.utils._param_validation import Interval

from ._contract import BaseEstimator

__all__ = ["TopK"]


class TopK(BaseEstimator):
    """Keep the k largest numbers of each code and set the others to zero.

    Parameters
    ----------
    k : int, default=8
        How many are kept: all, where there are no more.

    See Also
    --------
    skae.penalty.L1Sparsity : Sparse codes by a penalty.

    References
    ----------
    .. [1] Makhzani, A. & Frey, B. (2013). k-sparse autoencoders. :arxiv:`1312.5663`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.activation import TopK
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(32, latent_activation=TopK(4), max_iter=3)
    >>> codes = autoencoder.fit_transform(X)
    >>> int((codes != 0).sum(axis=1).max())
    4
    """

    _parameter_constraints: ClassVar[dict] = {"k": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, k=8):
        self.k = k

    def activate(self, code: torch.Tensor) -> torch.Tensor:
        """Return codes with all but their k largest numbers set to zero.

        Parameters
        ----------
        code : torch.Tensor of shape (batch, n_components)
            Codes.

        Returns
        -------
        torch.Tensor of shape (batch, n_components)
            Sparse codes.
        """
        kept = code.topk(min(self.k, code.shape[-1]), dim=-1)
        return torch.zeros_like(code).scatter(-1, kept.indices, kept.values)
