"""TableAutoencoderTransformer: an autoencoder that takes a table and gives a table back."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._contract import TransformerMixin, _fit_context, available_if
from ._fitting import fit_seed, fitting
from ._frames import with_index_of
from ._new_rows import NewRows
from ._progress import Watchable, fit_within
from ._seeding import torch_generator
from ._table_encoder import TableEncoder
from ._table_scores import NO_ERROR, share, summed_errors
from ._table_values import seconds_of
from ._variational import VariationalAutoencoderTransformer
from .noise import together

# Of the autoencoder, what follows from the table: the values that are left, the default first.
_DECIDED: dict[type, dict[str, tuple]] = {
    AutoencoderTransformer: {
        "loss": ("squared_error",),
        "missing": ("error", "flag"),
        "output_activation": (None,),
    },
    VariationalAutoencoderTransformer: {
        "likelihood": ("gaussian",),
        "missing": ("error",),
        "binarize": (False,),
    },
}

# Of the matrix in training. Weighted rows and repeated ones have means that differ in the last bit,
# and the order of rows in training is that of their content.
_DECIMALS = 10


def _draws_rows(estimator) -> bool:
    return isinstance(estimator.autoencoder, VariationalAutoencoderTransformer)


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
    n_components : int, float or "auto", default=2
        Number of codes of a row; or the share of the matrix's variance that they shall explain, as
        in `AutoencoderTransformer`.

    categorical_features : "from_dtype" or array-like of names, places or bool, \
            default="from_dtype"
        Which columns are categories beside those whose type says so: words, flags, and the
        categorical types of pandas and polars.

    column_weight : dict, default=None
        What columns count, by their names, such as ``{"income": 2}``; 1 for all others. Not with a
        variational autoencoder, whose likelihood has no weights.

    autoencoder : AutoencoderTransformer or VariationalAutoencoderTransformer, default=None
        Its parameters are those of the network and of training; a clone of it is fitted to the
        matrix of the table. The loss or likelihood follows from the table, and missing values are
        left out; with ``missing="flag"`` the encoder is told which. None is an
        AutoencoderTransformer with its defaults. Where rows are held out, a `batch_size` of "auto"
        is twice what it is for rows of numbers. A variational autoencoder has normal noise for
        numbers, with a variance for each, and probabilities for categories; it draws new rows
        (`sample`), given a condition if it is ``conditional``.

    random_state : int, RandomState instance or None, default=None
        That of the autoencoder, unless it has one of its own.

    Attributes
    ----------
    encoder_ : TableEncoder
        From the table to the matrix, and back.

    autoencoder_ : AutoencoderTransformer or VariationalAutoencoderTransformer
        Fitted to the matrix.

    condition_ : str or None
        The name of the column that is the condition, if one is.

    n_components_ : int
        Number of codes.

    n_features_in_ : int
        Number of columns of the table.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    TableEncoder : The matrix alone, for other estimators.
    AutoencoderImputer : Missing values filled, which it is better at.
    AutoencoderTransformer : For rows of numbers.
    VariationalAutoencoderTransformer : With new rows, as its ``autoencoder``.

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
        "autoencoder": [AutoencoderTransformer, VariationalAutoencoderTransformer, None],
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

        y : array-like of shape (n_samples,) or (n_samples, n_columns) or str, default=None
            With an autoencoder that is ``conditional``: its condition, as labels, numbers or the
            name of a column of X. That column stays one of the table: it is rebuilt and drawn as
            the others are, given what it has. With a penalty that needs labels: these, likewise.
            Ignored otherwise, but for a name.

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
        condition = y if isinstance(y, str) else None
        with fitting(self, X, None if condition else y, sample_weight):
            encoder, matrix, autoencoder = self._encoded(X, sample_weight)
            beside = {"sample_weight": sample_weight, "groups": groups}
            if get_tags(autoencoder).target_tags.required:
                beside["y"] = encoder.known_values(X, y) if condition is not None else y
            elif condition is not None:
                raise ValueError(
                    f"y={y!r} names a condition, and the autoencoder has none. Give autoencoder="
                    "VariationalAutoencoderTransformer(conditional=True), or leave y out."
                )
            fit_within("autoencoder", 1, autoencoder, matrix, **beside)
            for name in ("n_features_in_", "feature_names_in_", "_new_rows"):
                self.__dict__.pop(name, None)
                if hasattr(encoder, name):
                    setattr(self, name, getattr(encoder, name))
            if isinstance(autoencoder, VariationalAutoencoderTransformer):
                weight = _check_sample_weight(sample_weight, matrix, dtype=np.float64)
                numbers = encoder._numbers_of(X)
                self._new_rows = NewRows(autoencoder, matrix, numbers, weight, beside.get("y"))
            self.encoder_, self.autoencoder_ = encoder, autoencoder
            self.condition_ = condition if self._is_conditional() else None
            self.n_components_ = self._n_features_out = autoencoder._n_features_out
        return self

    def _encoded(self, X, sample_weight) -> tuple[TableEncoder, np.ndarray, Any]:
        """Return the encoder of a table, the rows of its matrix, and an autoencoder to fit."""
        autoencoder = self._template()
        encoder = TableEncoder(self.categorical_features, column_weight=self.column_weight)
        matrix = encoder.fit(X, sample_weight=sample_weight).transform(X)
        if isinstance(autoencoder, AutoencoderTransformer):
            noise = together(autoencoder.noise, encoder.source_columns_)
            autoencoder.set_params(loss=encoder.loss(), noise=noise)
        else:
            autoencoder.set_params(likelihood=encoder.likelihood())
        return encoder, np.round(matrix, _DECIMALS), autoencoder

    def _template(self) -> Any:
        """Return the autoencoder to fit, but for what follows from the table."""
        template = AutoencoderTransformer() if self.autoencoder is None else clone(self.autoencoder)
        for kind, decided in _DECIDED.items():
            for name, left in decided.items() if isinstance(template, kind) else ():
                if getattr(template, name) not in left:
                    raise ValueError(
                        f"autoencoder has {name}={getattr(template, name)!r}, which follows from "
                        f"the columns of a table. Leave it at {left[0]!r}."
                    )
        if _draws_rows(self) and self.column_weight:
            raise ValueError(
                f"column_weight={self.column_weight!r} does not go with a variational autoencoder: "
                "its columns count by how likely their values are. Leave it out."
            )
        missing = "mask" if template.missing == "error" else template.missing
        template.set_params(n_components=self.n_components, missing=missing)
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

    def inverse_transform(self, X, y=None) -> Any:
        """Return the rows of a table that codes stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes such as `transform` returns.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With a condition: what the rows shall have. None averages over labels, as frequent as
            they were in training.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container of `fit`, with the same columns, types and categories.
        """
        check_is_fitted(self)
        y = self._in_seconds(y)
        beside = {"y": y} if self._is_conditional() else {}
        rows = self.autoencoder_.inverse_transform(X, **beside)
        return with_index_of(X, self.encoder_._table_of(rows, known=self._known(y)))

    @available_if(_draws_rows)
    def sample(self, n_samples=1, y=None, *, random_state=None) -> Any:
        """Draw new rows, with a variational autoencoder.

        A code is drawn from where those of the training rows lie, a mixture of normal distributions
        that was fitted to them in `fit`; given it, numbers with the noise of the likelihood, and
        categories as probable as they are. A number that is drawn is taken for that of the training
        rows with the same rank; so a column has as many zeros as there, and of numbers that repeat
        no others.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        y : str, number or array-like, default=None
            With a condition: what the rows shall have, one label (or row of numbers) for all or one
            for each. None draws labels as they were frequent in training; numbers must be given.

        random_state : int, RandomState instance or None, default=None
            Where the draws come from. None is different each time, without a draw from numpy's
            global generator.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container of `fit`, with the same columns, types and categories, and no value
            missing. A column that is the condition has y.

        Raises
        ------
        ValueError
            If ``n_samples`` is not a positive integer, or if y is missing, unknown or without
            effect.
        """
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be a positive integer.")
        generator = torch_generator(fit_seed(random_state))
        if self._is_conditional():
            y = self._in_seconds(y)
            y = self.autoencoder_._condition.for_each(y, int(n_samples), generator)
            if y is None or len(y) != n_samples:
                raise ValueError(
                    f"y has {0 if y is None else len(y)} conditions for n_samples={n_samples} "
                    "rows, and conditions that are numbers must be given: one for all, or one for "
                    "each."
                )
        elif y is not None:
            raise ValueError(
                f"y={y!r} has no effect, because there is no condition. Leave it out, or fit with "
                "autoencoder=VariationalAutoencoderTransformer(conditional=True)."
            )
        rows, numbers = self._new_rows.draw(self.autoencoder_, int(n_samples), y, generator)
        return self.encoder_._table_of(rows, numbers=numbers, known=self._known(y))

    def impute(self, X, y=None) -> Any:
        """Fill the values of a table that are missing from its reconstruction.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With a condition: that of the rows, if it is no column of X. Ignored otherwise.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container and types of X: all values that are there as they are, a number or a
            level for each that is not.
        """
        check_is_fitted(self)
        matrix = self.encoder_.transform(X)
        return self.encoder_._filled(X, self._rebuilt(X, y, matrix))

    def reconstruction_error(self, X, y=None, *, per_feature=False) -> np.ndarray:
        """Return how far rows are from their reconstruction.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With a condition: that of the rows, if it is no column of X. Ignored otherwise.

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
        errors = self.encoder_.column_errors(matrix, self._rebuilt(X, y, matrix))
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

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With a condition: that of the rows, if it is no column of X. Ignored otherwise.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        float
            At most 1; 0 is as good as each column's own mean or frequencies. For a table of numbers
            alone it is R² of standardized columns. Columns count by their weights.
        """
        errors, constant = self._summed_errors(X, y, sample_weight)
        weight = self.encoder_.column_weights_
        return share(errors @ weight, constant @ weight)

    def score_per_feature(self, X, y=None, sample_weight=None) -> np.ndarray:
        """Return the share of each column of a table that its reconstruction explains.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`, at least two.

        y : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            With a condition: that of the rows, if it is no column of X. Ignored otherwise.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        ndarray of shape (n_features,)
            As `score`, for each column; NaN for one that is the same in all rows.
        """
        errors, constant = self._summed_errors(X, y, sample_weight)
        varies = constant > NO_ERROR
        return 1 - np.divide(errors, constant, out=np.full(len(errors), np.nan), where=varies)

    def _summed_errors(self, X, y, sample_weight):
        """Return the errors of columns, and those of the rows' own means and frequencies."""
        check_is_fitted(self)
        matrix = self.encoder_.transform(X)
        weight = _check_sample_weight(
            sample_weight, matrix, dtype=np.float64, ensure_non_negative=True
        )
        return summed_errors(self.encoder_, matrix, self._rebuilt(X, y, matrix), weight)

    def _rebuilt(self, X, y, matrix: np.ndarray) -> np.ndarray:
        """Return the rows of a matrix as they are rebuilt, given what they have as condition."""
        codes = self.autoencoder_.transform(matrix)
        if not self._is_conditional():
            return self.autoencoder_.inverse_transform(codes)
        if self.condition_ is not None:
            y = self.encoder_.known_values(X, self.condition_)
        elif y is None:
            raise ValueError(
                "y is None, but the autoencoder was fitted with conditional=True: give the label "
                "or the numbers of each row."
            )
        return self.autoencoder_.inverse_transform(codes, y)

    def _is_conditional(self) -> bool:
        return getattr(self.autoencoder_, "_condition", None) is not None

    def _known(self, y) -> dict[str, Any]:
        """Return the column that is the condition, as it was given."""
        return {} if y is None or self.condition_ is None else {self.condition_: y}

    def _in_seconds(self, y) -> Any:
        """Return a condition whose dates, if it is a column of such, are seconds since 1970."""
        is_date = self.condition_ is not None and self.encoder_.kinds_[self.condition_] == "date"
        if y is None or not is_date or np.asarray(y).dtype.kind in "iuf":
            return y
        try:
            return seconds_of(y)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y={y!r} should be dates, or seconds since 1970, as {self.condition_!r} holds "
                "dates."
            ) from error

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        if self.autoencoder is not None:
            tags.target_tags.required = get_tags(self.autoencoder).target_tags.required
        return tags
