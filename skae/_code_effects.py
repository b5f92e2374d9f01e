"""What each code does to each column: how what is decoded changes along a code.

Partial dependence (Friedman 2001, doi:10.1214/aos/1013203451) of the columns on the codes, of
tables and of rows of numbers. Numbers only: who draws or writes them is elsewhere.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from ._table_columns import DateColumn
from ._table_encoder import TableEncoder
from ._table_estimators import codes_of

PERCENTILES = (5, 95)  # of the rows' codes: from where to where a code is moved


class CodeEffect(NamedTuple):
    """What one code does to one column, on average over rows whose other codes are as they are."""

    code: int
    column: Any  # its name
    kind: str  # "number", "category" or "date"
    grid: np.ndarray  # (n_steps,), values of the code
    # (n_steps,) numbers in the column's own units, or datetime64; of a category (n_steps, n_levels)
    # probabilities of its levels.
    decoded: np.ndarray
    levels: np.ndarray | None  # (n_levels,), of a category
    # Variance of what is decoded along the grid, divided by that of the column: of a category that
    # of the probabilities, divided by the one of the indicators of its levels.
    share: float


def code_effects(
    estimator: Any, X: Any, *, n_steps: int = 25, n_rows: int = 200
) -> list[CodeEffect]:
    """Return what each code does to each column, code by code.

    Parameters
    ----------
    estimator : estimator
        Fitted: a `TableAutoencoderTransformer`; a pipeline that begins with a `TableEncoder` or
        ends in a `TableAutoencoderTransformer`; or anything with `transform` and
        `inverse_transform` between rows of numbers and codes; or a search over one of these.

    X : DataFrame or {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, whose codes say how far each code is moved.

    n_steps : int, default=25
        Number of values of each code.

    n_rows : int, default=200
        Over how many rows, at most, what is decoded is averaged.

    Returns
    -------
    list of CodeEffect
        One for each code and column. Of a column of which large deviations count by their
        logarithm, the average does so, too.
    """
    codes, decode, X, encoder = codes_of(estimator, X)
    columns = _ColumnsOfNumbers(X, estimator) if encoder is None else _ColumnsOfTable(encoder)
    some = codes[np.random.RandomState(0).permutation(len(codes))[:n_rows]]
    effects: list[CodeEffect] = []
    for code in range(codes.shape[1]):
        first, last = np.percentile(codes[:, code], PERCENTILES)
        grid = np.linspace(first, last, n_steps)
        means = [columns.mean(decode(_moved(some, code, value))) for value in grid]
        effects.extend(columns.effects(code, grid, means))
    return effects


def _moved(codes: np.ndarray, code: int, value: float) -> np.ndarray:
    """Return codes of rows of which one has the same value for all."""
    moved = codes.copy()
    moved[:, code] = value
    return moved


class _ColumnsOfNumbers:
    """Columns that are numbers, in their own units."""

    def __init__(self, X: Any, estimator: Any) -> None:
        if issparse(X):
            self.variances = mean_variance_axis(X.tocsr().astype(float), axis=0)[1]
        else:
            try:
                rows = np.asarray(X, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"X has columns that are no numbers ({error}), of which "
                    f"{type(estimator).__name__} has no probabilities; give a "
                    "TableAutoencoderTransformer, or a pipeline that begins with a TableEncoder."
                ) from error
            self.variances = np.ma.masked_invalid(rows).var(axis=0).filled(0.0)
        names = getattr(X, "columns", None)
        self.names = [f"feature {i}" for i in range(len(self.variances))]
        self.names = self.names if names is None else list(names)

    def mean(self, rows: Any) -> np.ndarray:
        """Return the average of decoded rows, (n_features,)."""
        return np.asarray(rows, dtype=np.float64).mean(axis=0)

    def effects(self, code: int, grid: np.ndarray, means: list) -> Iterator[CodeEffect]:
        decoded = np.stack(means)  # (n_steps, n_features)
        for name, column, variance in zip(self.names, decoded.T, self.variances, strict=True):
            share = _ratio(column.var(), variance)
            yield CodeEffect(code, name, "number", grid, column, None, share)


class _ColumnsOfTable:
    """Columns of a table, from the matrix of its encoder."""

    def __init__(self, encoder: TableEncoder) -> None:
        self.encoder = encoder
        self.columns = encoder._columns

    def mean(self, matrix: Any) -> tuple[np.ndarray, dict[Any, np.ndarray]]:
        """Return the average of rows of the matrix, and those of the levels' probabilities."""
        shares = self.encoder.level_probabilities(matrix)
        mean = np.asarray(matrix, dtype=np.float64).mean(axis=0)
        return mean, {name: share.mean(axis=0) for name, share in shares.items()}

    def effects(self, code: int, grid: np.ndarray, means: list) -> Iterator[CodeEffect]:
        matrix = np.stack([mean for mean, _ in means])  # (n_steps, n_columns)
        categories = self.encoder.categories_
        for column, place in zip(self.columns.columns, self.columns.places, strict=True):
            block, levels = matrix[:, place], None
            if column.kind == "category":
                levels = categories[column.name]
                decoded = np.stack([shares[column.name] for _, shares in means])
                variance = decoded.var(axis=0).sum()
            else:
                decoded = column.decode(block)
                variance = block[:, 0].var() if column.width else 0.0
                decoded = _times(decoded) if isinstance(column, DateColumn) else decoded
            share = _ratio(variance, column.variance if column.width else 0.0)
            yield CodeEffect(code, column.name, column.kind, grid, decoded, levels, share)


def _ratio(variance: float, whole: float) -> float:
    """Return a share of a variance, 0 of a column that is constant."""
    return float(variance / whole) if whole > 0 else 0.0


def _times(seconds: np.ndarray) -> np.ndarray:
    missing = np.isnan(seconds)
    microseconds = np.rint(np.where(missing, 0, seconds) * 1e6).astype("int64")
    return np.where(missing, np.datetime64("NaT"), microseconds.astype("datetime64[us]"))
