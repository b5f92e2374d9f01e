"""AutoencoderOutlierDetector: rows that autoencoders of the other rows do not know."""

from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ._autoencoder import AutoencoderTransformer
from ._checked_rows import check_rows, refuse_target, validated_rows
from ._contract import OutlierMixin, _fit_context
from ._explanations import OutlierExplanation
from ._fitting import fit_each, fit_seed, fitting
from ._holding_out import FoldsOfRows, folds, group_numbers
from ._idle import warn_of_idle
from ._outlier_stream import OutlierStream
from ._principal_axes import n_principal_axes
from ._progress import Watchable
from ._reconstruction import ColumnsOut, by_column, known_share
from ._rows import (
    canonical,
    fill_holes,
    known_values,
    mean_and_scale,
    merge_equal_rows,
)

_SHARE_OF_PCA = 0.5  # of the variance, that the default autoencoder's codes explain as PCA's
# Of the default autoencoder. More epochs rebuild rows better, and tell no more of them apart; of
# many rows, whose epochs have more steps, fewer do.
_OF_DEFAULT = {"init": "pca", "noise": None, "missing": "mask", "validation_fraction": 0.1}
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 20
_ROWS_SEEN = 500_000  # in all epochs, where they are between these


class AutoencoderOutlierDetector(OutlierStream, ColumnsOut, OutlierMixin, Watchable):
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
        (though fewer than columns), ``init="pca"``, ``noise=None``, 20 epochs (of more than 25 000
        rows fewer, to 5) and ``validation_fraction=0.1``: what it takes to tell rows apart is soon
        learnt.

    criterion : {"combined", "mahalanobis", "scaled_error", "squared_error", \
            "log_likelihood"}, default="combined"
        What rows are judged by. "scaled_error" is the squared error of each column, divided
        by what it is on average for rows not trained on, so that a small error counts where
        errors are always small; the mean over columns is 1 for a typical row. "mahalanobis"
        adds the squared Mahalanobis distance of the code from the mean code, divided by the
        number of columns, so that a row that is far out counts however well it is
        reconstructed [2]_. "squared_error" is the sum over columns in the squared units of X.
        "log_likelihood" is that of `VariationalAutoencoderTransformer`. "combined" has four
        views of a row: the scaled error, which is large off the surface that most rows lie on;
        the distance from the nearest row, of 512 that an autoencoder was trained on;
        the distance of the code from the farthest of its neighbors, the nearest fiftieth of the
        codes, which is large where few rows are; and how far its values are from the medians of
        their columns, the sum of log(1 + deviation / median deviation). Each is brought to minus
        the logarithm of how probable it is that a row not trained on is as unusual, whose mean is
        1 for typical rows. The score is minus the root of the sum of four squares: of the first,
        and of what the others are above 1, so that rows that are typical in these are judged by
        their errors alone.

    contamination : float or "auto", default=0.1
        The share of outliers among the rows of X, in (0, 0.5], which decides the threshold:
        that share of X is predicted to be outliers, rounded to a whole row and at least one.
        "auto" is for who does not know it: outliers are the rows with a p-value of at most 0.05,
        as `score_p_values` has it. So of new rows like those of X no more than 5 % are false
        alarms, on average over fits and whatever the distribution of the scores; outliers among
        the rows of X make it fewer. Where X has fewer than 19 rows, none of which could have such a
        p-value, new rows are outliers that are below all of them.

    n_folds : int or splitter, default=3
        Number of folds, and of autoencoders. More folds train each of them on more rows, and
        take longer. A splitter of scikit-learn, such as `sklearn.model_selection.PredefinedSplit`,
        must hold each row out at least once.

    half_life : float, default=None
        Of rows in a stream, for `partial_fit`, as a number of rows, at least 50: a row counts for
        what is typical until a newer one takes its place, which half of the rows have lost when so
        many others have come. At most 2048 rows are kept, chosen at random. None keeps none, and
        there is no `partial_fit`.

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
        With the criteria "combined", "mahalanobis" and "scaled_error" only: the mean squared
        error of each column on rows not trained on, in the squared units of X, at least a
        hundredth of their mean.

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
    is not, but for 512 rows for each autoencoder with ``criterion="combined"``, and a few with
    `half_life`. If it comes back changed, be it in the last digit, it is a new row.

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
            StrOptions(
                {"combined", "mahalanobis", "scaled_error", "squared_error", "log_likelihood"}
            )
        ],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "n_folds": [Interval(Integral, 2, None, closed="left"), HasMethods("split")],
        "half_life": [Interval(Real, 50, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        criterion="combined",
        contamination=0.1,
        n_folds=3,
        half_life=None,
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.criterion = criterion
        self.contamination = contamination
        self.n_folds = n_folds
        self.half_life = half_life
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, groups=None) -> Self:
        """Fit the autoencoders and find the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, most of which are not outliers. They may have missing values (NaN) unless an
            `autoencoder` is given that does not take them.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A row of weight two is the same as that row
            twice. None weighs all rows alike.

        groups : array-like of shape (n_samples,), default=None
            Which rows belong together, as those of one person do: they are in one fold, and the
            autoencoders hold them out together, too, if their `fit` takes groups.

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
        with fitting(self, X, y, sample_weight):
            return self._fit(X, y, sample_weight, groups)

    def _fit(self, X, y, sample_weight, groups):
        self._check_combination()
        given = X
        X, weight = check_rows(self, X, sample_weight, reset=True, allow_nan=self._takes_nan())
        refuse_target(self, X, y)
        known_share(X)  # refuses rows without any known value
        # Names of columns mean something to the autoencoder's parameters.
        rows = given if hasattr(self, "feature_names_in_") else X
        all_weight, (indices, weight) = weight, merge_equal_rows(X, weight)
        template = self._template(X, indices, weight)
        first, second = self.random_state, getattr(template, "random_state", None)
        seed = fit_seed(second if first is None else first)
        template.set_params(random_state=seed if second is None else second)
        groups = None if groups is None else group_numbers(groups, X)
        held_out = folds(self.n_folds, X, all_weight, indices, groups, seed)
        autoencoders, given = [clone(template) for _ in held_out], []
        for kept in ~held_out:
            some = {"X": _safe_indexing(rows, indices[kept]), "sample_weight": weight[kept]}
            if groups is not None and has_fit_parameter(template, "groups"):
                some["groups"] = groups[indices[kept]]
            given.append(some)
        fit_each(autoencoders, given, "fold")
        for autoencoder in autoencoders:
            # Columns are checked here, and rows are arrays from here on.
            vars(autoencoder).pop("feature_names_in_", None)

        self.autoencoders_, self._folds = autoencoders, FoldsOfRows(X, indices, held_out)
        self._keep_rows(X[indices], weight, held_out, seed)
        self._calibrate(X[indices], weight, held_out, seed)
        return self

    def _check_combination(self):
        """Refuse a criterion that the autoencoder does not have, and warn of what is idle."""
        if hasattr(self.autoencoder, "warm_start"):
            idle = [("each fit trains new clones of the autoencoder", ["warm_start"])]
            warn_of_idle(self.autoencoder, idle)
        if self.criterion == "log_likelihood" and not hasattr(self.autoencoder, "sample"):
            raise ValueError(
                f"criterion='log_likelihood' needs an autoencoder that is a density, such as "
                f"VariationalAutoencoderTransformer(); got autoencoder={self.autoencoder!r}. Set "
                "one, or another criterion."
            )

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
        X = fill_holes(X, mean)
        n_codes = min(n_principal_axes(X, indices, weight, mean, _SHARE_OF_PCA), X.shape[1] - 1)
        n_epochs = int(np.clip(_ROWS_SEEN // len(indices), _FEWEST_EPOCHS, _MOST_EPOCHS))
        return AutoencoderTransformer(n_codes, max_iter=n_epochs, **_OF_DEFAULT)

    def predict(self, X) -> np.ndarray:
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

    def decision_function(self, X) -> np.ndarray:
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

    def score_samples(self, X) -> np.ndarray:
        """Return how well the autoencoders that have not seen a row know it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            The log-likelihood if that is the criterion; what the four views say together if it is
            "combined"; or minus the `reconstruction_error` and, for "mahalanobis", what the code
            adds. The lower, the more unusual.
        """
        check_is_fitted(self)
        return self._scores(self._validate_rows(X))

    def score_p_values(self, X) -> np.ndarray:
        """Return how probable it is that a row like those of `fit` is as unusual.

        These are conformal p-values [1]_: the share of the rows of `fit`, each judged by
        autoencoders that were not trained on it, whose score is no higher. If a new row is one like
        them, its p-value is below any level with no more than that probability; outliers among the
        rows of `fit` make p-values larger. ``scipy.stats.false_discovery_control(p_values)``
        adjusts those of many rows: of the rows whose adjusted value is at most 0.1, no more than a
        tenth are false alarms, on average [2]_.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        Returns
        -------
        ndarray of float64 of shape (n_samples,)
            In (0, 1].

        References
        ----------
        .. [1] Bates, S. et al. (2023). Testing for outliers with conformal p-values. Annals of
           Statistics 51(1). :doi:`10.1214/22-AOS2244`
        .. [2] Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of
           the Royal Statistical Society B 57(1). :doi:`10.1111/j.2517-6161.1995.tb02031.x`
        """
        return self._typical.p_values(self.score_samples(X))

    def explain(self, X) -> OutlierExplanation:
        """Tell what makes rows unusual: which views say so, which columns, what was expected.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows, such as those that `predict` calls outliers.

        Returns
        -------
        OutlierExplanation
            What each view says, as minus the logarithm of its probability; what each column
            contributes; and what the autoencoders that have not seen a row make of it.

        Raises
        ------
        ValueError
            If X is not what is expected, or the criterion is not "combined".
        """
        check_is_fitted(self)
        if self.criterion != "combined":
            raise ValueError(
                f"explain tells of the views of criterion='combined', not of {self.criterion!r}; "
                "reconstruction_error(X, per_feature=True) tells of columns."
            )
        X = self._validate_rows(X)
        known, unseen = known_values(X), self._folds.unseen(X)
        errors = self._errors(X, known, unseen)
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])])
        return self._views.explain(self.autoencoders_, X, known, unseen, errors, names)

    def reconstruction_error(self, X, *, per_feature=False) -> np.ndarray:
        """Return the error of each row, or of each of its values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training rows.

        per_feature : bool or array-like of shape (n_features,), default=False
            Whether to return the part of each value in the error, which tells the columns
            that make a row unusual, instead of their sum. Names of where the columns come
            from sum them by these, in order of appearance.

        Returns
        -------
        ndarray of float64 of shape (n_samples,) or (n_samples, n_features)
            Squared errors, averaged over the autoencoders that have not seen the row: divided by
            ``error_scale_`` and the number of columns for the criteria "combined", "mahalanobis"
            and "scaled_error", else in the squared units of X. That of a missing value is 0, and
            those of the known values of its row count for it, each for as many more. Those of
            columns are a DataFrame if `set_output` says so.

        Raises
        ------
        ValueError
            If X is not what is expected, or a row has no known value.
        """
        check_is_fitted(self)
        given, X = X, self._validate_rows(X)
        state = known_values(X), self._folds.unseen(X)
        if per_feature is False:
            return self._total_errors(X, *state)
        return by_column(self, self._errors(X, *state), given, per_feature)

    def _validate_rows(self, X):
        X = validated_rows(self, X, reset=False, allow_nan=self._takes_nan())
        known_share(X)  # refuses rows without any known value
        return canonical(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = (
            self.autoencoder is None or get_tags(self.autoencoder).input_tags.sparse
        )
        tags.input_tags.allow_nan = self._takes_nan()
        return tags
