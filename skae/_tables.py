"""TableAutoencoderTransformer: an autoencoder that takes a table and gives a table back."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, clone
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._contract import TransformerMixin, _fit_context
from ._fitting import fitting
from ._frames import filled, with_index_of
from ._progress import Watchable, fit_within
from ._table_encoder import TableEncoder
from ._table_scores import NO_ERROR, share, summed_errors

# Of the autoencoder, what follows from the table.
_DECIDED = {"loss": "squared_error", "missing": "error", "output_activation": None}


class TableAutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Watchable):
    """Nonlinear dimensionality reduction of tables: numbers, categories, flags, dates and holes.

    A table goes in, as a DataFrame of pandas or polars, and comes back from the codes, with the
    same columns, types and categories. Each column has the same say, whatever its unit and however
    many levels it has: a number counts by its squared error over its variance, a category by its
    cross-entropy over the entropy of its frequencies. Values that are missing count neither as
    input nor as error.

    With ``init="pca"`` a fit starts at factor analysis of mixed data (FAMD) [1]_, which is PCA of
    standardized numbers and of indicators divided by the roots of their frequencies; so it is among
    the candidates of the default fit, which leaves it only where rows held out confirm it.

    Parameters
    ----------
    n_components : int or float, default=2
        Number of codes of a row; or the share of the matrix's variance that they shall explain, as
        in `AutoencoderTransformer`.

    categorical_features : "from_dtype" or array-like of names, places or bool, \
            default="from_dtype"
        Which columns are categories beside those whose type says so: words, flags, and the
        categorical types of pandas and polars.

    column_weight : dict, default=None
        What columns count, by their names, such as ``{"income": 2}``; 1 for all others.

    autoencoder : AutoencoderTransformer, default=None
        Its parameters are those of the network and of training; a clone of it is fitted to the
        matrix of the table. The loss and what is done with missing values follow from the table.
        None is one with its defaults.

    random_state : int, RandomState instance or None, default=None
        That of the autoencoder, unless it has one of its own.

    Attributes
    ----------
    encoder_ : TableEncoder
        From the table to the matrix, and back.

    autoencoder_ : AutoencoderTransformer
        Fitted to the matrix.

    n_components_ : int
        Number of codes.

    n_features_in_ : int
        Number of columns of the table.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    TableEncoder : The matrix alone, for other estimators.
    AutoencoderTransformer : For rows of numbers.

    References
    ----------
    .. [1] Pagès, J. (2004). Analyse factorielle de données mixtes. Revue de statistique appliquée
       52(4), 93-111.

    Examples
    --------
    >>> import pandas
    >>> from skae import TableAutoencoderTransformer
    >>> table = pandas.DataFrame(
    ...     {
    ...         "height": [150.0, 160.0, 170.0, 180.0, None, 190.0] * 5,
    ...         "size": ["S", "S", "M", "M", "L", "L"] * 5,
    ...     }
    ... )
    >>> autoencoder = TableAutoencoderTransformer(1, random_state=0).fit(table)
    >>> codes = autoencoder.transform(table)
    >>> codes.shape
    (30, 1)
    >>> autoencoder.inverse_transform(codes).dtypes.to_dict() == table.dtypes.to_dict()
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **TableEncoder._parameter_constraints,
        "n_components": AutoencoderTransformer._parameter_constraints["n_components"],
        "autoencoder": [AutoencoderTransformer, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=2,
        *,
        categorical_features="from_dtype",
        column_weight=None,
        autoencoder=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.categorical_features = categorical_features
        self.column_weight = column_weight
        self.autoencoder = autoencoder
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, groups=None) -> Self:
        """Fit the autoencoder to a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table of pandas or polars, or an array of numbers or objects.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        groups : array-like of shape (n_samples,), default=None
            Which rows belong together, as those of one person do: they are held out together.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a column has a type that can't be read or a new word in each row, or if parameters
            contradict each other.
        """
        with fitting(self, X, y, sample_weight):
            encoder = TableEncoder(self.categorical_features, column_weight=self.column_weight)
            encoder.fit(X, sample_weight=sample_weight)
            autoencoder = self._template().set_params(loss=encoder.loss(), missing="mask")
            matrix = encoder.transform(X)
            beside = {"sample_weight": sample_weight, "groups": groups}
            fit_within("autoencoder", 1, autoencoder, matrix, **beside)
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
                if hasattr(encoder, name):
                    setattr(self, name, getattr(encoder, name))
            self.encoder_, self.autoencoder_ = encoder, autoencoder
            self.n_components_ = self._n_features_out = autoencoder.n_components_
        return self

    def _template(self) -> AutoencoderTransformer:
        """Return the autoencoder to fit, but for what follows from the table."""
        template = AutoencoderTransformer() if self.autoencoder is None else clone(self.autoencoder)
        for name, default in _DECIDED.items():
            if getattr(template, name) != default:
                raise ValueError(
                    f"autoencoder has {name}={getattr(template, name)!r}, which follows from the "
                    f"columns of a table. Leave it at {default!r}."
                )
        template.set_params(n_components=self.n_components)
        if template.random_state is None:
            template.set_params(random_state=self.random_state)
        return template

    def transform(self, X) -> np.ndarray:
        """Return the codes of the rows of a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`; the columns of a DataFrame may be in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The codes.
        """
        check_is_fitted(self)
        return self.autoencoder_.transform(self.encoder_.transform(X))

    def inverse_transform(self, X) -> Any:
        """Return the rows of a table that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes such as `transform` returns.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container of `fit`, with the same columns, types and categories.
        """
        check_is_fitted(self)
        rows = self.autoencoder_.inverse_transform(X)
        return with_index_of(X, self.encoder_.inverse_transform(rows))

    def impute(self, X) -> Any:
        """Fill the values of a table that are missing from its reconstruction.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container and types of X: all values that are there as they are, a number or a
            level for each that is not.
        """
        check_is_fitted(self)
        matrix = self.encoder_.transform(X)
        return filled(X, self.encoder_.inverse_transform(self._rebuilt(matrix)))

    def reconstruction_error(self, X, *, per_feature=False) -> np.ndarray:
        """Return how far rows are from their reconstruction.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`.

        per_feature : bool, default=False
            Whether to return a number for each column of the table.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features)
            Of a number the squared error, in units of its variance; of a category the squared error
            of the probabilities of its levels, in units of what its frequencies alone have [1]_. So
            1 is the error of a column's mean or frequencies. For a row, the mean over the columns
            whose value is known, by their weights; for a value that is missing, 0.

        References
        ----------
        .. [1] Brier, G. W. (1950). Verification of forecasts expressed in terms of probability.
           Monthly Weather Review 78. :doi:`10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2`
        """
        check_is_fitted(self)
        matrix = self.encoder_.transform(X)
        errors = self.encoder_.column_errors(matrix, self._rebuilt(matrix))
        known, weight = ~np.isnan(errors), self.encoder_.column_weights_
        errors = np.where(known, errors, 0.0)
        if per_feature:
            return errors
        total = known @ weight
        return errors @ weight / np.where(total > 0, total, 1.0)

    def score(self, X, y=None, sample_weight=None) -> float:
        """Return the share of a table that its reconstruction explains.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`, at least two.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        float
            At most 1; 0 is as good as each column's own mean or frequencies. For a table of numbers
            alone it is R² of standardized columns. Columns count by their weights.
        """
        errors, constant = self._summed_errors(X, sample_weight)
        weight = self.encoder_.column_weights_
        return share(errors @ weight, constant @ weight)

    def score_per_feature(self, X, sample_weight=None) -> np.ndarray:
        """Return the share of each column of a table that its reconstruction explains.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`, at least two.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        ndarray of shape (n_features,)
            As `score`, for each column; NaN for one that is the same in all rows.
        """
        errors, constant = self._summed_errors(X, sample_weight)
        varies = constant > NO_ERROR
        return 1 - np.divide(errors, constant, out=np.full(len(errors), np.nan), where=varies)

    def _summed_errors(self, X, sample_weight):
        """Return the errors of columns, and those of the rows' own means and frequencies."""
        check_is_fitted(self)
        matrix = self.encoder_.transform(X)
        weight = _check_sample_weight(
            sample_weight, matrix, dtype=np.float64, ensure_non_negative=True
        )
        return summed_errors(self.encoder_, matrix, self._rebuilt(matrix), weight)

    def _rebuilt(self, matrix: np.ndarray) -> np.ndarray:
        return self.autoencoder_.inverse_transform(self.autoencoder_.transform(matrix))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags
