"""TableEncoder: a table of numbers, categories, flags and dates as a matrix, and back."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._checked_rows import validated_rows
from ._contract import BaseEstimator, TransformerMixin, _fit_context
from ._frames import filled, layout_of, library_of, read, with_index_of, write
from ._level_embedding import EmbeddedColumn
from ._mixed_loss import TableLikelihood, TableLoss
from ._table_columns import CategoryColumn, NumberColumn, TableColumns
from ._table_values import Values
from ._warnings import warn
from .exceptions import UnknownCategoryWarning


class TableEncoder(TransformerMixin, BaseEstimator):
    """Numbers, categories, flags and dates as columns of a matrix, and back.

    Principal components of the matrix are factor analysis of mixed data (FAMD) [1]_: a number is
    standardized, and a category has a column for each of its levels, the indicator less its
    frequency f, divided by the root of f. So each column of the table has the same say in each
    component, however many levels it has. Levels of a category of more than 64 are points, in eight
    columns at most: where the other columns of their rows are on average, rare levels drawn to the
    mean of all [2]_.

    Where a hundredth of the rows has most of a number's variance, large deviations from the median
    count by their logarithm (the inverse hyperbolic sine takes the number's place). A date is a
    number, with sine and cosine of where it is in the year, the week and the day beside it. Values
    that are missing (NaN, None, NA, NaT) are NaN in all columns.

    Parameters
    ----------
    categorical_features : "from_dtype" or array-like of names, places or bool, \
            default="from_dtype"
        Which columns are categories beside those whose type says so: words, flags, and the
        categorical types of pandas and polars.

    column_weight : dict, default=None
        What columns count, by their names, such as ``{"income": 2}``; 1 for all others.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the table.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    kinds_ : dict
        What each column was read as, "number", "category" or "date", by its name.

    column_weights_ : ndarray of shape (n_features,)
        What each column counts.

    categories_ : dict
        The levels of each category that were seen in `fit`, by its name: an ndarray of shape
        (n_levels,), in the order of a categorical type, else sorted.

    source_columns_ : ndarray of shape (n_columns,)
        For each column of the matrix the name of the table's column that it was made of: what
        ``reconstruction_error(matrix, per_feature=encoder.source_columns_)`` of an autoencoder or a
        detector sums errors by. A category with one level alone is not in it.

    See Also
    --------
    TableAutoencoderTransformer : The autoencoder of tables, which has one of these.
    sklearn.preprocessing.OneHotEncoder : Indicators of levels alone.

    References
    ----------
    .. [1] Pagès, J. (2004). Analyse factorielle de données mixtes. Revue de statistique appliquée
       52(4), 93-111.
    .. [2] Micci-Barreca, D. (2001). A preprocessing scheme for high-cardinality categorical
       attributes. SIGKDD Explorations 3(1). :doi:`10.1145/507533.507538`

    Examples
    --------
    >>> import pandas
    >>> from skae import TableEncoder
    >>> table = pandas.DataFrame({"age": [20, 30, 40, 50], "job": ["nurse", None, "cook", "cook"]})
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'job=cook', 'job=nurse']
    >>> encoder.inverse_transform(encoder.transform(table[2:]))
       age   job
    0   40  cook
    1   50  cook
    """

    _parameter_constraints: ClassVar[dict] = {
        "categorical_features": ["array-like", str, None],
        "column_weight": [dict, None],
    }

    def __init__(self, categorical_features="from_dtype", *, column_weight=None):
        self.categorical_features = categorical_features
        self.column_weight = column_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None) -> Self:
        """Learn what the columns of a table hold.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table of pandas or polars, or an array of numbers or objects.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative.

        Returns
        -------
        self : object
            The fitted encoder.

        Raises
        ------
        ValueError
            If a column has a type that is none of these, has a new word in each row, or is named in
            a parameter and missing.
        """
        X = self._checked(X, reset=True)
        layout = layout_of(X, self.categorical_features)
        table = read(X, layout)
        weight = _check_sample_weight(
            sample_weight, table[0].numbers, dtype=np.float64, ensure_non_negative=True
        )
        columns = TableColumns(table, weight, self._say(layout.names))
        if not columns.n_columns:
            raise ValueError(
                f"No column of X has two different values: {layout.names}. Give others."
            )
        self._layout, self._columns = layout, columns
        self.kinds_ = {values.name: values.kind for values in table}
        self.column_weights_ = np.array([column.say for column in columns.columns])
        sources = [column.name for column in columns.columns for _ in range(column.width)]
        self.source_columns_ = np.fromiter(sources, dtype=object, count=len(sources))
        return self

    def transform(self, X) -> np.ndarray:
        """Return the matrix of a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`; the columns of a DataFrame may be in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            NaN where the value is missing, or a category that was not seen in `fit`, of which a
            `skae.exceptions.UnknownCategoryWarning` tells.

        Raises
        ------
        ValueError
            If columns lack, or hold something else than in `fit`.
        """
        check_is_fitted(self)
        table = self._read(X)
        unknown = self._columns.unknown(table)
        if unknown:
            warn(
                f"X has categories that were not seen in fit, {unknown}; they count as missing.",
                UnknownCategoryWarning,
            )
        return self._columns.encode(table)

    def inverse_transform(self, X) -> Any:
        """Return the table that rows of a matrix stand for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            Rows such as `transform` returns, without missing values.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            In the container of `fit`, with the same columns, types and categories. Of a category it
            is the level that is nearest, of whole numbers the nearest whole number.
        """
        matrix = self._matrix(X, "inverse_transform")
        return with_index_of(X, write(self._columns.decode(matrix), self._layout))

    def level_probabilities(self, X) -> dict[Any, np.ndarray]:
        """Return how probable the levels of each category are in rows of the matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            Rows such as `transform` returns, or an estimator that rebuilds them; without missing
            values.

        Returns
        -------
        dict
            An ndarray of shape (n_samples, n_levels) by the name of each category, whose columns
            are the levels in `categories_`. Each row sums to 1; of rows that were rebuilt linearly,
            what is below 0 counts as 0. Of a category of more than 64 levels it is 1 for the
            nearest level.

        Examples
        --------
        >>> import pandas
        >>> from skae import TableAutoencoderTransformer
        >>> table = pandas.DataFrame({"size": [1, 2, 3, 4] * 10, "name": [*"SSLL"] * 10})
        >>> estimator = TableAutoencoderTransformer(1, random_state=0).fit(table)
        >>> rows = estimator.autoencoder_.inverse_transform(estimator.transform(table[:3]))
        >>> estimator.encoder_.categories_["name"]
        array(['L', 'S'], dtype=object)
        >>> estimator.encoder_.level_probabilities(rows)["name"].argmax(axis=1).tolist()
        [1, 1, 0]
        """
        matrix = self._matrix(X, "level_probabilities")
        pairs = zip(self._columns.columns, self._columns.places, strict=True)
        orders = self._level_orders()
        return {
            column.name: column.shares(matrix[:, place])[:, orders[column.name]]
            for column, place in pairs
            if isinstance(column, CategoryColumn | EmbeddedColumn)
        }

    @property
    def categories_(self) -> dict[Any, np.ndarray]:
        """The levels of each category, by its name."""
        result = {}
        for column in self._columns.columns:
            if isinstance(column, CategoryColumn | EmbeddedColumn):
                levels = np.empty(len(column.levels), dtype=object)
                levels[:] = column.levels
                result[column.name] = levels[self._level_orders()[column.name]]
        return result

    def _level_orders(self) -> dict[Any, list[int]]:
        """Return the places of categories' levels in the order that their types have."""
        orders = {}
        for column, kind in zip(self._columns.columns, self._layout.types, strict=True):
            if isinstance(column, CategoryColumn | EmbeddedColumn):
                in_type = {level: i for i, level in enumerate(kind.categories or column.levels)}
                places = [in_type[level] for level in column.levels]
                orders[column.name] = np.argsort(places, kind="stable").tolist()
        return orders

    def column_errors(self, X, X_rebuilt) -> np.ndarray:
        """Return the errors of the table's columns in rows of the matrix.

        Parameters
        ----------
        X, X_rebuilt : array-like of shape (n_samples, n_columns)
            Rows such as `transform` returns, and what they were rebuilt as.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Of a number the squared error, in units of its variance; of a category the squared error
            of the probabilities of its levels, in units of what its frequencies alone have [1]_.
            NaN where X is.

        References
        ----------
        .. [1] Brier, G. W. (1950). Verification of forecasts expressed in terms of probability.
           Monthly Weather Review 78. :doi:`10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2`
        """
        check_is_fitted(self)
        return self._columns.by_column(np.asarray(X, float), np.asarray(X_rebuilt, float))

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the matrix's columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            A number's own name; "job=cook" for the level "cook" of the column "job"; and
            "date (sin 1)" for the first cycle of a date.
        """
        check_is_fitted(self)
        names = [name for column in self._columns.columns for name in column.names()]
        return np.array(names, dtype=object)

    def loss(self) -> "TableLoss | str":
        """Return the loss of the matrix's columns, for `AutoencoderTransformer`.

        Returns
        -------
        object
            What its parameter ``loss`` takes: the squared error of numbers, and the cross-entropy
            of categories divided by their entropy. For a table of numbers alone, "squared_error".
        """
        check_is_fitted(self)
        varied = [
            one for one in self._columns.columns if isinstance(one, CategoryColumn) and one.width
        ]
        return TableLoss(self._columns) if varied else "squared_error"

    def _matrix(self, X, method: str) -> np.ndarray:
        """Return rows of the matrix that are given to a method."""
        check_is_fitted(self)
        matrix = np.asarray(X, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self._columns.n_columns:
            raise ValueError(
                f"X has shape {matrix.shape}, but TableEncoder.{method} expects "
                f"{self._columns.n_columns} columns, as transform returns them."
            )
        return matrix

    def likelihood(self) -> TableLikelihood:
        """Return the likelihood of the matrix, for `VariationalAutoencoderTransformer`.

        Returns
        -------
        object
            What its parameter ``likelihood`` takes: normal noise of numbers, with a variance for
            each, and probabilities of categories. Of a date, only its time counts.
        """
        check_is_fitted(self)
        return TableLikelihood(self._columns)

    def known_values(self, X, name) -> np.ndarray:
        """Return the levels or numbers of one column of a table, none of which may be missing.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of `fit`.

        name : str
            The column's. Columns of an array are "x0", "x1" and so on.

        Returns
        -------
        ndarray of shape (n_samples,)
            Levels of a category, as objects; numbers; or times, in seconds since 1970.

        Raises
        ------
        ValueError
            If there is no such column, or values of it are missing.
        """
        check_is_fitted(self)
        values = self._read(X)[self._place(name)]
        holes = np.flatnonzero(np.isnan(values.numbers))
        if len(holes):
            raise ValueError(
                f"The column {name!r} of X has no value in {len(holes)} rows, the first of which "
                f"is row {holes[0]}. Leave these out."
            )
        if values.levels is None:
            return values.numbers
        levels = np.empty(len(values.levels), dtype=object)
        levels[:] = values.levels
        return levels[values.numbers.astype(int)]

    def _numbers_of(self, X) -> dict[int, np.ndarray]:
        """Return the numbers and times of a table, by the column of the matrix that has them."""
        result = {}
        pairs = zip(self._columns.columns, self._columns.places, self._read(X), strict=True)
        for column, place, values in pairs:
            if isinstance(column, NumberColumn) and column.width:
                result[place.start] = values.numbers
        return result

    def _table_of(self, X, *, numbers=None, known=None) -> Any:
        """Return the table that rows of a matrix stand for, but for what is known of it.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_columns)
            Rows such as `transform` returns.

        numbers : dict, default=None
            By columns of the matrix, numbers and times in the place of those of the matrix, as
            `_numbers_of` has them; of a category of many levels, other coordinates.

        known : dict, default=None
            By the names of columns, their values as `known_values` returns them.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            As `inverse_transform` returns it.
        """
        matrix, numbers, given = self._matrix(X, "inverse_transform").copy(), numbers or {}, {}
        pairs = zip(self._columns.columns, self._columns.places, strict=True)
        for i, (column, place) in enumerate(pairs):
            if isinstance(column, NumberColumn) and place.start in numbers:
                given[i] = numbers[place.start]
            elif isinstance(column, EmbeddedColumn):
                for j in set(range(place.start, place.stop)).intersection(numbers):
                    matrix[:, j] = numbers[j]
        for name, values in (known or {}).items():
            i, places = self._place(name), np.asarray(values).tolist()
            levels = self._columns.columns[i].levels
            if levels is not None:
                number_of = {level: j for j, level in enumerate(levels)}
                places = [number_of.get(level, np.nan) for level in places]
            given[i] = np.asarray(places, dtype=np.float64).reshape(len(X))
        table = self._columns.decode(matrix)
        for i, these in given.items():
            table[i] = table[i]._replace(numbers=these)
        return with_index_of(X, write(table, self._layout))

    def _filled(self, X, matrix: np.ndarray) -> Any:
        """Return a table with what rows of a matrix stand for in its holes, in its own types."""
        return filled(X, self._columns.decode(matrix), self._layout)

    def _place(self, name) -> int:
        if name not in self._layout.names:
            raise ValueError(f"There is no column {name!r}; expected one of {self._layout.names}.")
        return self._layout.names.index(name)

    def _checked(self, X, *, reset):
        """Return a container whose columns can be read, and remember or compare their number."""
        if sp.issparse(X):
            raise TypeError("X is sparse, and a table is dense: give X.toarray().")
        if library_of(X) != "numpy":
            if not all(X.shape):
                lacking = "columns" if len(X) else "rows"
                raise ValueError(
                    f"X has 0 {lacking} (shape={tuple(X.shape)}), but a minimum of 1 is required."
                )
            if reset:
                self._remember(list(X.columns))
            return X
        if getattr(np.asarray(X), "dtype", np.dtype(float)).kind in "OUSbMiu":
            how = {"dtype": None, "ensure_all_finite": False}
            return validate_data(self, np.asarray(X), reset=reset, **how)
        return validated_rows(self, X, reset=reset, allow_nan=True)

    def _remember(self, names: list) -> None:
        """Set what scikit-learn's estimators know of the columns of `fit`."""
        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    def _read(self, X) -> list[Values]:
        table = read(self._checked(X, reset=False), self._layout)
        for column, values in zip(self._columns.columns, table, strict=True):
            if values.kind != column.kind and not np.isnan(values.numbers).all():
                raise ValueError(
                    f"The column {values.name!r} of X is a {values.kind}, but it was a "
                    f"{column.kind} in fit. Convert it to the type that it had."
                )
        return [
            values._replace(levels=[])
            if column.levels is not None and values.levels is None
            else values
            for column, values in zip(self._columns.columns, table, strict=True)
        ]

    def _say(self, names: list) -> list[float]:
        given = self.column_weight or {}
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"column_weight names {unknown}, but X has the columns {names}.")
        for name, weight in given.items():
            if not isinstance(weight, Real) or not 0 < float(weight) < np.inf:
                raise ValueError(
                    f"column_weight={given!r} gives {name!r} the weight {weight!r}; expected a "
                    "positive number. Leave out a column that should not count."
                )
        return [float(given.get(name, 1.0)) for name in names]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags
