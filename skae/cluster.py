"""Groups of rows that are found among the codes of an autoencoder."""

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._checked_rows import check_rows, validated_rows
from ._code_groups import Islands, Mixture
from ._contract import TransformerMixin, _fit_context
from ._fitting import fit_seed, fitting
from ._idle import warn_of_idle
from ._progress import Watchable, fit_within
from .penalty import NeighborPreservation

__all__ = ["AutoencoderClustering"]

_N_CODES = 10  # in which neighbors are looked for

_WITH_HOLES = (
    "AutoencoderClustering: With autoencoder=AutoencoderTransformer(2, penalty='neighbors', "
    "missing='mask') it takes missing values, and learns from the others."
)


class AutoencoderClustering(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, Watchable
):
    """Clusters that are found among codes which keep neighbors together.

    An autoencoder with the penalty `skae.penalty.NeighborPreservation` draws rows that are
    neighbors near to one another and all others apart, so that groups of any form become islands.
    They are told apart by a mixture of normal distributions, as in N2D [1]_, that is fitted to the
    four fifths of the codes with the least room around them, as groups have tails; DEC [2]_ and
    IDEC [3]_ draw codes to the centers of groups instead, while they are learnt. As there is a
    network, new rows have clusters, and what a typical member looks like can be decoded.

    Parameters
    ----------
    n_clusters : int or None, default=8
        How many. None leaves it to HDBSCAN [4]_: groups of at least a fiftieth of the rows, with -1
        for rows that belong to none.

    autoencoder : estimator, default=None
        An unfitted autoencoder; a clone of it is fitted. None is ``AutoencoderTransformer(2,
        penalty=NeighborPreservation())``, of rows of 20 columns or more with
        ``transformer=AutoencoderTransformer(10)``: neighbors in its codes are more often of one
        kind. Groups of unknown number need few codes.

    n_init : int, default=10
        How many starts of the mixture are tried; the likeliest is kept.

    random_state : int, RandomState instance or None, default=None
        That of the mixture and of the autoencoder, unless that has one of its own.

    Attributes
    ----------
    autoencoder_ : estimator
        The fitted autoencoder.

    cluster_centers_ : ndarray of shape (`n_clusters_`, n_components)
        Codes of the centers; `inverse_transform` makes rows of them.

    labels_ : ndarray of int of shape (n_samples,)
        The cluster of each training row, those of the most rows first.

    n_clusters_ : int
        Number of clusters.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    skae.AutoencoderTransformer : The codes alone.
    skae.plotting.ClusterDisplay : Clusters among codes, and their typical members.
    sklearn.cluster.KMeans : Groups around centers, in X itself.

    References
    ----------
    .. [1] McConville, R. et al. (2021). N2D: (not too) deep clustering via clustering the local
       manifold of an autoencoded embedding. ICPR. :arxiv:`1908.05968`
    .. [2] Xie, J., Girshick, R. & Farhadi, A. (2016). Unsupervised deep embedding for clustering
       analysis. ICML. :arxiv:`1511.06335`
    .. [3] Guo, X. et al. (2017). Improved deep embedded clustering with local structure
       preservation. IJCAI. :doi:`10.24963/ijcai.2017/243`
    .. [4] Campello, R. J. G. B., Moulavi, D. & Sander, J. (2013). Density-based clustering based on
       hierarchical density estimates. PAKDD. :doi:`10.1007/978-3-642-37456-2_14`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from skae import AutoencoderTransformer
    >>> from skae.cluster import AutoencoderClustering
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[y < 4], y[y < 4]
    >>> quick = AutoencoderTransformer(2, penalty="neighbors", init="pca", noise=None, max_iter=20)
    >>> clustering = AutoencoderClustering(4, autoencoder=quick, random_state=0).fit(X)
    >>> bool(adjusted_rand_score(y, clustering.labels_) > 0.8)
    True
    >>> clustering.inverse_transform(clustering.cluster_centers_).shape
    (4, 64)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "autoencoder": [HasMethods(["fit", "transform", "inverse_transform"]), None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_clusters=8, *, autoencoder=None, n_init=10, random_state=None):
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.n_init = n_init
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None) -> Self:
        """Fit the autoencoder, and find groups among its codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, if the autoencoder takes tables or needs
            labels, or if there are fewer different codes than clusters.

        Warns
        -----
        ConvergenceWarning
            If no cluster is found, which ``n_clusters=None`` allows for.
        """
        with fitting(self, X):
            return self._fit(X)

    def _fit(self, X):
        if hasattr(self.autoencoder, "warm_start"):
            idle = [("each fit trains a new clone of the autoencoder", ["warm_start"])]
            warn_of_idle(self.autoencoder, idle)
        self._check_autoencoder()
        given = X
        try:
            X, _ = check_rows(self, X, None, reset=True, allow_nan=self._takes_nan())
        except ValueError as error:
            if self.autoencoder is not None or "contains NaN" not in str(error):
                raise
            raise ValueError(f"{str(error).splitlines()[0]}\n{_WITH_HOLES}") from error
        autoencoder: Any = _of_columns(X.shape[1])
        if self.autoencoder is not None:
            autoencoder = clone(self.autoencoder)
        seed = fit_seed(self.random_state)
        if getattr(autoencoder, "random_state", 0) is None:
            autoencoder.set_params(random_state=seed)
        # Names of columns mean something to the autoencoder's parameters.
        rows = given if hasattr(self, "feature_names_in_") else X
        fit_within("autoencoder", 1, autoencoder, rows)
        codes = np.asarray(autoencoder.transform(rows), dtype=np.float64)
        groups: Mixture | Islands
        if self.n_clusters is None:
            groups = Islands.of(codes)
        else:
            groups = Mixture.of(codes, self.n_clusters, self.n_init, seed)
        self.autoencoder_, self._groups = autoencoder, groups
        self.labels_ = groups.labels(codes)
        self.cluster_centers_ = groups.centers.astype(X.dtype)
        self.n_clusters_, self._n_features_out = groups.centers.shape
        return self

    def transform(self, X) -> np.ndarray:
        """Return the codes of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Their codes.
        """
        check_is_fitted(self)
        validated_rows(self, X, reset=False, allow_nan=self._takes_nan())
        with warnings.catch_warnings():  # of names that X lacks, which has been said
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            return self.autoencoder_.transform(X)

    def inverse_transform(self, X) -> np.ndarray:
        """Return the rows that codes stand for, such as those of the centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, such as ``cluster_centers_``.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows in the units of the training rows.
        """
        check_is_fitted(self)
        if np.shape(X) == (0, self._n_features_out):  # the centers of no cluster
            return np.empty((0, self.n_features_in_), dtype=self.cluster_centers_.dtype)
        return self.autoencoder_.inverse_transform(X)

    def predict(self, X) -> np.ndarray:
        """Tell which cluster rows are in.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            Numbers of clusters. With ``n_clusters=None``, that of the training row whose code is
            nearest, and -1 if it was in none.
        """
        codes = np.asarray(self.transform(X), dtype=np.float64)
        return self._groups.labels(codes)

    def _check_autoencoder(self):
        """Raise an error for one that takes tables, or can't be fitted without labels."""
        steps = getattr(self.autoencoder, "steps", [(None, self.autoencoder)])
        for tags in [get_tags(step) for _, step in steps if hasattr(step, "fit")]:
            if tags.input_tags.categorical:
                raise ValueError(
                    f"autoencoder={self.autoencoder!r} takes tables, but clusters are found among "
                    "rows of numbers. Give the autoencoder of a matrix, behind what makes one of a "
                    "table: make_pipeline(TableEncoder(), AutoencoderClustering(...))."
                )
            if tags.target_tags.required:
                raise ValueError(
                    f"autoencoder={self.autoencoder!r} needs labels, but clusters are found "
                    "without any. Give one that needs none: with supervised=0 in its penalty, or "
                    "conditional=False."
                )

    def _takes_nan(self):
        return self.autoencoder is not None and get_tags(self.autoencoder).input_tags.allow_nan

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._takes_nan()
        of_autoencoder = True
        if self.autoencoder is not None:
            of_autoencoder = get_tags(self.autoencoder).input_tags.sparse
        tags.input_tags.sparse = of_autoencoder
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _of_columns(n_features: int) -> AutoencoderTransformer:
    """Return an autoencoder whose codes are islands of rows of so many columns."""
    transformer = AutoencoderTransformer(_N_CODES) if n_features >= 2 * _N_CODES else None
    return AutoencoderTransformer(2, penalty=NeighborPreservation(transformer=transformer))
