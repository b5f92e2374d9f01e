"""AutoencoderImputer: holes in rows and tables filled by autoencoders, in a Pipeline."""

from numbers import Integral
from typing import ClassVar, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._candidates import widths
from ._checked_rows import check_rows, validated_rows
from ._contract import TransformerMixin, _fit_context
from ._fitting import fit_each, fit_seed, fitting
from ._frames import is_mixed
from ._idle import warn_of_idle
from ._progress import Watchable
from ._reconstruction import refuse_sparse
from ._rows import merge_equal_rows
from ._tables import TableAutoencoderTransformer
from ._variational import VariationalAutoencoderTransformer


class AutoencoderImputer(OneToOneFeatureMixin, TransformerMixin, Watchable):
    """Missing values filled from the reconstructions of autoencoders.

    An autoencoder learns how columns go together from the values that are there [1]_, and what it
    reconstructs in a hole is what the hole is filled with: the mean of what several of them do, as
    those that start elsewhere err elsewhere [4]_. Each is trained to undo masking noise:
    values that are there are hidden from it, and it learns to tell them from the others [2]_. Which
    values are hidden or missing it is told by columns of 0 and 1 beside the row [3]_.

    A DataFrame with words, flags or dates beside the numbers comes back as one, with the same
    columns, types and categories: it is a table, in which each column has the same say (see
    `TableAutoencoderTransformer`). Of rows of numbers alone, a network that sees large ones cares
    little for small ones: where columns have different units, put a
    `sklearn.preprocessing.StandardScaler` before it, which leaves holes as they are.

    Parameters
    ----------
    autoencoder : estimator, default=None
        An unfitted autoencoder that takes missing values and has a method ``impute``, such as
        ``AutoencoderTransformer(missing="flag", noise="masking")``; clones of it are fitted, to a
        table as within a `TableAutoencoderTransformer`. One of those may be given itself. None is
        the former, with as many codes as there are columns, hidden layers that do not narrow
        towards them, and ``early_stopping=False``: noise keeps it from learning rows by heart, and
        the start, which early stopping returns to if few rows confirm no other, fills holes with
        little more than means.

    n_estimators : int, default=3
        How many are fitted, with seeds of their own. More fill holes a little better; of many rows
        they take as much longer, of few hundred a little.

    random_state : int, RandomState instance or None, default=None
        That of the first autoencoder, from which those of the others follow, unless it has one of
        its own. None is different each time, without a draw from numpy's global generator.

    Attributes
    ----------
    autoencoders_ : list of estimators
        The fitted autoencoders; of a table, those of the rows of its matrix.

    encoder_ : TableEncoder or None
        From a table to the matrix, and back; None of rows of numbers.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    sklearn.impute.IterativeImputer : Each column by a regression on the others.
    sklearn.impute.KNNImputer : Holes filled from the nearest rows.
    AutoencoderTransformer : The autoencoder, which has codes of rows with holes, too.
    TableAutoencoderTransformer : The same of tables.

    References
    ----------
    .. [1] Gondara, L. & Wang, K. (2018). MIDA: Multiple imputation using denoising autoencoders.
       PAKDD. :arxiv:`1705.02737`
    .. [2] Vincent, P. et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML. :doi:`10.1145/1390156.1390294`
    .. [3] Lipton, Z. C., Kale, D. C. & Wetzel, R. (2016). Modeling missing data in clinical time
       series with RNNs. :arxiv:`1606.04130`
    .. [4] Hansen, L. K. & Salamon, P. (1990). Neural network ensembles. IEEE Transactions on
       Pattern Analysis and Machine Intelligence 12(10). :doi:`10.1109/34.58871`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skae import AutoencoderImputer
    >>> X, _ = load_iris(return_X_y=True)
    >>> hole = np.random.default_rng(0).uniform(size=X.shape) < 0.2
    >>> filled = AutoencoderImputer(random_state=0).fit_transform(np.where(hole, np.nan, X))
    >>> error = np.abs(filled - X)[hole].mean()
    >>> bool(error < 0.5 * np.abs(X.mean(axis=0) - X)[hole].mean())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "autoencoder": [HasMethods(["fit", "impute"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, autoencoder=None, *, n_estimators=3, random_state=None):
        self.autoencoder = autoencoder
        self.n_estimators = n_estimators
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, groups=None) -> Self:
        """Fit the autoencoders to the values that are there.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows; NaN is a missing value, and in a table None, NA and NaT. Each column of numbers
            needs a value.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. A row of weight two is the same as that row
            twice. None weighs all rows alike.

        groups : array-like of shape (n_samples,), default=None
            Which rows belong together, as those of one person do: the autoencoder holds them out
            together. Of no effect where none are held out, as by the default autoencoder.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is not what is expected, if a column has no value, or if the
            autoencoder takes no missing values.
        TypeError
            If X is sparse.
        """
        with fitting(self, X, y, sample_weight):
            return self._fit(X, sample_weight, groups)

    def _fit(self, X, sample_weight, groups):
        self._check_autoencoder()
        refuse_sparse(X, type(self).__name__)
        beside = {"sample_weight": sample_weight, "groups": groups}
        if isinstance(self.autoencoder, TableAutoencoderTransformer) or is_mixed(X):
            encoder, rows, autoencoder = self._of_table(X, sample_weight)
            self.__dict__.pop("feature_names_in_", None)
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(encoder, name):
                    setattr(self, name, getattr(encoder, name))
        else:
            given = X
            X, _ = check_rows(self, X, sample_weight, reset=True, allow_nan=True)
            encoder, autoencoder = None, self._of_numbers(X.shape[1])
            # Names of columns mean something to the autoencoder's parameters.
            rows = given if hasattr(self, "feature_names_in_") else X
        if self.autoencoder is None:
            values = rows if encoder is not None else X
            n_rows = len(merge_equal_rows(values, _check_sample_weight(sample_weight, values))[0])
            width, _ = widths(n_rows)
            autoencoder.set_params(hidden_layer_sizes=(width, width))
        elif hasattr(autoencoder, "_validate_params"):
            autoencoder._validate_params()
        autoencoders = self._members(autoencoder)
        fit_each(autoencoders, [{"X": rows, **beside}] * len(autoencoders), "autoencoder")
        self.encoder_, self.autoencoders_ = encoder, autoencoders
        return self

    def _members(self, autoencoder):
        """Return clones of an autoencoder, with seeds of their own if they have any."""
        members = [clone(autoencoder) for _ in range(self.n_estimators)]
        own = getattr(autoencoder, "random_state", None)
        if not hasattr(autoencoder, "random_state") or (own is not None and len(members) == 1):
            return members
        if own is None:
            own = self.random_state
        first = int(own) if isinstance(own, Integral) else fit_seed(own)
        others = np.random.RandomState(first).randint(2**31, size=len(members) - 1)
        for member, seed in zip(members, [first, *others.tolist()], strict=True):
            member.set_params(random_state=seed)
        return members

    def _check_autoencoder(self):
        """Refuse an autoencoder that takes no holes, and warn of what is idle."""
        if not self._takes_nan():
            raise ValueError(
                f"autoencoder={self.autoencoder!r} takes no missing values, so it can't learn from "
                "rows that have some. Give one with missing='flag'."
            )
        if hasattr(self.autoencoder, "warm_start"):
            idle = [("each fit trains new clones of the autoencoder", ["warm_start"])]
            warn_of_idle(self.autoencoder, idle)

    def _of_numbers(self, n_features):
        """Return the autoencoder to fit to rows of numbers or of a table."""
        if self.autoencoder is not None:
            return clone(self.autoencoder)
        return AutoencoderTransformer(
            n_features, missing="flag", noise="masking", early_stopping=False
        )

    def _of_table(self, X, sample_weight):
        """Return the encoder of a table, the rows of its matrix, and the autoencoder of those."""
        table = self._of_numbers(X.shape[1])
        if not isinstance(table, TableAutoencoderTransformer):
            table = self._within_table(table)
        table._validate_params()
        return table._encoded(X, sample_weight)

    def _within_table(self, autoencoder):
        """Return an autoencoder of rows as one of tables."""
        if not isinstance(autoencoder, AutoencoderTransformer | VariationalAutoencoderTransformer):
            raise ValueError(
                f"autoencoder={autoencoder!r} takes rows of numbers, but X has columns of words, "
                "flags or dates. Give one of AutoencoderTransformer, TableAutoencoderTransformer "
                "or VariationalAutoencoderTransformer, or encode X."
            )
        if autoencoder.missing == "mask":
            autoencoder.set_params(missing="error")  # which a table makes this of
        return TableAutoencoderTransformer(autoencoder.n_components, autoencoder=autoencoder)

    def transform(self, X):
        """Fill missing values.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`, in their units.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            X with a number for each missing value, in its dtype (float32 or float64); all other
            values are left as they are. A table comes back in its container and types.
        """
        check_is_fitted(self)
        refuse_sparse(X, type(self).__name__)
        if self.encoder_ is not None:
            matrix = self._imputed(self.encoder_.transform(X))
            return self.encoder_._filled(X, matrix)
        rows = validated_rows(self, X, reset=False, allow_nan=True)
        return np.where(np.isnan(rows), self._imputed(X), rows)

    def _imputed(self, X):
        """Return the mean of rows as the autoencoders fill them."""
        first, *others = self.autoencoders_
        total = np.array(first.impute(X))
        for autoencoder in others:
            total += np.asarray(autoencoder.impute(X))
        total /= len(self.autoencoders_)
        return total

    def _takes_nan(self):
        return self.autoencoder is None or get_tags(self.autoencoder).input_tags.allow_nan

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._takes_nan()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
