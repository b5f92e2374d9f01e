"""Penalties: what is added to the loss of a network in training.

A penalty is any object with a method ``penalize(batch)``, which returns a number for each row
of the batch, or one for the batch; derive it from `sklearn.base.BaseEstimator`, and its
parameters are those of a grid search. `batch` has these fields, all tensors but the last:
``code`` (batch, n_components); ``reconstruction`` and ``rows`` (batch, n_features), both
standardized; ``weight`` (batch,); ``encode``, the encoder as a function of such rows; and
``partners`` (batch, n_features) or None.

A penalty that has a method ``partners(rows, among)`` is given another row for each row of a batch,
drawn anew each time: such as one of its nearest neighbors, or a row of the same class. It is asked
once a training, for the rows trained on and for those held out, who of the rows trained on
(``among``) may be whose partner, and returns a sparse matrix (n_rows, n_among) of what each may be
drawn with, or several whose product it is. Both arguments have ``X``, ``weight``, ``places`` (which
rows of X in `fit` they are; of equal rows one is there), ``stands_for`` (the number of the one that
is there for each row of X, -1 for none) and, if the penalty has an attribute ``needs_labels`` that
is true, ``labels``: the ``y`` of `fit` as numbers of classes, -1 for none.

If it has an attribute ``transformer`` that is not None, ``X`` is what a clone of that, fitted to
the rows trained on, makes of them.

Such a penalty may have a method ``layout(draw, weight, n_components, generator)`` as well, which
says where the rows trained on are to lie: a tensor (n_rows, n_components) of codes, or None.
``draw(rows, n)`` draws n partners of rows (their numbers, a tensor), and ``weight`` is that of all
rows. It is asked once a training, but not in one that goes on with a fitted network. A batch then
has ``aim``, the places of its rows (batch, n_components), and None for rows held out; and
``progress``, the share of the training that is done, 1 where rows are judged.

A penalty whose number for a row depends on that row alone (and its partner) says so by an attribute
``by_row = True``; several processes train with no others (`skae.data_parallel`).
"""

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.neighbors import VALID_METRICS, VALID_METRICS_SPARSE
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import Tensor, nn

from ._contract import BaseEstimator
from ._layout import laid_out, squared_distances
from ._neighbors import nearest
from .nn import ACTIVATIONS, Penalty

__all__ = [
    "PENALTIES",
    "Contraction",
    "DistancePreservation",
    "KLSparsity",
    "L1Sparsity",
    "NeighborPreservation",
]

_EDGE = 1e-6  # of a probability
_OF_LAYOUT = 0.1  # of a training, at first
_WEIGHT = [Interval(Real, 0, None, closed="neither")]
# But for distances that are given, or have parameters of their own.
_METRICS = set(VALID_METRICS["brute"]) - {"precomputed", "seuclidean", "mahalanobis"}
_METRICS_SPARSE = sorted(_METRICS & set(VALID_METRICS_SPARSE["brute"]))


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

    by_row = True
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

    by_row = True
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


class NeighborPreservation(BaseEstimator):
    r"""Codes that keep neighbors together and all else apart: pictures as those of t-SNE and UMAP.

    Each row is drawn to one of its nearest neighbors in X, another one each time that it is seen,
    and away from the other rows of the mini-batch and their neighbors. What is near in the code is
    measured as in t-SNE [1]_, so that codes have a length scale of 1. The penalty of a row i and
    its partner j is the mean of

    .. math:: \log \left( 1 + r \, \frac{\overline{q}_i}{q_{ij}} \right), \qquad
              q_{ij} = \frac{1}{1 + \lVert z_i - z_j \rVert^2}

    and of the same with i and j exchanged, where the bar is the mean over the other rows of the
    mini-batch and their partners: the InfoNC-t-SNE of [2]_ for r = `repulsion` other rows, of
    which the mini-batch tells the mean.

    For the first tenth of a training the network is taught a layout of the rows at hand instead:
    codes that are moved one by one down the gradient of the same penalty, with fifteen neighbors
    of a row at a time, which no network has to encode. They start from the smoothest functions on
    the graph of neighbors [4]_. The penalty is then the distance of a code from its place, in units
    of the layout's standard deviation.

    Unlike theirs, the picture has room for new rows (`transform`), as a network draws it [3]_, and
    a way back (`inverse_transform`).

    Parameters
    ----------
    weight : float, default=1.0
        What the penalty is multiplied by. The squared error that it is added to is the share of
        variance not explained, some number between 0 and 1.

    n_neighbors : int, default=15
        How many of the nearest rows are a row's neighbors; all, where there are fewer.

    metric : str, default="euclidean"
        By which distance, a name that `sklearn.neighbors.NearestNeighbors` knows without further
        parameters. It is that of rows in the units of X, with the mean of its column for a missing
        value.

    graph : {sparse matrix, sparse array} of shape (n_samples, n_samples), default=None
        The neighbors themselves, in the place of the nearest rows: row j of the X in `fit` is one
        of row i if there is an entry (i, j), whatever its value. Such is what
        `sklearn.neighbors.kneighbors_graph` returns. As rows are held out, each is drawn to those
        of its neighbors that are trained on. Equal rows, which a fit merges, are one that has the
        entries of all of them.

    transformer : transformer, default=None
        What rows are compared as: distances are those of what a clone of it, fitted to the rows
        trained on, makes of them. In the codes of ``AutoencoderTransformer(10)`` neighbors of
        images are more often of one kind than by their pixels. A `random_state` of None is that of
        the fit.

    repulsion : float, default=10.0
        For how many rows all others count beside the one neighbor. About 5 gives compact groups as
        UMAP's, more and more those of t-SNE, which fill the plane [2]_.

    supervised : float, default=0.0
        How often a row is drawn to another one of the same class, whatever lies between, instead of
        a neighbor; a share in [0, 1]. From more than 0 on, `fit` needs a `y` with the labels of
        some or all rows: None, NaN and, among numbers, -1 stand for none.

    See Also
    --------
    sklearn.manifold.TSNE : The picture of the rows at hand, without a network.
    skae.metrics.trustworthiness : Whether what is near in the code is so in the data.
    skae.metrics.neighbor_recall : Which share of the neighbors are kept.

    Notes
    -----
    The neighbors are found once for each training, among the rows trained on only: rows held out
    are nobody's neighbors. Of merged rows, those of more weight are neighbors more often. They are
    found exactly, unless all distances would take more than 5 x 10\ :sup:`11` multiplications.
    Then nearly all of them are found: of more than 100 columns by Euclidean distance, among the
    nearest in 50 principal axes, and else by ``pynndescent``, where it is installed
    (``pip install skae[neighbors]``).

    With labels (`supervised`) there is no layout: it would put rows where no network can tell that
    they belong.

    Rows held out are judged by the squared error and the penalty together. So PCA is the floor of
    their sum, and not of the reconstruction alone, which this penalty takes something from.

    References
    ----------
    .. [1] van der Maaten, L. & Hinton, G. (2008). Visualizing data using t-SNE. Journal of Machine
       Learning Research 9, 2579-2605. https://jmlr.org/papers/v9/vandermaaten08a.html
    .. [2] Damrich, S., Böhm, J. N., Hamprecht, F. A. & Kobak, D. (2023). From t-SNE to UMAP with
       contrastive learning. ICLR. :arxiv:`2206.01816`
    .. [3] Sainburg, T., McInnes, L. & Gentner, T. Q. (2021). Parametric UMAP embeddings for
       representation and semisupervised learning. Neural Computation 33, 2881-2907.
       :arxiv:`2009.12981`
    .. [4] Belkin, M. & Niyogi, P. (2003). Laplacian eigenmaps for dimensionality reduction and data
       representation. Neural Computation 15, 1373-1396. :doi:`10.1162/089976603321780317`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.metrics import trustworthiness
    >>> from skae.penalty import NeighborPreservation
    >>> X, _ = load_digits(return_X_y=True)
    >>> plain = AutoencoderTransformer(2, max_iter=10, early_stopping=False, random_state=0)
    >>> picture = AutoencoderTransformer(
    ...     2, penalty=NeighborPreservation(), max_iter=10, early_stopping=False, random_state=0
    ... )
    >>> found = [trustworthiness(X, one.fit_transform(X)) for one in (plain, picture)]
    >>> bool(found[1] > found[0])
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "weight": _WEIGHT,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(_METRICS)],
        "graph": ["sparse matrix", None],
        "transformer": [HasMethods(["fit", "transform"]), None],
        "repulsion": _WEIGHT,
        "supervised": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        weight=1.0,
        n_neighbors=15,
        *,
        metric="euclidean",
        graph=None,
        transformer=None,
        repulsion=10.0,
        supervised=0.0,
    ):
        self.weight = weight
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.graph = graph
        self.transformer = transformer
        self.repulsion = repulsion
        self.supervised = supervised

    @property
    def needs_labels(self) -> bool:
        """Whether the ``y`` of `fit` counts."""
        return self.supervised != 0  # also of what is no number, which `fit` refuses later

    def partners(self, rows, among):
        """Return who may be whose partner: neighbors, and rows of the same class.

        Parameters
        ----------
        rows : PartnerRows
            Those that are to have partners.
        among : PartnerRows
            The rows trained on.

        Returns
        -------
        csr_array of shape (n_rows, n_among) or tuple of two of these
            What each may be drawn with, in one step, or in two by way of a row or a class.

        Raises
        ------
        ValueError
            If a graph is not one of the rows in `fit`, or stands beside a transformer, or if rows
            are sparse and the metric is one of dense rows.
        """
        if self.graph is not None and self.transformer is not None:
            raise ValueError(
                f"graph has the neighbors of rows, so that transformer={self.transformer!r} has "
                "nothing to do. Leave one of the two out."
            )
        n_rows, n_among = len(rows.weight), len(among.weight)
        neighbors = self._nearest(rows, among) if self.graph is None else self._given(rows, among)
        if not self.needs_labels:
            return neighbors
        members = np.flatnonzero(among.labels >= 0)
        n_classes = 1 + max(rows.labels.max(initial=-1), among.labels.max(initial=-1))
        labeled = np.flatnonzero(np.isin(rows.labels, among.labels[members]))
        to_class = np.zeros(n_rows)
        to_class[labeled] = self.supervised
        # Of neighbors, the first step is as likely as they weigh; there is no choice in the second.
        neighbors.data *= among.weight[neighbors.indices]
        row = np.repeat(np.arange(n_rows), np.diff(neighbors.indptr))
        neighbors.data /= np.bincount(row, weights=neighbors.data, minlength=n_rows)[row]
        neighbors.data *= 1 - to_class[row]
        classes = sp.csr_array(
            (to_class[labeled], (labeled, rows.labels[labeled])), shape=(n_rows, n_classes)
        )
        of_classes = sp.csr_array(
            (np.ones(len(members)), (among.labels[members], members)), shape=(n_classes, n_among)
        )
        first = sp.hstack([neighbors, classes], format="csr")
        return first, sp.vstack([sp.csr_array(sp.eye(n_among)), of_classes], format="csr")

    def layout(self, draw, weight, n_components, generator) -> Tensor | None:
        """Return where the rows trained on are to lie.

        Parameters
        ----------
        draw : callable
            ``draw(rows, n)`` draws n partners of each row, (n_rows, n), from the rows' numbers.
        weight : Tensor of shape (n_rows,)
            Of all rows.
        n_components : int
            Of a code.
        generator : torch.Generator
            Where random numbers come from.

        Returns
        -------
        Tensor of shape (n_rows, n_components) or None
            Codes; none with labels, which would put rows where no network can tell that they lie.
        """
        if self.needs_labels:
            return None
        return laid_out(draw, weight, n_components, repulsion=self.repulsion, generator=generator)

    def _nearest(self, rows, among) -> sp.csr_array:
        """Return the nearest rows of each, but for itself and those of no weight."""
        if sp.issparse(among.X) and self.metric not in _METRICS_SPARSE:
            raise ValueError(
                f"NeighborPreservation(metric={self.metric!r}) is a distance of dense rows, but X "
                f"is sparse. Give one of {_METRICS_SPARSE}, or X.toarray()."
            )
        counted = np.flatnonzero(among.weight)
        X = among.X if len(counted) == len(among.weight) else among.X[counted]
        n_asked = min(self.n_neighbors + 1, len(counted))
        found = counted[nearest(rows.X, X, n_asked, self.metric)]  # (n_rows, n_asked)
        is_other = among.places[found] != rows.places[:, None]
        kept = is_other & (np.cumsum(is_other, axis=1) <= self.n_neighbors)
        shape = len(rows.weight), len(among.weight)
        return sp.csr_array((np.ones(kept.sum()), (np.nonzero(kept)[0], found[kept])), shape=shape)

    def _given(self, rows, among) -> sp.csr_array:
        """Return the part of a graph that is about these rows."""
        graph: Any = self.graph
        n_given = len(rows.stands_for)
        if graph.shape != (n_given, n_given):
            raise ValueError(
                f"graph has shape {graph.shape}, but there are {n_given} rows in fit (with "
                "those of validation_fraction, if it is rows). Its entries are matched to rows by "
                "their places; where others are fitted, as in a cross-validation, give a metric."
            )
        entries = sp.coo_array(graph)
        of, to = rows.stands_for[entries.row], among.stands_for[entries.col]
        kept = (of >= 0) & (to >= 0) & (rows.places[of] != among.places[to])
        shape = len(rows.weight), len(among.weight)
        found = sp.csr_array((np.ones(kept.sum()), (of[kept], to[kept])), shape=shape)
        found.data[:] = 1.0  # of rows that are merged, it is there more than once
        return found

    def penalize(self, batch) -> Tensor:
        """Return the penalty of each row.

        Parameters
        ----------
        batch : PenalizedBatch
            A batch in training.

        Returns
        -------
        torch.Tensor of shape (batch,)
            The weighted loss of each row and its partner.
        """
        if batch.aim is not None and batch.progress < _OF_LAYOUT:
            return self.weight * _distances_to(batch.aim, batch.code)
        code, partner, weight = batch.code, batch.encode(batch.partners), batch.weight
        n_rows = code.shape[-2]
        both = torch.cat([code, partner], dim=-2)  # (2 * batch, n_components)
        own = torch.eye(n_rows, dtype=torch.bool, device=code.device).repeat(2, 2)
        nearness = 1 / (1 + squared_distances(both))  # (2 * batch, 2 * batch)
        counts = torch.cat([weight, weight], dim=-1)
        total = (nearness.masked_fill(own, 0) @ counts[..., None])[..., 0]
        of_others = counts.sum(dim=-1, keepdim=True) - 2 * counts
        mean = total / of_others.clamp(min=torch.finfo(counts.dtype).tiny)
        apart = 1 + (code - partner).square().sum(dim=-1)
        losses = torch.log1p(self.repulsion * mean * torch.cat([apart, apart], dim=-1))
        of_rows, of_partners = losses.split(n_rows, dim=-1)
        return self.weight * (of_rows + of_partners) / 2


class DistancePreservation(BaseEstimator):
    r"""One minus the correlation of distances in the code with those in X, of all pairs in a batch.

    What is far apart in X is drawn apart in the code, and in proportion, as in multidimensional
    scaling [1]_, whose stress it is up to the best scale and offset:

    .. math::

        1 - \mathrm{corr}_{i < j} \left( \lVert x_i - x_j \rVert, \lVert z_i - z_j \rVert \right)

    Beside `NeighborPreservation` it gives a meaning to where groups lie:
    ``penalty=[NeighborPreservation(), DistancePreservation()]``.

    Parameters
    ----------
    weight : float, default=1.0
        What the penalty is multiplied by. The squared error that it is added to is the share of
        variance not explained, some number between 0 and 1.

    See Also
    --------
    NeighborPreservation : What is near in X is near in the code.
    skae.metrics.pairwise_distance_correlation : The correlation, of any rows and codes.
    sklearn.manifold.MDS : The codes of the rows at hand, without a network.

    Notes
    -----
    Distances are Euclidean, with the mean of its column for a missing value.

    References
    ----------
    .. [1] Kruskal, J. B. (1964). Multidimensional scaling by optimizing goodness of fit to a
       nonmetric hypothesis. Psychometrika 29, 1-27. :doi:`10.1007/BF02289565`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skae import AutoencoderTransformer
    >>> from skae.penalty import DistancePreservation
    >>> X, _ = load_iris(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(
    ...     2, penalty=DistancePreservation(), max_iter=3, random_state=0
    ... )
    >>> autoencoder.fit_transform(X).shape
    (150, 2)
    """

    _parameter_constraints: ClassVar[dict] = {"weight": _WEIGHT}

    def __init__(self, weight=1.0):
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
            One minus what each row adds to the correlation, weighted; their mean is the penalty.
        """
        n_rows, tiny = batch.code.shape[-2], torch.finfo(batch.weight.dtype).tiny ** 0.5
        own = torch.eye(n_rows, dtype=torch.bool, device=batch.code.device)
        others = batch.weight[..., None, :].masked_fill(own, 0)  # (batch, batch)
        pairs = batch.weight[..., :, None] * others
        in_rows = _centered_distances(batch.rows, pairs)
        in_codes = _centered_distances(batch.code.to(in_rows.dtype), pairs)
        squares = (
            (pairs * some.square()).sum(dim=(-2, -1)).clamp(min=tiny)
            for some in (in_rows, in_codes)
        )
        unit = batch.weight.sum(dim=-1) / math.prod(some.sqrt() for some in squares)
        of_rows = (others * in_rows * in_codes).sum(dim=-1) * unit[..., None]
        return self.weight * (1 - of_rows)


def _distances_to(aim: Tensor, code: Tensor) -> Tensor:
    """Return how far codes are from where they should be, in units of the spread of the latter."""
    spread = (aim - aim.mean(dim=-2, keepdim=True)).square().mean(dim=(-2, -1)).sqrt()
    # The root has no gradient at zero.
    distance = (code - aim).square().sum(dim=-1).clamp(min=1e-4).sqrt()
    return distance / spread.clamp(min=1e-4)[..., None]


def _centered_distances(points: Tensor, pairs: Tensor) -> Tensor:
    """Return the distances of points, less their mean over pairs that count, (..., n, n)."""
    squares = squared_distances(points)
    # The root has no gradient at zero, where equal points and each and itself are.
    distances = squares.clamp(min=torch.finfo(squares.dtype).eps ** 2).sqrt()
    n_pairs = pairs.sum(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(pairs.dtype).tiny)
    return distances - (pairs * distances).sum(dim=(-2, -1), keepdim=True) / n_pairs


# A name stands for the part with its defaults.
PENALTIES: dict[str, Callable[[], Penalty]] = {
    "l1": L1Sparsity,
    "kl": KLSparsity,
    "contraction": Contraction,
    "distances": DistancePreservation,
    "neighbors": NeighborPreservation,
}
