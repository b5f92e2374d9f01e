"""AutoencoderOutlierDetector: rows that autoencoders of the other rows do not know."""

import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._fitting import check_rows, different_rows, fit_seed, or_as_before, validated_rows
from ._principal_axes import n_principal_axes
from ._rows import mean_and_scale, row_hashes

_SHARE_OF_PCA = 0.5  # of the variance, that the default autoencoder's codes explain as PCA's
_LEAST_SHARE = 0.01  # of the mean variance, of errors or codes, that one is divided by
_NO_ERROR = 1e-10  # share of the variance that is lost by rounding alone
_ERROR_VALUES = 2**20  # errors of single values that are held at one time


class AutoencoderOutlierDetector(OutlierMixin, BaseEstimator):
    """Outlier detection by the reconstruction errors and the codes of autoencoders.

    An autoencoder learns what most rows have in common, so a row that it reconstructs badly,
    or whose code is far from the others', has little in common with them [1]_ [2]_. But a
    row that a network was trained on is reconstructed better than a new one: a threshold
    taken from training errors raises too many alarms, and an outlier among the training rows
    is learnt by heart.

    So each row is judged by networks that were not trained on it. The rows of X are split
    into folds, and an autoencoder is trained without each of them. The score of a row is
    averaged over the autoencoders that have not seen it: all of them for a new row, one of
    them for a row of X, which is recognized. The threshold is the score below which the
    share `contamination` of X lies, as in cross-conformal prediction [3]_, and new rows that
    are like those of X fall below it about as often.

    Columns of different units should be brought to the same one, by a
    `sklearn.preprocessing.StandardScaler` for example: autoencoders spend their codes on the
    columns that vary most.

    Parameters
    ----------
    autoencoder : estimator, default=None
        An unfitted autoencoder, such as `AutoencoderTransformer`; each fold has a clone of it.
        What counts for detection is that it can't reconstruct everything: few codes. None is
        an `AutoencoderTransformer` with as many codes as PCA needs for half of the variance
        (though fewer than columns) and ``validation_fraction=0.1``.

    criterion : {"mahalanobis", "scaled_error", "squared_error", "log_likelihood"}, \
            default="mahalanobis"
        What rows are judged by. "scaled_error" is the squared error of each column, divided
        by what it is on average for rows not trained on, so that a small error counts where
        errors are always small; the mean over columns is 1 for a typical row. "mahalanobis"
        adds the squared Mahalanobis distance of the code from the mean code, divided by the
        number of columns, so that a row that is far out counts however well it is
        reconstructed [2]_. "squared_error" is the sum over columns in the squared units of X.
        "log_likelihood" is that of `VariationalAutoencoderTransformer`.

    contamination : float, default=0.1
        The share of outliers among the rows of X, in (0, 0.5], which decides the threshold:
        that share of X is predicted to be outliers, rounded to a whole row and at least one.

    n_folds : int, default=3
        Number of folds, and of autoencoders. More folds train each of them on more rows, and
        take longer.

    random_state : int, RandomState instance or None, default=None
        Decides the folds, and is that of the autoencoders unless they have one of their own.
        None takes theirs for the folds too; without any, each fit is different, without a
        draw from numpy's global generator.

    Attributes
    ----------
    autoencoders_ : list of estimators
        The fitted autoencoders, one for each fold.

    offset_ : float
        The threshold: ``decision_function`` is ``score_samples - offset_``.

    error_scale_ : ndarray of shape (n_features,)
        With the criteria "mahalanobis" and "scaled_error" only: the mean squared error of each
        column on rows not trained on, in the squared units of X, at least a hundredth of
        their mean.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Rows that few random cuts set apart.
    sklearn.neighbors.LocalOutlierFactor : Rows that lie less densely than their neighbours.
    AutoencoderTransformer : The autoencoder that errors are measured by.

    Notes
    -----
    A row of X is recognized by 64 bits that are computed from its values and kept; X itself
    is not. If it comes back changed, be it in the last digit, it is a new row.

    Equal rows of X are never on both sides of a split, and count with the sum of their
    weights.

    References
    ----------
    .. [1] Hawkins, S., He, H., Williams, G. & Baxter, R. (2002). Outlier detection using
       replicator neural networks. DaWaK. :doi:`10.1007/3-540-46145-0_17`
    .. [2] Denouden, T. et al. (2018). Improving reconstruction autoencoder out-of-distribution
       detection with Mahalanobis distance. :arxiv:`1812.02765`
    .. [3] Hennhöfer, O. & Preisach, C. (2024). Leave-one-out-, bootstrap- and cross-conformal
       anomaly detectors. :arxiv:`2402.16388`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderOutlierDetector
    >>> X, y = load_digits(return_X_y=True)
    >>> zeros, ones = X[y == 0], X[y == 1]
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(zeros)
    >>> int((detector.predict(zeros) == -1).sum()), len(zeros)
    (18, 178)
    >>> bool((detector.predict(ones) == -1).mean() > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "autoencoder": [HasMethods(["fit", "transform", "reconstruction_error"]), None],
        "criterion": [
            StrOptions({"mahalanobis", "scaled_error", "squared_error", "log_likelihood"})
        ],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        criterion="mahalanobis",
        contamination=0.1,
        n_folds=3,
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.criterion = criterion
        self.contamination = contamination
        self.n_folds = n_folds
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the autoencoders and find the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, most of which are not outliers. They may have missing values (NaN) if
            `autoencoder` takes them.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A row of weight two is the same as that row
            twice. None weighs all rows alike.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, if the autoencoder refuses them, or
            if fewer than two different rows are left to train on without a fold.
        """
        with or_as_before(self):
            return self._fit(X, sample_weight)

    def _fit(self, X, sample_weight):
        self._check_combination()
        given = X
        X, weight = check_rows(self, X, sample_weight, reset=True, allow_nan=self._takes_nan())
        # Names of columns mean something to the autoencoder's parameters.
        rows = given if hasattr(self, "feature_names_in_") else X
        indices, weight = different_rows(X, weight, shuffle=True)
        template = self._template(X, indices, weight)
        first, second = self.random_state, getattr(template, "random_state", None)
        seed = fit_seed(second if first is None else first)
        template.set_params(random_state=seed if second is None else second)
        folds = self._folds(len(indices), seed)
        autoencoders = []
        for fold in range(folds.max() + 1):
            kept = folds != fold
            autoencoder = clone(template)
            autoencoder.fit(_safe_indexing(rows, indices[kept]), sample_weight=weight[kept])
            # Columns are checked here, and rows are arrays from here on.
            vars(autoencoder).pop("feature_names_in_", None)
            autoencoders.append(autoencoder)

        self.autoencoders_ = autoencoders
        self.__dict__.pop("error_scale_", None)
        hashes = row_hashes(X)[indices]
        order = np.argsort(hashes)
        self._dtype, self._hashes, self._folds_of_hashes = X.dtype, hashes[order], folds[order]
        X = X[indices]
        if self.criterion != "log_likelihood":
            self._measure_errors(X, weight, folds)
        if self.criterion == "mahalanobis":
            self._code_spaces = [
                _CodeSpace.of(autoencoder.transform(X[folds != fold]), weight[folds != fold])
                for fold, autoencoder in enumerate(autoencoders)
            ]
        self.offset_ = _threshold(self._scores(X), weight, self.contamination)
        return self

    def _check_combination(self):
        """Refuse parameters of the autoencoder that have no effect here, or that are missing."""
        if getattr(self.autoencoder, "warm_start", False):
            raise ValueError(
                "warm_start=True of the autoencoder has no effect, because each fit trains new "
                "clones of it. Leave it at False."
            )
        if self.criterion == "log_likelihood" and not hasattr(self.autoencoder, "sample"):
            raise ValueError(
                f"criterion='log_likelihood' needs an autoencoder that is a density, such as "
                f"VariationalAutoencoderTransformer(); got autoencoder={self.autoencoder!r}. Set "
                "one, or another criterion."
            )

    def _folds(self, n_rows, seed):
        """Return the fold of each row."""
        n_folds = min(self.n_folds, n_rows)
        n_left = n_rows - -(-n_rows // n_folds)
        if n_left < 2:
            raise ValueError(
                f"X has {n_rows} different rows of positive weight, of which {n_left} would be "
                f"left to train on without one of {n_folds} folds; at least 2 are needed. Give "
                f"more rows, or more folds than n_folds={self.n_folds}."
            )
        folds = np.arange(n_rows) % n_folds
        return np.random.RandomState(seed).permutation(folds)

    def _template(self, X, indices, weight):
        """Return the autoencoder that each fold has a clone of."""
        if self.autoencoder is not None:
            return clone(self.autoencoder)
        if X.shape[1] == 1:
            raise ValueError(
                "X has n_features=1, and a single column is reconstructed exactly from a single "
                "code. Give more columns, or an autoencoder that can't reconstruct this one."
            )
        mean, _ = mean_and_scale(X, indices, weight)
        n_codes = n_principal_axes(X, indices, weight, mean, _SHARE_OF_PCA)
        n_codes = min(n_codes, X.shape[1] - 1)
        return AutoencoderTransformer(n_codes, validation_fraction=0.1)

    def _measure_errors(self, X, weight, folds):
        """Find out what the error of each column is on rows not trained on."""
        errors = np.zeros(X.shape[1])
        for fold, autoencoder in enumerate(self.autoencoders_):
            held_out = np.flatnonzero(folds == fold)
            for chunk in _chunks(len(held_out), X.shape[1]):
                some = held_out[chunk]
                errors += weight[some] @ autoencoder.reconstruction_error(X[some], per_feature=True)
        errors /= weight.sum()
        _, deviation = mean_and_scale(X, np.arange(len(weight)), weight)
        if errors.mean() <= _NO_ERROR * deviation**2:
            warnings.warn(
                "The autoencoders reconstruct rows that they were not trained on exactly, which "
                "leaves no errors to tell outliers by. Use an autoencoder with fewer components.",
                stacklevel=5,
            )
        if self.criterion != "squared_error":
            self.error_scale_ = np.maximum(errors, _LEAST_SHARE * errors.mean() or 1.0)

    def predict(self, X):
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def decision_function(self, X):
        """Return how far each row's score is above the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def score_samples(self, X):
        """Return how well the autoencoders that have not seen a row know it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            The log-likelihood if that is the criterion, or minus the `reconstruction_error`
            and, for "mahalanobis", what the code adds. The lower, the more unusual.
        """
        check_is_fitted(self)
        return self._scores(self._validate_rows(X))

    def reconstruction_error(self, X, *, per_feature=False):
        """Return the error of each row, or of each of its values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        per_feature : bool, default=False
            Whether to return the part of each value in the error, which tells the columns
            that make a row unusual, instead of their sum.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_features)
            Squared errors, averaged over the autoencoders that have not seen the row: divided by
            ``error_scale_`` and the number of columns for the criteria "mahalanobis" and
            "scaled_error", else in the squared units of X. That of a missing value is 0.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        return self._errors(X) if per_feature else self._total_errors(X)

    def _scores(self, X):
        if self.criterion == "log_likelihood":
            parts = [autoencoder.score_samples(X) for autoencoder in self.autoencoders_]
            return np.average(parts, axis=0, weights=self._unseen(X))
        scores = -self._total_errors(X)
        if self.criterion == "mahalanobis":
            pairs = zip(self.autoencoders_, self._code_spaces, strict=True)
            parts = [space.squared_distance(ae.transform(X)) for ae, space in pairs]
            scores -= np.average(parts, axis=0, weights=self._unseen(X)) / X.shape[1]
        return scores

    def _total_errors(self, X):
        """Return the error of each row, (n_samples,)."""
        chunks = _chunks(*X.shape)
        return np.concatenate([self._errors(X[chunk]).sum(axis=1) for chunk in chunks])

    def _errors(self, X):
        """Return the error of each value, (n_samples, n_features)."""
        unseen = self._unseen(X)
        errors = np.zeros(X.shape)
        for autoencoder, counts in zip(self.autoencoders_, unseen, strict=True):
            some = np.flatnonzero(counts)
            if len(some):
                errors[some] += autoencoder.reconstruction_error(X[some], per_feature=True)
        errors /= unseen.sum(axis=0)[:, None]
        if hasattr(self, "error_scale_"):
            errors /= self.error_scale_ * X.shape[1]
        return errors

    def _unseen(self, X):
        """Return which autoencoders were not trained on which rows, (n_folds, n_samples)."""
        hashes = row_hashes(X.astype(self._dtype, copy=False))
        place = np.searchsorted(self._hashes, hashes).clip(max=len(self._hashes) - 1)
        fold = np.where(self._hashes[place] == hashes, self._folds_of_hashes[place], -1)
        everyone = np.arange(len(self.autoencoders_))[:, None]
        return (fold == -1) | (fold == everyone)

    def _validate_rows(self, X):
        X = validated_rows(self, X, reset=False, allow_nan=self._takes_nan())
        if sp.issparse(X) and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X

    def _takes_nan(self):
        return self.autoencoder is not None and get_tags(self.autoencoder).input_tags.allow_nan

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = (
            self.autoencoder is None or get_tags(self.autoencoder).input_tags.sparse
        )
        tags.input_tags.allow_nan = self._takes_nan()
        return tags


class _CodeSpace(NamedTuple):
    """Where the codes of the rows lie that an autoencoder was trained on."""

    mean: np.ndarray  # (n_components,)
    whitening: np.ndarray  # (n_components, n_components): to unit variances, uncorrelated

    @classmethod
    def of(cls, codes: np.ndarray, weight: np.ndarray) -> "_CodeSpace":
        mean = np.average(codes, axis=0, weights=weight)
        centered = (codes - mean) * np.sqrt(weight / weight.sum())[:, None]
        variances, directions = np.linalg.eigh(centered.T @ centered)
        least = _LEAST_SHARE * variances.mean() or 1.0  # codes that are all the same
        return cls(mean, directions / np.sqrt(np.maximum(variances, least)))

    def squared_distance(self, codes: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distance of each code from the mean, (n_rows,)."""
        return np.square((codes - self.mean) @ self.whitening).sum(axis=1)


def _chunks(n_rows: int, n_features: int) -> Iterator[slice]:
    """Yield slices of ``range(n_rows)`` that hold a bounded number of values."""
    size = max(1, _ERROR_VALUES // n_features)
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def _threshold(scores: np.ndarray, weight: np.ndarray, share: float) -> float:
    """Return a number midway between two scores, with a share of the weight below it.

    The share is met as nearly as whole rows allow, and at least one row is below.
    """
    order = np.argsort(scores)
    below = np.cumsum(weight[order])
    last = np.abs(below - share * below[-1]).argmin()
    return float(scores[order[last : last + 2]].mean())
